"""A real vLLM server for tests, which can be killed and started again at the same address."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from timeground.cli.serve import server_command

PYTHON = os.environ.get("TIMEGROUND_VLLM", "")
WHY_SKIPPED = "TIMEGROUND_VLLM is not set; make test-vllm sets it"
START_S = 900


class Server:
    """`timeground serve MODEL --train` in float32, with room for adapters where one is to be sent."""

    def __init__(self, model: str, log: Path, lora_rank: int = 0) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.model, self.log, self.lora_rank = model, log, lora_rank
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self, wait: bool = True) -> None:
        flags = ["--enforce-eager", "--max-num-seqs", "16"]
        command, environment = server_command(
            self.model, "127.0.0.1", self.port, "float32", train=True, lora_rank=self.lora_rank, more=flags
        )
        environment |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        with self.log.open("a") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
        if wait:
            self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            assert self.process is not None and self.process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, self.log.read_text()[-3000:]
            try:
                if httpx.get(f"{self.url}/models", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(1)

    def counted(self) -> dict[str, float]:
        """What vLLM has counted so far, by name; its block size among it."""
        text = httpx.get(f"{self.url.removesuffix('/v1')}/metrics", timeout=30).text
        found = re.findall(r"^vllm:(\w+)_total\{[^}]*\} (\S+)$", text, re.MULTILINE)
        size = re.search(r'\bblock_size="(\d+)"', text)
        return {name: float(value) for name, value in found} | {"block_size": float(size[1] if size else 0)}

    def stop(self, how: int = signal.SIGTERM) -> None:
        if self.process is None:
            return
        os.killpg(self.process.pid, how)
        self.process.wait(timeout=60)
        self.process = None


@contextmanager
def served(model: str, folder: Path, lora_rank: int = 0) -> Iterator[Server]:
    """A running server; the test is skipped where there is no vLLM."""
    if not PYTHON:
        pytest.skip(WHY_SKIPPED)
    made = Server(model, folder / "server.log", lora_rank)
    try:
        made.start()
        yield made
    finally:
        made.stop()
