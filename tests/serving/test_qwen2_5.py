"""Qwen2.5-VL on a real vLLM server: stamps as text, and a piece of media for each frame pair between them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import noise_clip
from tests.serving.rows import same_answers
from tests.serving.servers import Server, served
from tests.serving.test_rollouts import follows
from tests.support.asking import ask, show
from timeground.models.local.model import LocalModel
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec
from timeground.models.served.vllm.model import VllmModel


@pytest.fixture(scope="module")
def server(qwen2_5_folder: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with a small model of random weights."""
    with served(qwen2_5_folder, tmp_path_factory.mktemp("vllm")) as made:
        yield made


def test_its_answers_are_the_local_ones(server, qwen2_5_folder):
    remote, local = open_model(server.url), LocalModel.from_pretrained(qwen2_5_folder)
    assert isinstance(remote, VllmModel)
    for clip in (noise_clip(8, 56, 84, step_s=0.317), noise_clip(9, 56, 56).reversed()):
        theirs, mine = show(remote, clip), show(local, clip)
        texts, request = ["When does the red circle move?", "What happens?"], SampleSpec(max_new_tokens=8)
        same_answers(ask(theirs, texts, request), ask(mine, texts, request))


def test_the_server_follows_the_trainer(server, qwen2_5_folder, tmp_path):
    follows(tmp_path / "run", server, f"model.init={qwen2_5_folder}")
