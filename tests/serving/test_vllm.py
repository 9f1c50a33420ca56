"""A real vLLM server (its CPU build) serves the bundled model, and we ask it as an endpoint.

vLLM wants an environment of its own: `make test-vllm` makes it and names its Python in TIMEGROUND_VLLM.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from timeground.cli import main
from timeground.commands.serve import server_command
from timeground.models.local import LocalBackend
from timeground.prompts import row_prompt
from timeground.records import read_rows
from timeground.video.decode import decode

PYTHON = os.environ.get("TIMEGROUND_VLLM", "")
pytestmark = pytest.mark.skipif(not PYTHON, reason="TIMEGROUND_VLLM is not set; make test-vllm sets it")


@pytest.fixture(scope="module")
def url(tmp_path_factory) -> Iterator[str]:
    """The address of a server that serves the bundled model in float32."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("vllm") / "server.log"
    flags = ["--enforce-eager", "--max-num-seqs", "8"]
    command, environment = server_command("tiny", "127.0.0.1", port, "float32", more=flags)
    environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with log.open("w") as file:
        server = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 300
        while True:
            assert server.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            try:
                if httpx.get(f"http://127.0.0.1:{port}/v1/models", timeout=5).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(1)
        yield f"http://127.0.0.1:{port}/v1#tiny"
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=60)


def test_evaluation_through_vllm_equals_the_local_one(url, synth_folder, tmp_path):
    """Greedy answers about stamped images are those of the model in this process; a row that differs is shown."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synth").symlink_to(synth_folder)
    args = ["eval", "--model", url, "--tasks", "synth", "--data", str(tmp_path / "data"), "--max_new_tokens", "24"]
    assert main([*args, "--output_path", str(tmp_path / "out"), "--workers", "0"]) == 0
    samples = (tmp_path / "out" / "synth" / "samples.jsonl").read_text().splitlines()
    there = {s["id"]: s["text"] for s in map(json.loads, samples)}
    local = LocalBackend.from_pretrained("tiny", overrides={"time_encoding": "stamped-images", "max_new_tokens": 24})
    differing = []
    for row in read_rows(synth_folder / "annotations.jsonl"):
        if row.task != "ground":
            continue
        clip = decode(synth_folder / row.video, local.sampling())
        ((answer,),) = local.sample(local.encode(clip.thinned()), [row_prompt(local.profile.prompts(), row)])
        if answer.text != there[row.id]:
            differing.append((row.id, there[row.id], answer.text, answer.mean_logprob))
    assert not differing, differing
