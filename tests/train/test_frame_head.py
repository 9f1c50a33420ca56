"""A text-to-frame head is trained beside, leaves with the model, and finds frames without the language model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from timeground.train.config import ModelSettings
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows, Encoder
from timeground.train.sft import SftModel

from tests.conftest import noise_clip
from tests.support.runs import run
from timeground.cli.main import main
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.models.frame_head import FILE_NAME, FrameHead, load_frame_head
from timeground.models.loading import load
from timeground.models.local.model import LocalModel
from timeground.spans import Span


def row(query: str, *spans: Span, kind: str = "single") -> Row:
    return Row(id=query, video="v.mp4", duration=4.0, query=query, spans=list(spans), meta={"kind": kind})


@pytest.fixture
def trained(qwen3_folder) -> tuple[SftModel, Encoder]:
    loaded = load(qwen3_folder)
    checkpoint = loaded.checkpoint
    encoder = Encoder(checkpoint.builder, checkpoint.family, checkpoint.profile, finds_frames=True)
    return SftModel(loaded, ModelSettings(init="tiny", frame_head=0.5)), encoder


def test_what_is_sought_is_where_the_rows_say(trained) -> None:
    """Pairs are counted by the middle of their times; one of several in order is no whole truth."""
    _, encoder = trained
    rows = [row("it moves", Span(0.0, 1.0)), row("it turns"), row("the first", Span(0, 1), kind="ordered")]
    (example,) = encoder.supervised(ClipRows(noise_clip(8, 64, 64), rows))
    assert [one.inside_P.tolist() for one in example.sought] == [[1, 0, 0, 0], [0, 0, 0, 0]]


def test_the_loss_is_added_by_its_weight_and_reaches_the_tower(trained) -> None:
    model, encoder = trained
    batch = pack(
        encoder.supervised(ClipRows(noise_clip(8, 64, 64), [row("it moves", Span(0.0, 1.0))])), model.family.visual_ids
    )
    whole = model(batch)
    model.head_weight = 0.0
    plain = model(batch)
    assert whole > plain
    (whole - plain).backward()
    assert model.frame_head.text.weight.grad.abs().sum() > 0
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.model.model.visual.parameters())
    without = SftModel(load(encoder_path(model)), ModelSettings(init="tiny"))
    assert torch.allclose(without(batch), plain, atol=1e-6)


def encoder_path(model: SftModel) -> str:
    return model.checkpoint.path


def test_a_model_leaves_with_its_head_and_the_head_goes_on(tmp_path) -> None:
    """Exported, read by `frame_scores`, taken up by the next run, and copied by one that does not train it."""
    output = tmp_path / "run"
    done = run(output, "model.frame_head=0.3")
    assert done.returncode == 0, done.stderr
    folder = output / "model"
    assert json.loads((folder / "grounding_config.json").read_text())["frame_head"] is True
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]  # a server loads them all
    model = LocalModel.from_pretrained(str(folder))
    clip = noise_clip(8, 64, 64)
    scores = model.frame_scores(clip, ["the red circle moves left", "it turns"])
    assert scores.shape == (2, 4) and scores.isfinite().all()
    alone = model.frame_scores(clip, ["it turns"])
    assert torch.allclose(scores[1:], alone, atol=1e-5)
    for name, weight in (("again", "0.3"), ("copied", "0")):
        after = tmp_path / name
        done = run(after, f"model.init={folder}", "model.fresh=null", "steps=1", f"model.frame_head={weight}")
        assert done.returncode == 0, done.stderr
        same = (after / "model" / FILE_NAME).read_bytes() == (folder / FILE_NAME).read_bytes()
        assert same == (name == "copied")


def test_the_right_pair_scores_highest_once_it_is_learnt() -> None:
    """Queries and tokens that point the same way are found, whichever token of the pair it is."""
    torch.manual_seed(0)
    head, queries = FrameHead(32, 8), torch.randn(5, 32)
    tokens = 0.3 * torch.randn(5, 9, 32)
    for pair in range(5):
        tokens[pair, pair] += queries[pair]
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(200):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(head(queries, tokens), torch.eye(5))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert head(queries, tokens).argmax(dim=1).tolist() == [0, 1, 2, 3, 4]


def test_a_model_without_one_says_so(qwen3_folder, tmp_path) -> None:
    assert LocalModel.from_pretrained(qwen3_folder).frame_scores(noise_clip(4, 64, 64), ["it turns"]) is None
    with pytest.raises(UserError, match="has no text-to-frame head"):
        _ = LocalModel.from_pretrained(qwen3_folder).frame_head
    FrameHead(32).save(tmp_path)
    with pytest.raises(UserError, match="is no text-to-frame head of this model"):
        load_frame_head(Path(tmp_path), 64)


def test_a_run_with_a_head_is_planned(capsys) -> None:
    assert main(["train", "check", "tiny-sft", "model.frame_head=0.2", "compile=true", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["step"]["questions"] > 0
