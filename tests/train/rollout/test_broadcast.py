"""Weights over a group of processes; the server's side is the code that vLLM's workers load, without vLLM."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from timeground.train.rollout.broadcast import Broadcast

from timeground.errors import UserError
from timeground.models.served.http import ServerGone
from timeground.models.served.vllm.plugin.timeground_vllm import WeightReader


class Leaving:
    """A group that is left after so many tensors."""

    def __init__(self, group, after: int) -> None:
        self.group, self.after = group, after

    def broadcast(self, tensor, root):
        if self.after == 0:
            raise RuntimeError("it was left")
        self.after -= 1
        return self.group.broadcast(tensor, root)


class Worker(WeightReader):
    """A worker that keeps what it is given, and may leave in the middle."""

    def __init__(self, rank: int, device: str = "cpu") -> None:
        self.rank, self.device = rank, torch.device(device)
        self.held: dict[str, torch.Tensor] = {}
        self.takes = 99
        self.vllm_config = SimpleNamespace(model_config=SimpleNamespace(logprobs_mode="x"), lora_config=None)

    def reload_weights(self, weights_iterator) -> None:
        self.held |= dict(weights_iterator)

    def timeground_receive(self, described):
        self._group = Leaving(self._group, self.takes)
        return super().timeground_receive(described)

    def _pack_tied_head(self) -> None: ...


class Workers:
    """What `Broadcast` needs of a server."""

    def __init__(self, *workers: Worker) -> None:
        self.workers, self.http, self.joined = workers, SimpleNamespace(url="http://127.0.0.1:8000"), 0

    def call(self, method: str, *args):
        self.joined += method == "timeground_join"
        with ThreadPoolExecutor(len(self.workers)) as pool:
            return list(pool.map(lambda worker: getattr(worker, method)(*args), self.workers))


@pytest.fixture
def file(tmp_path):
    tensors = {"a.weight": torch.randn(300, 200), "b.bias": torch.randn(7).to(torch.bfloat16), "c": torch.tensor(3)}
    save_file(tensors, tmp_path / "weights.safetensors")
    return tensors, tmp_path / "weights.safetensors"


def test_all_workers_hold_what_was_sent(file):
    tensors, path = file
    server, sender = Workers(Worker(0), Worker(1)), Broadcast(torch.device("cpu"))
    for _ in range(2):
        sender.send(server, path)
        for worker in server.workers:
            assert worker.held.keys() == tensors.keys()
            assert all(torch.equal(worker.held[name], value) for name, value in tensors.items())
            worker.held = {}
    assert server.joined == 1


def test_a_worker_that_leaves_in_the_middle_takes_nothing_and_is_joined_again(file, monkeypatch):
    tensors, path = file
    monkeypatch.setattr("timeground.models.served.vllm.plugin.timeground_vllm.GROUP_S", 3.0)
    server, sender = Workers(Worker(0)), Broadcast(torch.device("cpu"))
    server.workers[0].takes = 1
    with pytest.raises(ServerGone, match=r"127\.0\.0\.1:8000 could not be sent the weights"):
        sender.send(server, path)
    assert server.workers[0].held == {}
    server.workers[0].takes = 99
    sender.send(server, path)
    assert server.workers[0].held.keys() == tensors.keys() and server.joined == 2


def test_a_server_on_other_devices_is_refused(file):
    with pytest.raises(UserError, match="the trainer is on cpu, the server on cuda"):
        Broadcast(torch.device("cpu")).send(Workers(Worker(0, "cuda")), file[1])
