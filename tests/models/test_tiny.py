"""The bundled model: what ships, that others can load it, and that it looks at the video."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch

from timeground.chat.prompts import row_prompt
from timeground.cli.main import main
from timeground.grammar.answers import parse_spans
from timeground.methods.grounder import Grounder
from timeground.models.names import resolve
from timeground.spans import iou
from timeground.synth.frames import scene_clip, scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import sample_scene

FOLDER = Path(resolve("tiny"))


@pytest.fixture(scope="module")
def grounder() -> Grounder:
    return Grounder.from_pretrained("tiny")


def test_it_is_small_and_in_bfloat16():
    from safetensors import safe_open

    assert (FOLDER / "model.safetensors").stat().st_size <= 12_000_000
    with safe_open(FOLDER / "model.safetensors", "pt") as weights:
        assert {weights.get_tensor(name).dtype for name in weights.keys()} == {torch.bfloat16}  # noqa: SIM118


def test_transformers_own_classes_load_it_and_generate(grounder):
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(FOLDER)
    model = AutoModelForImageTextToText.from_pretrained(FOLDER, dtype=torch.float32).eval()
    assert model.config.model_type == "qwen3_vl" and model.config.text_config.head_dim == 64
    scene = sample_scene(scene_seed("test", 1, 0), durations_s=(8, 10))
    clip = scene_clip(scene, grounder.model.sampling())
    row = make_rows(scene, "x.mp4")[0]
    question = row_prompt(grounder.model.profile.prompts(), row)
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": question}]}]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    times_ms = [round(t * 1000) for t in clip.frame_times_s.tolist()]
    inputs = processor(
        text=[text],
        videos=[clip.frames],
        video_metadata=[{"total_num_frames": times_ms[-1] + 1, "fps": 1000.0, "frames_indices": times_ms}],
        do_sample_frames=False,
        do_resize=False,
        return_tensors="pt",
    )
    with torch.no_grad():
        ids = model.generate(**inputs, max_new_tokens=24, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    ours = grounder.ground(clip, row.query)
    assert processor.tokenizer.decode(ids, skip_special_tokens=True).strip() == ours.text


def test_digits_are_single_tokens():
    tokenizer = Grounder.from_pretrained("tiny").model.builder.tokenizer
    assert [tokenizer.decode([i]) for i in tokenizer.encode("<12.5 seconds>")][:5] == ["<", "1", "2", ".", "5"]


def test_every_kind_of_question_gets_an_answer_in_its_form(grounder):
    parsed, total = 0, 0
    for index in range(6):
        scene = sample_scene(scene_seed("test", 2, index), durations_s=(8, 14))
        watched = grounder.watch(scene_clip(scene, grounder.model.sampling()))
        rows = [r for r in make_rows(scene, "x.mp4") if r.task == "ground"]
        for (outcome,) in watched.method.answers(rows):
            parsed += parse_spans(outcome.answer.text).parsed
            total += 1
    assert parsed / total > 0.95


def mean_iou(grounder: Grounder, blank: bool) -> float:
    """Over the single-span queries of a few unseen scenes; blank: with all frames black."""
    from dataclasses import replace

    ious = []
    for index in range(12):
        scene = sample_scene(scene_seed("test", 3, index), durations_s=(8, 20))
        clip = scene_clip(scene, grounder.model.sampling())
        if blank:
            clip = replace(clip, frames=torch.zeros_like(clip.frames))
        rows = [r for r in make_rows(scene, "x.mp4") if r.meta["kind"] == "single"]
        for row, answer in zip(rows, grounder.ground(clip, [r.query for r in rows]), strict=True):
            ious.append(iou(answer.spans[0], row.spans[0]) if answer.spans else 0.0)
    return statistics.mean(ious)


def test_it_looks_at_the_video(grounder):
    """Answers on the real frames are far better than on black ones."""
    assert mean_iou(grounder, blank=False) > mean_iou(grounder, blank=True) + 0.1


def test_the_shipped_example_is_grounded_by_the_command(tmp_path, capsys):
    assert main(["ground", "example", "--plot", str(tmp_path / "g.png")]) == 0
    printed = capsys.readouterr().out
    assert "(truth)" in printed and "█" in printed
    assert (tmp_path / "g.png").stat().st_size > 10_000
