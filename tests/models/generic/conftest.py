"""Tiny models of families beside ours, each written and opened once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import tiny_video_models
from timeground.models.generic.model import GenericModel
from timeground.models.opening import open_model


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Any:
    """A folder for each family, written when it is first asked for."""
    made: dict[str, str] = {}

    def folder(name: str) -> str:
        if name == "smolvlm":
            pytest.importorskip("num2words")
        if name not in made:
            made[name] = tiny_video_models.make(name, tmp_path_factory.mktemp(name))
        return made[name]

    return folder


@pytest.fixture(scope="module")
def opened(folders) -> Any:
    """A family's model, as `open_model` opens its folder; asked by video, through its own processor."""
    models: dict[str, GenericModel] = {}

    def model(name: str) -> GenericModel:
        if name not in models:
            found = open_model(folders(name), overrides={"time_encoding": "native"})
            assert isinstance(found, GenericModel)
            models[name] = found
        return models[name]

    return model
