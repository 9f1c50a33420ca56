"""A tree of questions, answers, tool results with frames and answers below them is what its rows written out are."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows, Encoder, Example, Node
from timeground.train.grpo.model import GrpoModel

from tests.conftest import noise_clip
from tests.support.runs import grpo_settings
from tests.support.tiny_models import encoder_for
from tests.support.written_out import answer_logprobs, close, equal_gradients
from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.chat.trajectory import Turn
from timeground.data.rows import Row
from timeground.models.inputs import PromptInputs
from timeground.models.loading import Loaded, load
from timeground.models.local.prefix_cache import PrefixCache
from timeground.models.transcript import Transcript
from timeground.spans import Span

ENCODINGS = {"qwen3": TimeEncoding.NATIVE, "qwen3_5": TimeEncoding.NATIVE, "qwen2_5": TimeEncoding.MROPE}
QUERIES = ("the red circle moves left", "it turns")


def encoder_of(loaded: Loaded, family: str) -> Encoder:
    profile = Profile(prompt="short", time_encoding=ENCODINGS[family], max_new_tokens=7)
    return encoder_for(loaded, profile)


def three_levels(encoder: Encoder, seed: int) -> Example:
    """A video, two questions, two answers to each, a look at other frames after each, two answers after each look."""
    rng, side, numbers = np.random.default_rng(seed), 2 * encoder.family.factor, iter(range(100))
    rows = [Row(id=q, video="v.mp4", duration=5.0, query=q, spans=[Span(1, 2)]) for q in QUERIES]
    ((example, _),) = encoder.asked(ClipRows(noise_clip(4 + 2 * seed, side, side, seed=seed), rows))
    nodes = [example.root]

    def add(turn: Turn | Message, transcript: Transcript, parent: int) -> tuple[Transcript, int]:
        other, number = copy.copy(transcript), next(numbers)
        for piece in other.add(turn):
            if len(piece.inputs):
                nodes.append(Node.of(piece, parent, number))
                parent = len(nodes) - 1
        return other, parent

    def sampled() -> Turn:
        ids = rng.integers(20, 300, rng.integers(1, 8)).tolist()
        return Turn(Message.of("assistant", ""), (*ids, *([encoder.builder.end_id] if rng.random() < 0.5 else [])))

    for question in example.questions:
        nodes.append(Node(question, 0))
        begun, asked = Transcript(encoder.builder, encoder.profile).answering(question), len(nodes) - 1
        for _ in range(2):
            said, answer = add(sampled(), begun, asked)
            look = Message.of("tool", "Look: ", noise_clip(2 + 2 * int(rng.integers(2)), side, side, 9), " Now?")
            seen, result = add(look, said, answer)
            for _ in range(2):
                add(sampled(), seen, result)
    used = sorted({node.answer for node in nodes} - {None})
    renumbered = [n if n.answer is None else replace(n, answer=used.index(n.answer)) for n in nodes]
    return replace(example, nodes=tuple(renumbered))


@pytest.mark.parametrize("family", ["qwen3", "qwen3_5", "qwen2_5"])
@pytest.mark.parametrize("how", ["tower trained", "tower frozen", "states kept", "prompt kept"])
def test_a_tree_of_three_levels_equals_its_rows_written_out(family, how, request):
    from transformers import AutoModelForImageTextToText

    path = request.getfixturevalue(f"{family}_folder")
    loaded = load(path)
    reference = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32)
    policy = GrpoModel(loaded, grpo_settings(model={"init": "tiny", "frozen": "none" if "trained" in how else "tower"}))
    encoder = encoder_of(loaded, family)
    examples = [three_levels(encoder, seed) for seed in (0, 1)]
    if how == "states kept":
        examples = [e.with_root(states=policy.tower_states(e.root)) for e in examples]
    if how == "prompt kept":
        kept = [PrefixCache(policy.model, e.prompt, policy.features([e.root]), keep=True).kept for e in examples]
        examples = [replace(e, prefix=prefix) for e, prefix in zip(examples, kept, strict=True)]
    batch = pack(examples, loaded.checkpoint.family.visual_ids)
    assert batch.num_answers == 2 * (2 * 2 + 2 * 2 * 2)
    weights = torch.randn(batch.num_answers, generator=torch.Generator().manual_seed(2))
    ours, _ = policy(batch)
    (ours * weights[batch.answers_N]).mean().backward()

    parts = [part for example in examples for part in answer_logprobs(reference, loaded, example)]
    theirs = torch.cat([logprobs for _, logprobs in parts])
    close(ours, theirs)
    (theirs * weights[batch.answers_N]).mean().backward()
    rounding = {"rtol": 1e-4, "atol": 5e-6} if family == "qwen3_5" else {}  # in float64 they agree to 1e-6
    equal_gradients(loaded.model, reference, **rounding)


def test_only_what_was_sampled_is_a_target(qwen3_folder):
    loaded = load(qwen3_folder)
    example = three_levels(encoder_of(loaded, "qwen3"), 0)
    batch = pack([example, example], loaded.checkpoint.family.visual_ids)
    sampled = [node for node in example.nodes if node.answer is not None]
    tokens = [(i, node.answer) for node in sampled for i in node.inputs.ids_L.tolist()]
    assert batch.targets_N.tolist() == [i for i, _ in tokens] * 2
    assert batch.answers_N.tolist() == [a + first for first in (0, 12) for _, a in tokens]
    suffix = batch.ids_BL[:, len(example.prompt) :].flatten()
    before = [example.nodes[node.parent].inputs.ids_L[-1] for node in sampled]
    firsts = np.cumsum([0, *(len(node.inputs) for node in sampled[:-1])])
    assert suffix[batch.predictors_N[firsts]].tolist() == before


def test_what_is_no_tree_is_refused(qwen3_folder):
    example = three_levels(encoder_of(load(qwen3_folder), "qwen3"), 0)
    root, question, *_ = example.nodes
    for nodes, reason in (
        ((root, replace(question, parent=1)), "below node 1"),
        ((root, root), "below node None"),
        ((root, replace(question, answer=0)), "no question"),
        ((root, replace(question, inputs=PromptInputs.following([], 3))), "no tokens"),
    ):
        with pytest.raises(ValueError, match=reason):
            Example(nodes)
