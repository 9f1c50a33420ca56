"""GRPO of an adapter with rollouts on a real vLLM server, which is sent the adapter and not the layers it adapts."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.serving.servers import Server, served
from tests.serving.test_rollouts import follows, lines, run, same, start, until

LORA = ["model.lora={rank: 4, targets: [q_proj, up_proj]}", "model.frozen=vision", "optimizer.lr=1e-2"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with room for adapters."""
    with served("tiny", tmp_path_factory.mktemp("vllm"), lora_rank=4) as made:
        yield made


@pytest.mark.parametrize(("more", "share"), [([], 0.02), (["model.frozen=tower"], 0.2)], ids=["adapter", "and-mergers"])
def test_the_server_follows_the_trainer(server, tmp_path, more, share):
    output = tmp_path / "run"
    follows(output, server, *LORA, *more)
    first, *rest = [line["mb"] for line in lines(output, "sent")]
    assert all(size < share * first for size in rest), (first, rest)


def test_a_server_that_dies_is_given_the_adapter_again(server, tmp_path):
    run(tmp_path / "whole", server, *LORA)
    output = tmp_path / "run"
    process = start(output, server, *LORA)
    until(lambda: (output / "metrics.jsonl").exists() and len(lines(output)) >= 2, process)
    server.stop(signal.SIGKILL)
    server.start()
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0, said[-3000:]
    same(output, tmp_path / "whole")


def test_an_adapter_of_higher_rank_is_refused_at_once(server, tmp_path):
    said = run(tmp_path / "run", server, "model.lora={rank: 9}", "model.frozen=vision", code=2)
    assert "serve --train --lora 9" in said
