"""Scorers of each kind, on real classes: their shapes, their identity, and what they say of what is not theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import noise_clip
from tests.support.tiny_scorers import KINDS, make_scorer
from timeground.errors import UserError
from timeground.index.clip_scorer import ClipScorer
from timeground.index.opening import open_scorer
from timeground.index.own_scorer import OwnScorer
from timeground.index.scorer import FrameScorer, piece_times_s
from timeground.index.yes_no_scorer import YesNoScorer, stretches
from timeground.media.clip import Clip
from timeground.models.local.model import LocalModel

QUERIES = ["the red circle moves left", "the blue square turns"]


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {kind: make_scorer(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.fixture(params=["head", "yes-no", *KINDS])
def scorer(request: pytest.FixtureRequest, headed: LocalModel, folders: dict[str, str]) -> FrameScorer:
    return open_scorer(folders.get(request.param, request.param), headed)


def clip(scorer: FrameScorer, num_frames: int = 8) -> Clip:
    return noise_clip(num_frames, 64, 96)


def test_pieces_of_a_clip_have_features_times_and_relevance(scorer: FrameScorer) -> None:
    for count in (7, 8):
        shown = clip(scorer, count)
        features, times_s = scorer.features(shown), piece_times_s(shown, scorer.frames_each)
        pieces = count if scorer.frames_each == 1 else 4
        assert features.ndim == 3 and len(features) == len(times_s) == pieces
        assert (times_s.diff() > 0).all() and shown.start_s <= times_s[0] and times_s[-1] < shown.end_s
        relevance = scorer.relevance(QUERIES, features)
        assert relevance.shape == (2, pieces) and relevance.dtype == torch.float32 and relevance.isfinite().all()


def test_a_query_scores_the_same_alone_and_pieces_the_same_in_parts(scorer: FrameScorer) -> None:
    features = scorer.features(clip(scorer))
    together = scorer.relevance(QUERIES, features)
    assert torch.allclose(scorer.relevance(QUERIES[1:], features), together[1:], atol=1e-4)
    if not isinstance(scorer, YesNoScorer):  # whose stretches are longer than a piece
        assert torch.allclose(scorer.relevance(QUERIES, features[2:3]), together[:, 2:3], atol=1e-4)


def test_another_picture_and_another_word_change_the_relevance(scorer: FrameScorer) -> None:
    one, other = (scorer.features(noise_clip(8, 64, 96, seed=seed)) for seed in (0, 1))
    relevance = scorer.relevance(QUERIES, one)
    assert not torch.equal(relevance[0], relevance[1])
    assert not torch.equal(relevance, scorer.relevance(QUERIES, other))


def test_the_head_says_what_the_model_says(headed: LocalModel) -> None:
    scorer, shown = OwnScorer(headed), noise_clip(8, 64, 64)
    scores = headed.frame_scores(shown, QUERIES)
    kept = scorer.relevance(QUERIES, scorer.features(shown))
    assert torch.allclose(kept, scores, atol=0.01)  # float16 is what is kept
    assert scorer.sampling.fps == 1.0 and scorer.sampling.max_tokens_per_pair == 9


def test_weights_and_settings_are_part_of_the_identity(headed: LocalModel, qwen3_folder: str) -> None:
    scorers = [OwnScorer(headed), OwnScorer(headed, 0.5), OwnScorer(headed, tokens_per_pair=4)]
    assert len({one.contents for one in scorers}) == 3
    with pytest.raises(UserError, match="no text-to-frame head"):
        OwnScorer(LocalModel.from_pretrained(qwen3_folder))


def test_a_model_without_a_head_is_asked(headed: LocalModel, qwen3_folder: str) -> None:
    assert isinstance(open_scorer(None, headed), OwnScorer)
    assert isinstance(open_scorer(None, LocalModel.from_pretrained(qwen3_folder)), YesNoScorer)


def frames_of(scorer: YesNoScorer, features: Tensor) -> Tensor:
    return scorer._clip(features).frames


def test_what_is_kept_for_yes_and_no_are_the_frames(headed: LocalModel) -> None:
    scorer, shown = YesNoScorer(headed), noise_clip(8, 32, 96)
    assert torch.equal(frames_of(scorer, scorer.features(shown)), shown.frames)


@pytest.mark.parametrize("num_pairs", [0, 1, 5, 8, 9, 23, 24])
def test_stretches_cover_all_and_are_of_one_length(num_pairs: int) -> None:
    found = stretches(num_pairs, 8)
    assert {n for first, end in found for n in range(first, end)} == set(range(num_pairs))
    assert {end - first for first, end in found} <= {min(8, num_pairs)}


def test_the_vectors_are_those_of_transformers(folders: dict[str, str]) -> None:
    """One frame and one text through the model's own forward give the same logit."""
    from transformers import AutoModel, AutoProcessor

    for kind in ("clip", "siglip"):
        scorer, shown = ClipScorer.from_pretrained(folders[kind]), noise_clip(1, 64, 64)
        model, processor = AutoModel.from_pretrained(folders[kind]), AutoProcessor.from_pretrained(folders[kind])
        inputs = processor(
            text=QUERIES, images=list(shown.frames), padding="max_length", max_length=16, return_tensors="pt"
        )
        with torch.inference_mode():
            logits = model(**inputs).logits_per_image
        assert torch.allclose(scorer.relevance(QUERIES, scorer.features(shown)).T, logits, atol=0.02)


def test_what_cannot_be_loaded_is_one_line(folders: dict[str, str], headed: LocalModel, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    text_only = tmp_path / "bert"
    text_only.mkdir()
    from transformers import BertConfig, BertModel

    small = BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
    BertModel(small).save_pretrained(text_only)
    for name in (str(broken), str(text_only), str(tmp_path / "none"), "no-such-name"):
        with pytest.raises(UserError) as said:
            open_scorer(name, headed)
        assert "\n" not in str(said.value)
