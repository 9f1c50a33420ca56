"""Settings of sampling mean what they mean in transformers, for local models and for servers."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from tests.conftest import noise_clip
from tests.support.asking import ask, show
from tests.support.tiny_models import asked_as
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.models.loading import load
from timeground.models.local.model import LocalModel
from timeground.models.sampling import BARRED_LOGIT, AnswerTokens, SampleSpec, TokenChooser
from timeground.models.served.vllm.server import sampling_params

LOGITS = torch.tensor([[2.0, 1.5, 1.0, 0.0, -1.0, -3.0]])


def drawn(spec: SampleSpec, times: int = 400) -> set[int]:
    chooser = TokenChooser(spec, (), torch.Generator().manual_seed(0))
    return {chooser.choose(LOGITS.clone())[0][0] for _ in range(times)}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {0, 1, 2, 3, 4, 5}),
        ({"top_k": 2}, {0, 1}),
        ({"top_p": 0.5}, {0, 1}),  # shares .45 .27 .16 .06 .02 .00 at temperature 1: .45 is not enough
        ({"top_p": 0.3}, {0}),
        ({"min_p": 0.3}, {0, 1, 2}),  # e^-1 = .37 of the likeliest, e^-2 = .14
        ({"min_p": 0.5}, {0, 1}),
        ({"top_k": 3, "min_p": 0.5}, {0, 1}),
    ],
)
def test_only_the_tokens_that_are_left_are_drawn(settings, expected):
    assert drawn(SampleSpec(temperature=1.0, **settings), 4000) <= expected
    if "top_k" in settings or "top_p" in settings or "min_p" in settings:
        assert drawn(SampleSpec(temperature=1.0, **settings), 400) == expected


def test_a_barred_token_is_never_drawn_and_counts_for_nothing():
    tokens, logprobs = TokenChooser(SampleSpec(), (0,)).choose(LOGITS.clone())
    assert tokens == [1]
    assert logprobs == pytest.approx([float(LOGITS[0, 1:].log_softmax(-1)[0])])


def test_log_probabilities_are_told_at_1_or_at_the_temperature():
    for tempered, scale in ((False, 1.0), (True, 0.5)):
        spec = SampleSpec(temperature=0.5, tempered=tempered)
        tokens, logprobs = TokenChooser(spec, (), torch.Generator().manual_seed(1)).choose(LOGITS.clone())
        assert logprobs == pytest.approx([float((LOGITS[0] / scale).log_softmax(-1)[tokens[0]])])


@pytest.mark.parametrize("family", ["qwen3", "qwen2_5"])
def test_a_repetition_penalty_is_that_of_transformers(family, request):
    """Greedy, over prompt and answer: the tokens of a plain loop with transformers' own processor."""
    loaded = load(request.getfixturevalue(f"{family}_folder"))
    model = asked_as(loaded, Profile(prompt="short", time_encoding=TimeEncoding.DRAWN, max_new_tokens=12))
    side = 2 * loaded.checkpoint.family.factor
    prefix = show(model, noise_clip(8, side, side))
    question = model.builder.question("When does it move?", prefix.cache.prompt.next_position)
    specs = [SampleSpec(max_new_tokens=12, repetition_penalty=penalty) for penalty in (1.0, 1.8)]
    plain, penalised = (prefix.cache.answer([question], spec, model.builder.answer_tokens) for spec in specs)
    ids = torch.tensor([[*prefix.cache.prompt.ids_L.tolist(), *question.ids_L.tolist()]])
    expected = _generated(ids, prefix, model, 1.8)
    assert penalised[0][0].ids == expected != plain[0][0].ids


def _generated(ids, prefix, model, penalty) -> list[int]:
    """Tokens of a plain loop, each from a pass over all that stands before it."""
    from transformers import RepetitionPenaltyLogitsProcessor

    processor = RepetitionPenaltyLogitsProcessor(penalty)
    barred = list(model.checkpoint.family.forbidden_ids)
    answer: list[int] = []
    for _ in range(12):
        question_length = ids.shape[1] - len(prefix.cache.prompt)
        scores = _next_logits(model, prefix, ids[0, len(prefix.cache.prompt) :].tolist(), question_length)
        scores[:, barred] = BARRED_LOGIT
        token = int(processor(ids, scores).argmax())
        answer.append(token)
        if token == model.builder.end_id:
            break
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    return answer


def _next_logits(model, prefix, ids, length):
    import numpy as np

    from timeground.models.local.tree import ROOT

    start = prefix.cache.prompt.next_position
    positions = np.tile(np.arange(start, start + length), (3, 1))
    with torch.inference_mode():
        tree = prefix.cache.tree()
        tree.add(ROOT, length)
        logits = prefix.cache.extend(np.array(ids), positions, tree)
        prefix.cache.reset()
    return logits[-1:].float().clone()


def test_an_answer_ends_where_a_stop_text_begins(qwen3_folder):
    model = LocalModel.from_pretrained(qwen3_folder, overrides={"max_new_tokens": 12})
    prefix = show(model, noise_clip(8, 64, 64))
    ((whole,),) = ask(prefix, ["When?"])
    stop = whole.text[2:4]
    ((cut,), (other,)) = ask(prefix, ["When?", "What is it?"], SampleSpec(stop=(stop, "never said")))
    assert cut.text == whole.text[: whole.text.index(stop)].strip() and cut.finished
    assert len(cut.ids) < len(whole.ids)
    assert stop not in other.text


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": -1.0}, {"temperature": float("nan")}, {"top_p": 0.0}, {"top_p": 1.1}, {"top_k": -1},
        {"min_p": 2.0}, {"repetition_penalty": 0.0}, {"num_answers": 0}, {"stop": ("",)}, {"max_new_tokens": 0},
    ],
)  # fmt: skip
def test_settings_that_nothing_can_be_sampled_with_are_one_line(settings):
    with pytest.raises(UserError, match=next(iter(settings))):
        SampleSpec(**settings)


def test_every_setting_reaches_vllm():
    """What is not off is sent; names are those of vLLM's SamplingParams."""
    spec = SampleSpec(3, 0.7, 16, 5, top_p=0.9, top_k=4, min_p=0.1, repetition_penalty=1.2, stop=("\n",))
    sent = sampling_params(spec, AnswerTokens(7, (1, 2)))
    for field in dataclasses.fields(spec):
        value = getattr(spec, field.name)
        name = {"num_answers": "n", "max_new_tokens": "max_tokens"}.get(field.name, field.name)
        if name != "tempered":  # of the server, since it is started so
            assert sent[name] == (list(value) if isinstance(value, tuple) else value), name
    assert sent["logit_bias"] == {"1": BARRED_LOGIT, "2": BARRED_LOGIT} and sent["stop_token_ids"] == [7]
    assert set(spec.narrowed).isdisjoint(sampling_params(SampleSpec(max_new_tokens=1), AnswerTokens(7)))
