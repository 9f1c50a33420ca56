"""A step of GRPO on trajectories that look again: an answer, a tool's result with frames, another answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from deepspeed.utils import safe_get_full_grad
from timeground.train.config import load_any_recipe
from timeground.train.data.batches import pack
from timeground.train.data.render import ClipRows
from timeground.train.grpo.advantages import advantages
from timeground.train.grpo.scoring import Scored
from timeground.train.grpo.trainer import Trainer, set_up_run
from timeground.train.phases import prepare, start_of
from timeground.train.runtime.distributed import init_distributed
from timeground.train.runtime.journal import Journal
from timeground.train.runtime.run import ANEW, Run

from tests.conftest import noise_clip
from tests.support.runs import SMALL, lines
from tests.support.tiny_models import encoder_for
from tests.support.written_out import answer_logprobs
from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message, Text
from timeground.chat.profile import Profile
from timeground.chat.prompts import row_prompt
from timeground.chat.trajectory import Trajectory, Turn
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.methods.base import Method, Outcome
from timeground.models.loading import load
from timeground.models.sampling import SampleSpec
from timeground.scoring import parse

ASKED_AGAIN = " When is it, then?"


class Looker(Method):
    """Answers, is shown every second frame again by a tool, and answers once more; every third time it does not."""

    name = "looker"

    def answers(self, rows: Sequence[Row], spec: SampleSpec | None = None) -> list[list[Outcome]]:
        shown = Message.of("user", self.clip)
        questions = [Message.of("user", row_prompt(self.prompts, row)) for row in rows]
        groups = self.model.open([shown]).ask(questions, spec)
        return [
            [self._looked(row, shown, question, first, q + 7 * a, spec) for a, first in enumerate(group)]
            for q, (row, question, group) in enumerate(zip(rows, questions, groups, strict=True))
        ]

    def _looked(self, row: Row, shown: Message, question: Message, first: Turn, seed: int, spec: SampleSpec) -> Outcome:
        turns = [Turn(shown, is_sampled=False), Turn(question, is_sampled=False), first]
        if seed % 3:
            session = self.model.open([shown])
            session.extend(question)
            session.extend(first)
            look = Message.of("tool", "Look again: ", self.clip.thinned())
            session.extend(look)
            ((second,),) = session.ask([Message.of("tool", ASKED_AGAIN)], replace(spec, num_answers=1, seed=seed))
            turns += [Turn(Message("tool", (*look.parts, Text(ASKED_AGAIN))), is_sampled=False), second]
        said = Trajectory(tuple(turns), "answered" if turns[-1].finished else "cut")
        return Outcome(parse(turns[-1].text, row), trajectories=(said,))


def set_up(output: Path, keep_prefix: bool) -> Run:
    changes = ["model.init=tiny", "model.fresh=null", "steps=1", "engine.precision=float32", "sampling.group_size=3"]
    words = [*(w for w in SMALL if not w.startswith(("model.init", "model.fresh", "model.profile"))), *changes]
    recipe = load_any_recipe("tiny-grpo", [*words, f"rollout.keep_prefix={keep_prefix}", f"output={output}"])
    init_distributed()
    prepare(recipe, ANEW, 1)
    return set_up_run(recipe.phases[0], ANEW, start_of(recipe, recipe.phases[0]))


@dataclass
class Step:
    """What was rolled out in a step, the trainer's log-probabilities before its update, and the update's gradients."""

    scored: list[Scored] = field(default_factory=list)
    logprobs: list[torch.Tensor] = field(default_factory=list)
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)


def take_step(run: Run) -> Step:
    trainer, noted = Trainer(run), Step()
    engine, trainer.sampler.method = run.engine, Looker
    update, engine_step = trainer.updater.update, engine.step

    def noted_update(clips, *args):
        noted.scored += [scored for clip in clips for scored in clip]
        with torch.no_grad():
            noted.logprobs += [engine.module(pack(s.rollout.examples, run.visual_ids))[0] for s in noted.scored]
        return update(clips, *args)

    def noted_step() -> None:
        if engine.is_gradient_accumulation_boundary():
            named = ((n, p) for n, p in engine.module.model.named_parameters() if p.requires_grad)
            noted.gradients.update({n: safe_get_full_grad(p).clone() for n, p in named})
        engine_step()

    trainer.updater.update, engine.step = noted_update, noted_step
    journal = Journal(run.output, 1, True)
    journal.begin("", 0, 0)
    trainer.train(journal)
    journal.close()
    return noted


@pytest.mark.parametrize("keep_prefix", [False, True])
def test_an_update_on_trajectories_of_several_turns(keep_prefix, tmp_path):
    """It is that on each trajectory as a plain row, of which all that was sampled has the trajectory's advantage."""
    from transformers import AutoModelForImageTextToText

    run = set_up(tmp_path, keep_prefix)
    reference = AutoModelForImageTextToText.from_pretrained(run.loaded.checkpoint.path, dtype=torch.float32)
    step = take_step(run)
    rollouts = [s.rollout for s in step.scored]
    turns = {len(answer.turns) for r in rollouts for group in r.answers for answer in group}
    assert turns == {3, 5} and all((e.prefix is not None) == keep_prefix for r in rollouts for e in r.examples)

    loss, count = torch.zeros(()), sum(len(logprobs) for logprobs in step.logprobs)
    for scored, ours in zip(step.scored, step.logprobs, strict=True):
        answers = [answer for group in scored.rollout.answers for answer in group]
        sampled = [(n, turn) for n, answer in enumerate(answers) for turn in answer.turns if turn.is_sampled]
        parts = answer_logprobs(reference, run.loaded, *scored.rollout.examples)
        assert [n for n, _ in parts] == [n for n, _ in sampled]
        assert [len(part) for _, part in parts] == [len(turn.ids) for _, turn in sampled]
        theirs = torch.cat([part for _, part in parts])
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)  # the trained model's logits have steps of 2e-6
        told = torch.tensor([x for _, turn in sampled for x in turn.logprobs])
        torch.testing.assert_close(told, ours, atol=5e-5, rtol=0)
        earned = advantages(scored.total_QG, "group").flatten()
        loss = loss - sum(part.sum() * earned[n] for n, part in parts) / count
    loss.backward()
    expected = dict(reference.named_parameters())
    assert any("merger" in name for name in step.gradients)
    for name, gradient in step.gradients.items():
        theirs = expected[name].grad
        assert (gradient - theirs).norm() <= 1e-5 * theirs.norm(), name
    (metrics,) = lines(tmp_path)
    assert metrics["logprob_gap_max"] < 5e-5 and metrics["reward_spread"] > 0
    assert metrics["answer_tokens"] == pytest.approx(count / sum(s.total_QG.numel() for s in step.scored))


def test_answers_whose_tokens_are_not_known_are_refused(qwen3_folder):
    loaded = load(qwen3_folder)
    encoder = encoder_for(loaded, Profile(prompt="short", time_encoding=TimeEncoding.NATIVE))
    row = Row(id="q", video="v.mp4", duration=5.0, query="it turns", spans=[])
    ((example, _),) = encoder.asked(ClipRows(noise_clip(4, 64, 64), [row]))
    given = Turn(Message.of("tool", "nothing"), is_sampled=False)
    for turns, reason in (
        ((Turn.failed("it sent no JSON"),), "without its tokens cannot be trained on .'it sent no JSON'"),
        ((given,), "nothing was sampled"),
    ):
        with pytest.raises(UserError, match=reason):
            encoder.answered(example, [[Trajectory(turns)]])
    said = Turn(Message.of("assistant", "1"), (5, 6))
    nodes = encoder.answered(example, [[Trajectory((said, given)), Trajectory((given, said))]]).nodes
    assert [node.answer for node in nodes] == [None, None, 0, None, None, 1]  # what comes after it is left out
