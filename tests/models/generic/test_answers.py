"""Any video model of transformers: its own classes with random weights, against its own ``generate``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from tests.support.generic_asking import FAMILIES, GREEDY, QUESTIONS, clip, shown
from timeground.chat.parts import Message
from timeground.errors import UserError
from timeground.models.generic.messages import metadata_of
from timeground.models.generic.model import GenericModel
from timeground.models.generic.prefix import Runner, Sharing, State, measured_sharing, with_tail
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec


def asked(session: Any, spec: SampleSpec = GREEDY) -> list[Any]:
    return session.ask([Message.of("user", question) for question in QUESTIONS], spec)


def generated(model: GenericModel, question: str) -> tuple[list[int], list[float]]:
    """What transformers' own processor, chat template and ``generate`` give for one question."""
    processor, module, frames = model.writer.processor, model.module, clip()
    said = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": question}]}]
    inputs = processor(
        text=[processor.apply_chat_template(said, add_generation_prompt=True)],
        videos=[frames.frames],
        videos_kwargs={"video_metadata": [metadata_of(frames)], "do_sample_frames": False},
        return_tensors="pt",
    )
    heads = module.get_output_embeddings().weight.shape[0]
    barred = [i for i in sorted(model.writer.media_ids) if i < heads]
    out = module.generate(
        **inputs, max_new_tokens=6, do_sample=False, suppress_tokens=barred, output_scores=True,
        return_dict_in_generate=True, eos_token_id=list(model.writer.end_ids),
    )  # fmt: skip
    ids = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    told = [scores[0].float().log_softmax(-1)[i].item() for scores, i in zip(out.scores, ids, strict=True)]
    return ids, told


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_answers_are_those_of_generate(opened, name):
    """Three questions from one prefix: tokens and log-probabilities of transformers' own pass for each alone."""
    model = opened(name)
    assert model.sharing is not Sharing.ALONE
    for question, (turn,) in zip(QUESTIONS, asked(shown(model)), strict=True):
        ids, told = generated(model, question)
        assert list(turn.ids) == ids
        assert turn.logprobs == pytest.approx(told, abs=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_shared_prefix_changes_nothing(opened, name):
    """Every way of sharing gives the answers of questions that are asked one at a time."""
    model = opened(name)
    ways = {Sharing.ALONE, Sharing.STEPWISE, Sharing.COPIED, model.sharing}
    spec = SampleSpec(max_new_tokens=5, num_answers=3, temperature=1.0, seed=3, top_k=50)
    found, scores = {}, {}
    for way in ways:
        model.__dict__["sharing"], before = way, model.sharing
        session = shown(model)
        found[way] = [*asked(session), *asked(session, spec)]
        scores[way] = session.score([Message.of("user", QUESTIONS[1])], [["A", "No, it is not"]])[0]
        assert bool(session.size_bytes) is (way is not Sharing.ALONE)
        model.__dict__["sharing"] = before
    for way in ways - {Sharing.ALONE}:
        assert scores[way] == pytest.approx(scores[Sharing.ALONE], abs=1e-4)
        for group, alone in zip(found[way], found[Sharing.ALONE], strict=True):
            assert [turn.ids for turn in group] == [turn.ids for turn in alone]
            for turn, other in zip(group, alone, strict=True):
                assert turn.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert len({turn.ids for turn in found[model.sharing][3]}) > 1  # sampled answers differ


@pytest.mark.parametrize("name", FAMILIES)
def test_a_conversation_goes_on(opened, name):
    """What is extended by an answer and asked again answers as one that was opened with all of it; forks part."""
    model = opened(name)
    session = shown(model)
    question, more = Message.of("user", QUESTIONS[0]), Message.of("user", QUESTIONS[2])
    (said,) = session.ask([question], GREEDY)[0]
    other = session.fork()
    other.extend(question)
    other.extend(said)
    (later,) = other.ask([more], GREEDY)[0]
    whole = model.open([Message.of("user", clip()), question, said.message])
    assert whole.ask([more], GREEDY)[0][0].ids == later.ids
    assert session.ask([question], GREEDY)[0][0].ids == said.ids
    with pytest.raises(UserError, match="begins with a message of the system or the user"):
        model.open([said.message])


def test_sampling_is_the_choosers(opened):
    """Seeds, narrowing, stops and penalties are those of all our models; scores add up to one answer's tokens."""
    model = opened("glm46v")
    session, question = shown(model), Message.of("user", QUESTIONS[0])
    (greedy,) = session.ask([question], GREEDY)[0]
    (one,) = session.ask([question], replace(GREEDY, temperature=1.0, top_k=1))[0]
    assert one.ids == greedy.ids
    drawn = [session.ask([question], replace(GREEDY, temperature=1.0, seed=seed))[0][0].ids for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    text = model.writer.tokenizer.decode(greedy.ids[:3])
    stop = text[1:]
    (cut,) = session.ask([question], replace(GREEDY, stop=(stop,)))[0]
    assert stop not in cut.text and cut.finished and len(cut.ids) <= len(greedy.ids)
    (penalised,) = session.ask([question], replace(GREEDY, repetition_penalty=5.0))[0]
    assert penalised.ids != greedy.ids
    assert not model.writer.media_ids & set(greedy.ids)
    (score,) = session.score([question], [["No"]])[0:1]
    ids = model.writer.answer_ids("No")
    head = model.writer.head([Message.of("user", clip())], model.profile)
    whole = with_tail(head.inputs, [*model.writer.tail(head, QUESTIONS[0]), *ids])
    with torch.inference_mode():
        told = model.module(**whole).logits[0, -len(ids) - 1 : -1].log_softmax(-1)
    assert score[0] == pytest.approx(sum(told[at, i].item() for at, i in enumerate(ids)), abs=1e-4)


def test_a_question_before_the_video_is_asked_alone(opened):
    """A profile that asks first gets the same answer as the processor's own prompt in that order."""
    model = opened("glm46v")
    before, model.profile = model.profile, replace(model.profile, text_first=True)
    try:
        session = shown(model)
        (turn,) = session.ask([Message.of("user", QUESTIONS[0])], GREEDY)[0]
        made = model.writer.whole([Message.of("user", clip())], QUESTIONS[0], model.profile)
        text = model.writer.tokenizer.decode(made["input_ids"][0])
        assert text.index(QUESTIONS[0]) < text.index("seconds")
        out = model.module.generate(**made, max_new_tokens=6, do_sample=False)
        assert list(turn.ids) == out[0, made["input_ids"].shape[1] :].tolist()
    finally:
        model.profile = before


class Forgetful(Runner):
    """A model whose cache is no use for several tokens at once, or for any."""

    def __init__(self, module: Any, for_one: bool) -> None:
        super().__init__(module, "forgetful")
        self.for_one = for_one

    def proceed(self, state: State, ids: Any, one_by_one: bool = False) -> torch.Tensor:
        if (len(ids) > 1 and not one_by_one) or self.for_one:
            lost = self.prefill({"input_ids": torch.tensor([list(ids)])})
            state.last = lost.last
            return lost.last[None]
        return super().proceed(state, ids, one_by_one)


def test_a_cache_that_forgets_is_found_out(opened):
    model = opened("llava_onevision")
    head = model.writer.head([Message.of("user", clip())], model.profile)
    tail = model.writer.tail(head, QUESTIONS[1])
    for for_one, way in ((False, Sharing.STEPWISE), (True, Sharing.ALONE)):
        assert measured_sharing(Forgetful(model.module, for_one), head.inputs, tail) is way


def test_what_a_processor_refuses_is_said_in_its_words(folders):
    """Two videos are more than Molmo2's processor takes; the line names the model."""
    model = open_model(folders("molmo2"))
    with pytest.raises(UserError, match=r"molmo2.*Molmo2Processor refuses.*At most one video"):
        model.open([Message.of("user", clip(), "and then", clip())])
