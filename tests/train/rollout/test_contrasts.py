"""Contrasts: what is sampled on changed clips, and a toy one of one file in a real run."""

from __future__ import annotations

import json

import pytest
import torch
from timeground.train.config import GrpoSettings, SamplingSettings
from timeground.train.data.render import ClipRows
from timeground.train.grpo.model import GrpoModel
from timeground.train.grpo.scoring import questions
from timeground.train.rollout.contrasts import CONTRASTS, REVERSED, REVERSED_GROUPS, load_contrast
from timeground.train.rollout.local import Sampler

from tests.conftest import noise_clip
from tests.support.runs import grpo_settings, lines, run_grpo
from tests.support.tiny_models import encoder_for
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.models.loading import load
from timeground.spans import Span

HERE = "tests.support.toy_contrast"


def rows() -> list[Row]:
    return [
        Row("s", "v.mp4", 5.0, "the red circle moves left", [Span(1, 2)], direction="sensitive"),
        Row("i", "v.mp4", 5.0, "it turns", [Span(0, 3)], direction="insensitive"),
    ]


def rolled_out(folder: str, *contrasts: object) -> tuple[list, GrpoSettings]:
    loaded, settings = load(folder), grpo_settings(contrasts=list(contrasts))
    profile = Profile(prompt="short", time_encoding=TimeEncoding.NATIVE, max_new_tokens=5)
    encoder = encoder_for(loaded, profile)
    sampling = SamplingSettings(group_size=4)
    sampler = Sampler(GrpoModel(loaded, settings).eval(), encoder, sampling, contrasts=settings.contrasts)
    return sampler.roll_out(ClipRows(noise_clip(6, 64, 64), rows()), [1, 2, 0]), settings


def test_what_each_contrast_gives(qwen3_folder):
    (plain,), _ = rolled_out(qwen3_folder)
    found, _ = rolled_out(qwen3_folder, "reversed", "reversed_groups", {"name": "shuffled", "answers": 2})
    forward, backward = found
    assert forward.texts == plain.texts, "contrasts do not move the answers about the clip itself"
    assert {name: [len(g) for g in groups] for name, groups in forward.contrasts.items()} == {
        "reversed": [1, 1],
        "reversed_groups": [4, 4],
        "shuffled": [2, 2],
    }
    assert forward.contrast is None and backward.contrast is REVERSED_GROUPS and not backward.contrasts
    assert torch.equal(backward.examples[0].frames, forward.examples[0].frames.flip(0))
    assert backward.rows[0].spans != forward.rows[0].spans
    assert forward.contrasts["reversed_groups"] == backward.answers
    (sensitive, insensitive) = questions(backward)
    assert not sensitive.contrasts.has_truth and insensitive.contrasts.has_truth
    assert all(question.contrasts.has_truth for question in questions(forward))


def test_a_toy_contrast_is_one_file_and_works_in_a_run(tmp_path):
    changes = [
        f"contrasts=['{HERE}:STATIC', '{HERE}:STATIC_GROUPS']",
        f"rewards=['{HERE}:unlike_static', '{HERE}:of_static']",
    ]
    done = run_grpo(tmp_path / "run", "steps=1", "save_every=1", *changes)
    assert done.returncode == 0, done.stderr
    (metrics,) = lines(tmp_path / "run")
    assert metrics[f"reward/{HERE}:unlike_static"] > 0 and metrics[f"reward/{HERE}:of_static"] > 0
    assert json.loads((tmp_path / "run" / "samples.jsonl").read_text())["contrast"] is None


def test_an_unknown_contrast_names_those_there_are():
    with pytest.raises(UserError, match="unknown contrast 'mirror'; there are reversed, reversed_groups, shuffled"):
        load_contrast("mirror")
    with pytest.raises(UserError, match="that is no Contrast"):
        load_contrast(f"{HERE}:unlike_static")
    assert load_contrast("reversed") is REVERSED
    streams = [contrast.stream for contrast in CONTRASTS.values() if not contrast.is_greedy]
    assert len(set(streams)) == len(streams) and 0 not in streams


def test_what_a_plan_counts():
    plain = grpo_settings(sampling={"group_size": 8})
    changed = grpo_settings(
        sampling={"group_size": 8}, contrasts=["reversed_groups", {"name": "shuffled", "answers": 3}]
    )
    assert (plain.answers_a_question, plain.versions_read, plain.versions_trained) == (8, 1, 1)
    assert (changed.answers_a_question, changed.versions_read, changed.versions_trained) == (19, 3, 2)
