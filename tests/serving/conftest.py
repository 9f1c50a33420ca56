"""A server for each file of tests: training leaves other weights in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.serving.servers import Server, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the bundled model in float32."""
    with served("tiny", tmp_path_factory.mktemp("vllm")) as made:
        yield made
