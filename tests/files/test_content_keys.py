"""Identities of content: they change with what they name, and are remembered without being trusted blindly."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from timeground.data.rows import Row
from timeground.files import content_keys as contents
from timeground.files.content_keys import (
    file_contents,
    model_contents,
    path_contents,
    profile_contents,
    rows_contents,
    video_contents,
)
from timeground.models.names import resolve
from timeground.spans import Span


@pytest.fixture(autouse=True)
def own_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "timeground" / "sha256.json"


def test_a_model_is_known_by_weights_and_processor(tmp_path):
    model = tmp_path / "model"
    shutil.copytree(resolve("tiny"), model)
    first = model_contents(str(model))
    assert first == model_contents("tiny") and len(first) == 64
    (model / "README.md").write_text("not a part of it")
    assert model_contents(str(model)) == first
    (model / "chat_template.jinja").write_text("other words")
    assert model_contents(str(model)) != first
    assert model_contents("http://somewhere/v1") == "" and model_contents("nobody/has-this") == ""


def test_a_calibration_does_not_make_another_model(tmp_path):
    """Kept answers are the same with it; what else the profile says counts."""
    model = tmp_path / "model"
    shutil.copytree(resolve("tiny"), model)
    first, file = model_contents(str(model)), model / "grounding_config.json"
    held = json.loads(file.read_text())
    for slope in (1.0, 2.0):
        file.write_text(json.dumps({**held, "calibration": {"spans": {"slope": slope, "shift": 0.0}}}, indent=2) + "\n")
        assert model_contents(str(model)) == first
    file.write_text(json.dumps({**held, "fps": 4.0, "calibration": {}}, indent=2) + "\n")
    assert model_contents(str(model)) != first
    assert profile_contents(None) == profile_contents("arrowgev") == profile_contents(tmp_path) == ""
    file.write_text("no JSON")
    assert profile_contents(file) == file_contents(file)


def test_a_hash_is_remembered_by_path_size_and_time(tmp_path, own_memory, monkeypatch):
    file = tmp_path / "weights"
    file.write_bytes(b"one")
    first = file_contents(file)
    monkeypatch.setattr(contents.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert file_contents(file) == first and own_memory.is_file()
    monkeypatch.undo()
    file.write_bytes(b"two")
    os.utime(file, ns=(1, 1))
    assert file_contents(file) != first
    own_memory.write_text("[damaged")
    file.write_bytes(b"one")
    assert file_contents(file) == first


def test_a_video_is_known_by_size_time_and_both_ends(tmp_path):
    file = tmp_path / "a.mp4"
    body = bytearray(300_000)
    file.write_bytes(body)
    os.utime(file, ns=(5, 5))
    first = video_contents(file)
    for place in (0, 299_999):
        changed = bytearray(body)
        changed[place] = 1
        file.write_bytes(changed)
        os.utime(file, ns=(5, 5))
        assert video_contents(file) != first
    file.write_bytes(body)
    os.utime(file, ns=(6, 5_000_000_000))
    assert video_contents(file) != first
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "1.png").write_bytes(b"x")
    one = video_contents(folder)
    (folder / "2.png").write_bytes(b"x")
    assert video_contents(folder) != one


def test_rows_and_annotation_folders_are_known_by_what_they_say(tmp_path):
    row = Row("a", "a.mp4", 10.0, "it", [Span(1, 2)])
    other = Row("a", "a.mp4", 10.0, "it", [Span(1, 3)])
    assert rows_contents([row]) == rows_contents([row]) != rows_contents([other]) != rows_contents([])
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.json").write_text("1")
    one = path_contents(tmp_path / "x")
    (tmp_path / "x" / "a.json").write_text("22")
    assert path_contents(tmp_path / "x") != one and path_contents(tmp_path / "gone") == ""
