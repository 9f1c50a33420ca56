"""Supervised training: the packed loss is the plain loss, and a killed run ends as an undisturbed one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from timeground.train.config import RECIPES, ModelSettings, OptimizerSettings, SftSettings, load_recipe
from timeground.train.config.recipe import load_any_recipe
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows
from timeground.train.schedule import learning_rate
from timeground.train.sft import SftModel
from torch.nn import functional as F

from tests.conftest import noise_clip
from tests.support.runs import alone, command, run
from tests.support.tiny_models import encoder_for
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile, profile_for
from timeground.cli.main import main
from timeground.data.rows import Row, read_rows, write_rows
from timeground.errors import UserError
from timeground.models.families import FAMILIES
from timeground.models.loading import load
from timeground.spans import Span


def rows() -> list[Row]:
    def row(query: str, spans: list[Span]) -> Row:
        return Row(id="r", video="v.mp4", duration=5.0, query=query, spans=spans)

    return [
        row("the red circle moves left", [Span(1, 2)]),
        row("it turns", []),
        row("the ring grows", [Span(0, 3)]),
    ]


@pytest.mark.parametrize("family", ["qwen3", "qwen3_moe", "qwen3_5_moe", "qwen2_5"])
@pytest.mark.parametrize("reduction", ["token", "sequence"])
def test_packed_loss_and_gradients_equal_one_row_an_answer(family, reduction, request):
    """One row with three answers gives what three full rows give, for every parameter."""
    loaded = load(request.getfixturevalue(f"{family}_folder"))
    encoding = TimeEncoding.NATIVE if family.startswith("qwen3") else TimeEncoding.MROPE
    encoder = encoder_for(loaded, Profile(prompt="short", time_encoding=encoding), reduction)
    side = 2 * loaded.checkpoint.family.factor
    clips = [noise_clip(n, side, side, seed=n) for n in (4, 8)]
    ids = loaded.checkpoint.family.visual_ids
    model = SftModel(loaded, ModelSettings(init="tiny"))

    packed = model(pack([e for c in clips for e in encoder.supervised(ClipRows(c, rows()))], ids))
    packed.backward()
    gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()

    losses, weights = [], []
    for clip in clips:
        for row in rows():
            (example,) = encoder.supervised(ClipRows(clip, [row]))
            losses.append(model(pack([example], ids)))
            answer = example.nodes[-1]
            weights.append(len(answer.inputs) * answer.weight)
    plain = sum(loss * w for loss, w in zip(losses, weights, strict=True)) / sum(weights)
    plain.backward()
    assert packed.item() == pytest.approx(plain.item(), abs=1e-5)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            scale = parameter.grad.norm()
            assert (gradients[name] - parameter.grad).norm() <= 1e-4 * scale + 1e-7, name


def test_the_loss_is_transformers_loss(qwen3_folder):
    """A single row's loss is the mean cross-entropy of its answer under transformers' own forward pass."""
    loaded = load(qwen3_folder)
    encoder = encoder_for(loaded, profile_for(qwen3_folder, FAMILIES["qwen3_vl"]))
    (example,) = encoder.supervised(ClipRows(noise_clip(4, 64, 64), rows()[:1]))
    ids = loaded.checkpoint.family.visual_ids
    batch = pack([example], ids)
    model = SftModel(loaded, ModelSettings(init="tiny"))
    from transformers import AutoModelForImageTextToText

    from timeground.models.local.towers import cut_patches

    reference = AutoModelForImageTextToText.from_pretrained(qwen3_folder, dtype=torch.float32).eval()
    pixels = cut_patches(
        example.frames, example.prompt.vision, loaded.checkpoint.family, loaded.checkpoint.norm, torch.float32
    )
    types = (batch.ids_BL == loaded.checkpoint.family.video_token_id).int() * 2
    with torch.no_grad():
        logits = reference(
            input_ids=batch.ids_BL,
            pixel_values_videos=pixels.values_NP,
            video_grid_thw=torch.tensor([[2, 4, 4]]),
            mm_token_type_ids=types,
        ).logits[0]
    answer = torch.from_numpy(example.nodes[-1].inputs.ids_L)
    expected = F.cross_entropy(logits[-len(answer) - 1 : -1], answer)
    assert model(batch).item() == pytest.approx(expected.item(), abs=1e-5)


def test_a_frozen_vision_tower_gets_no_gradient(qwen3_folder):
    loaded = load(qwen3_folder)
    encoder = encoder_for(loaded, profile_for(qwen3_folder, FAMILIES["qwen3_vl"]))
    model = SftModel(loaded, ModelSettings(init="tiny", frozen="vision"))
    ids = loaded.checkpoint.family.visual_ids
    model(pack(encoder.supervised(ClipRows(noise_clip(4, 64, 64), rows())), ids)).backward()
    assert all(p.grad is None for p in loaded.model.model.visual.parameters())
    assert loaded.model.model.language_model.layers[0].mlp.up_proj.weight.grad is not None


@pytest.mark.long
def test_compiled_layers_train_alike_and_validate(undisturbed, tmp_path):
    """The same losses but for rounding; answers in validation are made by the layers as they are."""
    output = tmp_path / "compiled"
    done = run(output, "compile=true", "validate_every=24", "validate_videos=1")
    assert done.returncode == 0, done.stderr
    assert losses(output) == pytest.approx(losses(undisturbed), rel=2e-3)


def losses(output: Path) -> list[float]:
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("sft") / "whole"
    done = run(output)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.long
def test_a_killed_run_ends_as_an_undisturbed_one(undisturbed, tmp_path):
    """SIGKILL after some steps, then the same command again: same metrics, same weights, bit for bit."""
    output = tmp_path / "killed"
    process = subprocess.Popen(
        command(output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env=alone(),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (output / "checkpoints" / "step-00000004").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (output / "model").exists()
    done = run(output)
    assert done.returncode == 0, done.stderr
    assert (output / "metrics.jsonl").read_bytes() == (undisturbed / "metrics.jsonl").read_bytes()
    weights = [(folder / "model" / "model.safetensors").read_bytes() for folder in (output, undisturbed)]
    assert weights[0] == weights[1]


def test_it_learns_and_leaves_a_model_that_others_load(undisturbed):
    assert losses(undisturbed)[-1] < losses(undisturbed)[0]
    assert [p.name for p in sorted((undisturbed / "checkpoints").iterdir())] == [
        "step-00000020",
        "step-00000024",
    ]
    folder = undisturbed / "model"
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert model.dtype is torch.bfloat16
    processor = AutoProcessor.from_pretrained(folder)
    assert processor.video_processor.do_resize is True
    assert profile_for(str(folder), FAMILIES["qwen3_vl"]).prompt == "short"


@pytest.mark.long
@pytest.mark.parametrize("stage", [1, 2, 3])
def test_zero_stages_in_two_processes(stage, tmp_path):
    """Sharded over two processes the run trains and leaves a whole model; one process cannot go on with it."""
    output = tmp_path / "two"
    changes = ("steps=2", f"engine.zero_stage={stage}", "optimizer.name=adamw")
    done = run(output, *changes, processes=2)
    assert done.returncode == 0, done.stderr
    assert len(losses(output)) == 2
    from transformers import AutoModelForImageTextToText

    AutoModelForImageTextToText.from_pretrained(output / "model")
    if stage == 3:
        again = run(output, "steps=3", *changes[1:])
        assert again.returncode == 2
        assert "2 processes" in again.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["optimizer.lrr=1"], "unknown key optimizer.lrr"),
        (["steps=many"], "steps"),
        (["model.init=/nowhere", "model.fresh=null"], "no such model folder"),
        (["data.synth_seed=null", "data.rows=/none.jsonl"], "none.jsonl"),
        (["data.synth_seed=null"], "data.rows"),
        (["model.init=tiny"], "model.init"),
        (["nonsense"], "name=value"),
        (["engine.zero_stage=2"], "muon needs whole matrices"),
    ],
)
def test_mistakes_are_one_line_and_status_2(overrides, words, tmp_path, capsys):
    assert main(command(tmp_path / "x", *overrides)[3:]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_folder_is_not_gone_on_with_under_other_settings(undisturbed, capsys):
    assert main(command(undisturbed, "optimizer.lr=0.5")[3:]) == 2
    assert "other settings" in capsys.readouterr().err


def test_rows_of_files_are_trained_on_and_bad_videos_are_listed(synth_folder, tmp_path):
    """One broken file among three is replaced and named; if all are broken the run ends with one line."""
    shutil.copytree(synth_folder, tmp_path / "data")
    videos = sorted((tmp_path / "data" / "videos").iterdir())
    videos[0].write_bytes(b"no video at all")
    rows = tmp_path / "data" / "annotations.jsonl"
    data = ["data.synth_seed=null", f"data.rows={rows}", f"data.videos={tmp_path / 'data'}"]
    done = run(tmp_path / "rows", *data, "steps=3", "videos_per_micro_batch=3", "data.image_share=0.0")
    assert done.returncode == 0, done.stderr
    assert len(losses(tmp_path / "rows")) == 3
    listed = [json.loads(line) for line in (tmp_path / "rows" / "rejected.jsonl").read_text().splitlines()]
    assert {item["video"] for item in listed} == {f"videos/{videos[0].name}"}
    assert [item["id"] for item in listed] == [row.id for row in read_rows(rows) if row.video == listed[0]["video"]]
    assert all("not a video" in item["reason"] for item in listed)
    for video in videos:
        video.write_bytes(b"")
    done = run(tmp_path / "none", *data, "steps=3")
    assert done.returncode == 2 and "none of the videos" in done.stderr.splitlines()[-1]


def test_validation_passes_over_videos_that_are_not_asked_for_spans(synth_folder, tmp_path):
    kept = [row for row in read_rows(synth_folder / "annotations.jsonl") if row.task in ("ground", "choice")]
    first = kept[0].video
    kept = [row for row in kept if (row.task == "choice") == (row.video == first)]
    write_rows(tmp_path / "rows.jsonl", kept)
    data = [f"data.validation_rows={tmp_path / 'rows.jsonl'}", f"data.videos={synth_folder}"]
    done = run(tmp_path / "out", *data, "steps=1", "validate_every=1", "data.questions_per_video=50")
    assert done.returncode == 0, done.stderr
    line = json.loads((tmp_path / "out" / "metrics.jsonl").read_text().splitlines()[-1])
    assert line["validation_queries"] == sum(row.task == "ground" for row in kept) > 0


def test_every_shipped_recipe_loads():
    for path in RECIPES.glob("*.yaml"):
        load_any_recipe(str(path))
    with pytest.raises(UserError, match="shipped are"):
        load_recipe(SftSettings, "no-such-recipe")


def test_learning_rate_schedule():
    settings = OptimizerSettings(lr=1.0, warmup_steps=10, schedule="cosine", final_lr_ratio=0.1)
    rates = [learning_rate(settings, step, 110) for step in range(1, 111)]
    assert rates[4] == pytest.approx(0.5) and rates[9] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.1)
    assert rates[9:] == sorted(rates[9:], reverse=True)
