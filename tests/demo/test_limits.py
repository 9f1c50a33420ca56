"""What a request may be, and what messages say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from timeground.demo.api import _shares, _text
from timeground.demo.guard import nesting
from timeground.demo.handlers import Opened, lines_of, refuse_long
from timeground.demo.page import model_facts
from timeground.demo.service import Reading, Timed
from timeground.demo.settings import DemoSettings
from timeground.demo.videos import Video, names_only
from timeground.demo.views import row

from tests.conftest import noise_clip
from tests.support.says import Says
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.methods.grounder import Grounder, GroundingAnswer
from timeground.spans import Span


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/tmp/gradio/ab12/x.mp4: no video", "cat.mp4: no video"),
        ("/srv/models/secret/config.json: cannot be read", "config.json: cannot be read"),
        ("No such file: '/home/anna/my models/w.safetensors'", "No such file: 'w.safetensors'"),
        ('see "/dev/shm/timeground-0/clip-1.safetensors" (gone)', 'see "clip-1.safetensors" (gone)'),
        ("cannot reach http://host:8000/v1/models", "cannot reach http://host:8000/v1/models"),
        ("say yes/no, 3/4 or and/or", "say yes/no, 3/4 or and/or"),
        ("file:///tmp/secret/a.mp4 is gone", "a.mp4 is gone"),
    ],
)
def test_messages_show_names_and_no_folders(text, shown):
    assert names_only(text, {"/tmp/gradio/ab12/x.mp4": "cat.mp4"}) == shown


def test_equal_options_keep_their_shares():
    found = _shares(["red", "red", "blue"], [0.25, 0.5, 0.25])
    assert [(f["letter"], f["option"], f["share"]) for f in found] == [
        ("A", "red", 0.25),
        ("B", "red", 0.5),
        ("C", "blue", 0.25),
    ]
    assert _shares(["red", "blue"], []) == []


@pytest.mark.parametrize("given", [["q"] * 21, [["nested"]], [1], ["x" * 450] * 10, [{"a": 1}]])
def test_lists_that_are_too_much_are_refused(given):
    with pytest.raises(UserError):
        _text(given, "queries")


def test_the_total_of_a_request_is_limited():
    with pytest.raises(UserError, match="4000"):
        lines_of("\n" * 10_000_000, "queries")
    with pytest.raises(UserError, match="4000"):
        refuse_long("x" * 3000, "y" * 3000)


def test_an_answer_outside_what_was_shown_is_marked():
    inside = GroundingAnswer("q", [Span(1, 2)], "text", "rule", False, 0.5)
    assert "outside what was shown" in row(0, Timed(replace(inside, outside=True), 0.1), 10.0)["note"]
    assert "outside" not in row(0, Timed(inside, 0.1), 10.0)["note"]


def test_nesting_is_counted_outside_texts():
    assert nesting(b'{"data": [["[[[[", "\\"[["]]}') == 3
    assert nesting(b"[" * 100_000) == 100_000


def test_a_video_that_was_read_sparsely_says_so_on_the_page():
    model = Says("0:30:00 - 0:30:10", Profile())
    limit = model.sampling().frame_limit
    times = torch.linspace(0, 3600 * 6, limit, dtype=torch.float64)
    frames = torch.zeros(1, 3, 8, 8, dtype=torch.uint8).expand(limit, -1, -1, -1)
    watched = Grounder(model).watch(Clip(frames, times, 0.0, 3600.0 * 6, 3600.0 * 6))
    video = Video("id", Path("a.mp4"), "a.mp4", 3600.0 * 6)
    (note,) = Opened(video, (), Reading(watched, 1.0, False)).player("find", [])["notes"]
    assert f"{limit} frames of 6:00:00" in note
    assert Reading(Grounder(model).watch(noise_clip()), 1.0, False).notes == []


def test_a_model_is_shown_by_its_name(tmp_path):
    assert DemoSettings(model=str(tmp_path)).shown_model == tmp_path.name
    assert DemoSettings(model="http://localhost:8000/v1#TimeLens-8B").shown_model == "TimeLens-8B"
    assert DemoSettings(model="TencentARC/TimeLens-8B").shown_model == "TencentARC/TimeLens-8B"
    facts = model_facts(DemoSettings())
    assert facts["model"] == "tiny" and "coloured shapes" in facts["knows"] and "--model" in facts["warning"]
    assert not model_facts(DemoSettings(model="TencentARC/TimeLens-8B"))["warning"]
