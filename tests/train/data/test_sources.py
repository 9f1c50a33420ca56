"""Training on the pipeline's samples is training on the same rows, without decoding."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml
from timeground.train.config import DataSettings, ModelSettings
from timeground.train.data.sources import SampleSource, make_source
from timeground.train.sft import SftModel, make_batch

from tests.support.runs import run_grpo as run
from tests.support.tiny_models import encoder_for
from timeground.cli.main import main
from timeground.data.rows import read_rows, write_rows
from timeground.errors import UserError
from timeground.media.sampling import Sampling
from timeground.models.loading import load
from timeground.spans import Span


@pytest.fixture(scope="module")
def made(synth_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a pipeline run whose rows ask about whole videos and about windows of them."""
    out = tmp_path_factory.mktemp("samples")
    every = list(read_rows(synth_folder / "annotations.jsonl"))
    rows = [row for video in sorted({row.video for row in every}) for row in every if row.video == video][::4]
    for row in rows[::3]:
        row.window = Span(0.0, row.duration / 2)
        row.spans = [span for span in row.spans if span.end_s <= row.duration / 2]
        if row.task == "events":
            row.meta["events"] = [e for e in row.meta["events"] if e["span"][1] <= row.duration / 2]
    write_rows(out / "rows-in.jsonl", rows)
    stages = [{"stage": "samples"}, {"stage": "export", "formats": ["samples"]}]
    inputs = {"videos": str(synth_folder), "rows": str(out / "rows-in.jsonl")}
    recipe = {"input": inputs, "output": str(out), "stages": stages}
    (out / "recipe-in.yaml").write_text(yaml.safe_dump(recipe))
    assert main(["data", "run", str(out / "recipe-in.yaml"), "--quiet"]) == 0
    return out


def test_the_loss_on_samples_is_the_loss_on_videos(made, synth_folder, tmp_path, monkeypatch):
    loaded = load("tiny")
    profile, sampling = loaded.checkpoint.profile, loaded.checkpoint.sampling
    encoder = encoder_for(loaded, profile)
    model = SftModel(loaded, ModelSettings(init="tiny"))
    ids = loaded.checkpoint.family.visual_ids
    from_videos = make_source(
        DataSettings(rows=str(made / "rows.jsonl"), videos=str(synth_folder)), sampling, 2, 3, tmp_path
    )
    expected = [make_batch(from_videos, encoder, ids, number) for number in range(2)]
    monkeypatch.setattr("timeground.media.decode.decode", partial(pytest.fail, "a video was decoded"))
    from_samples = make_source(DataSettings(samples=str(made / "samples")), sampling, 2, 3, tmp_path)
    assert isinstance(from_samples, SampleSource) and {row.window for row in from_samples.rows} != {None}
    for number, batch in enumerate(expected):
        found = make_batch(from_samples, encoder, ids, number)
        assert torch.equal(found.ids_BL, batch.ids_BL) and torch.equal(found.mask_B1SL, batch.mask_B1SL)
        with torch.no_grad():
            assert model(found).item() == model(batch).item()


def test_samples_made_for_other_frames_are_refused(made, tmp_path):
    data = DataSettings(samples=str(made / "samples"))
    with pytest.raises(UserError, match=r"other frames .*fps .*, not 7.*make them again"):
        make_source(data, Sampling(fps=7.0), 1, 0, tmp_path)


def test_the_command_says_in_one_line_what_is_wrong_with_samples(made, tmp_path, capsys):
    command = ["train", "sft", "tiny-sft", "model.fresh=null", "model.init=tiny", "optimizer.name=adamw"]
    command += ["data.synth_seed=null", f"data.samples={made / 'samples'}"]

    for number, (change, words) in enumerate(
        (
            ("model.profile={fps: 7}", "make them again"),
            ("data.rows=some.jsonl", "give one of data.rows"),
            (f"data.samples={tmp_path}", "index.jsonl: cannot be read"),
        )
    ):
        assert main([*command, f"output={tmp_path / f'run-{number}'}", change]) == 2
        assert words in capsys.readouterr().err.splitlines()[-1]


def test_rounds_by_difficulty_take_samples(made, tmp_path):
    data = ["data.synth_seed=null", f"data.samples={made / 'samples'}", "data.questions_per_video=4"]
    profile = "model.profile={prompt: short, time_encoding: native, min_tokens_per_pair: 4,"
    profile += " max_tokens_per_pair: 12, total_tokens: 1440, max_new_tokens: 6}"
    rounds = "refilter={every: 1, low: -1.0, high: 1.0, max_rows: 2}"
    done = run(tmp_path / "run", *data, profile, rounds, "steps=2", "rewards=[tiou]")
    assert done.returncode == 0, done.stderr
    chosen = json.loads((tmp_path / "run" / "rounds" / "round-1.json").read_text())
    assert len(chosen["kept"]) == 2 and set(chosen["kept"]) <= {row.id for row in read_rows(made / "rows.jsonl")}


def test_a_lost_shard_is_listed_and_the_rest_trained_on(made, tmp_path):
    data = DataSettings(samples=str(tmp_path / "samples"))
    for path in (made / "samples").rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(made)).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path.relative_to(made)).write_bytes(path.read_bytes())
    lines = [json.loads(line) for line in (tmp_path / "samples" / "index.jsonl").read_text().splitlines()]
    (tmp_path / "samples" / lines[0]["shard"]).write_bytes(b"damaged")
    loaded = load("tiny")
    sampling = loaded.checkpoint.sampling
    source = make_source(data, sampling, 8, 0, tmp_path)
    assert lines[0]["video"] not in {item.rows[0].video for item in source.made(0, lambda item: item)}
    told = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text().splitlines()]
    assert {line["video"] for line in told} == {lines[0]["video"]} and "cannot be read" in told[0]["reason"]
    assert {line["id"] for line in told} == {asked["row"]["id"] for asked in lines[0]["questions"]} | {
        asked["row"]["id"] for line in lines if line["video"] == lines[0]["video"] for asked in line["questions"]
    }
