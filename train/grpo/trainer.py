"""The GRPO loop: roll out, reward, update. All of a step follows from its number, so a run resumes exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor

from timeground.errors import UserError
from timeground.methods import load_method
from timeground.models.served.http import ServerGone
from timeground.stopwatch import Stopwatch

from ..config import GrpoSettings, Phase
from ..data.batches import made_ahead
from ..data.render import ClipRows, Encoder
from ..data.scenes import spare_number
from ..data.sources import make_source
from ..rewards.trl import TrainerState
from ..rollout.engine import Rollout, RolloutEngine
from ..rollout.local import Sampler
from ..runtime import memory
from ..runtime.distributed import sum_over_ranks
from ..runtime.journal import Journal
from ..runtime.run import Going, Run, set_up
from ..validate import Validation
from .advantages import spread
from .curriculum import Plateau, Rounds
from .model import GrpoModel, make_reference
from .scoring import Scored, make_rewards, score
from .update import Updater


def check(settings: GrpoSettings) -> None:
    """Raise UserError for rewards that there are not, or that need what the run does not give them."""
    make_rewards(settings)


def set_up_run(phase: Phase, going: Going | None, start: str) -> Run:
    """Return a phase as it stands. going: how it goes on; None if it does not."""
    settings = phase.settings
    assert isinstance(settings, GrpoSettings)
    return set_up(phase, lambda loaded: GrpoModel(loaded, settings), going, start)


def train(run: Run, journal: Journal) -> dict[str, Any]:
    """Train to the last step of a phase, or to a plateau; return what the next one is to know."""
    return Trainer(run).train(journal)


class Trainer:
    """A GRPO run that is set up."""

    def __init__(self, run: Run) -> None:
        """Make rewards, sampler, data and what updates the policy."""
        settings = run.settings
        assert isinstance(settings, GrpoSettings)
        self.run, self.settings, self.engine = run, settings, run.engine
        self.rewards = make_rewards(settings)
        checkpoint = run.loaded.checkpoint
        self.encoder = encoder = Encoder(checkpoint.builder, checkpoint.family, checkpoint.profile)
        self.watch = Stopwatch()
        self.sampler = make_sampler(run, encoder, settings, self.watch)
        reference = make_reference(run, settings) if settings.loss.kl else None
        self.updater = Updater(run, settings, self.sampler.max_new_tokens, reference)
        self.size = settings.micro_batches * settings.videos_per_micro_batch
        self.source = make_source(
            settings.data, checkpoint.sampling, self.size, settings.seed, run.output, run.left_out
        )
        self.rounds = Rounds(settings.refilter, self.source, self.sampler, run) if settings.refilter else None
        self.plateau = Plateau(settings.plateau, run.state.get("plateau")) if settings.plateau else None
        self.validation = Validation(run)

    def train(self, journal: Journal) -> dict[str, Any]:
        """Train to the last step, or to a plateau; return what the next phase is to know."""
        ahead = None
        self.validation.catch_up(journal)
        try:
            for step in range(self.run.done + 1, self.settings.steps + 1):
                if self.plateau is not None and self.plateau.is_reached:
                    break
                self.watch.seconds.clear()
                with self._served(step), self.watch.on("weights"):
                    self.sampler.refresh()
                if ahead is None or (self.rounds is not None and self.rounds.begins(step)):
                    if self.rounds is not None:
                        with self._served(step):
                            self.rounds.use(step)
                    ahead = self._ahead(step - 1)
                with self.watch.on("waited_for_data"):
                    items = next(ahead)
                self._step(step, items, journal)
        finally:
            self.sampler.close()
        return {"best": self.validation.best}

    def _ahead(self, done: int) -> Iterator[list[ClipRows]]:
        """Yield this process's clips of each step after `done`."""
        rank, world, last = self.run.rank, self.run.world, self.settings.steps
        numbers = range(done * world + rank, last * world, world)
        make = partial(self.source.made, make=self._encodable)
        return made_ahead(make, numbers, self.settings.data.num_workers)

    def _encodable(self, item: ClipRows) -> ClipRows:
        """Return the clip, if all of its rows can be asked; whatever it raises otherwise is the rows' own."""
        self.encoder.asked(item)
        return item

    def _step(self, step: int, items: list[ClipRows], journal: Journal) -> None:
        """Take one step."""
        lr = self.run.set_lr(step)
        self.rewards.trainer.state = TrainerState(step - 1, self.settings.steps)
        clips: list[list[Scored]] = []
        with self._served(step), self.watch.on("rollout"), self._weights_to_sample_with():
            self.engine.eval()
            first = [self.sampler.start(item, self._seed(step, place, 0)) for place, item in enumerate(items)]
            clips += [self._rolled_out(item, step, place, first[place]) for place, item in enumerate(items)]
            self.engine.train()
        scored = [s for clip in clips for s in clip]
        metrics, reward_std = self._summary(scored)
        metrics |= self.rewards.trainer.means()
        with self.watch.on("update"):
            metrics |= self.updater.update(clips, reward_std, self.run.number(step))
        timings: dict[str, Any] = {f"{name}_s": round(value, 4) for name, value in self.watch.seconds.items()}
        journal.step(step, {**metrics, "lr": lr}, {**timings, "peak_memory_mb": memory.peak_memory_mb()})
        journal.sample(step, scored[0].sample())
        stop = self.plateau is not None and self.plateau.reached(metrics["reward"], metrics["reward_spread"])
        if stop:
            journal.say(f"step {self.run.number(step)}: reward and spread have stopped growing; training ends here")
        self.validation.save_and_validate(step, journal, self._state(), last=stop)

    def _state(self) -> dict[str, Any]:
        return {"plateau": self.plateau.state() if self.plateau else None}

    def _weights_to_sample_with(self) -> Any:
        """Return a context with whole weights, needed under ZeRO-3 only where the trainer itself samples."""
        return memory.whole_weights(self.engine) if self.sampler.is_local else nullcontext()

    @contextmanager
    def _served(self, step: int) -> Iterator[None]:
        """Run what needs the rollout server. If one process finds it gone, all save what has been learnt."""
        if self.sampler.is_local:
            yield
            return
        gone: ServerGone | None = None
        try:
            yield
        except ServerGone as error:
            gone = error
        told = torch.tensor(int(gone is not None), device=self.engine.device)
        if not int(sum_over_ranks(told)):
            return
        if step > self.run.done + 1:
            self.run.save(step - 1, {**self._state(), "best": self.validation.best}, always=True)
        number = self.run.number(step)
        left = f"the same command goes on from step {number - 1}" if number > 1 else "nothing is learnt yet"
        raise UserError(f"step {number}: {gone or 'another process lost the rollout server'}; {left}")

    def _number(self, step: int, place: int) -> int:
        """Return a clip's number in the whole run."""
        return ((step - 1) * self.run.world + self.run.rank) * self.size + place

    def _seed(self, step: int, place: int, attempt: int) -> list[int]:
        return [self.settings.seed, self._number(step, place), attempt]

    def _rolled_out(self, item: ClipRows, step: int, place: int, begun: Callable[[], list[Rollout]]) -> list[Scored]:
        """Return a clip's rollouts with rewards; one from which nothing can be learnt is replaced a few times."""
        scored: list[Scored] = []
        for attempt in range(self.settings.resample + 1):
            if attempt:
                spare = spare_number(self._number(step, place), attempt)
                item = self.source.made(spare, self._encodable)[0]
                begun = self.sampler.start(item, self._seed(step, place, attempt))
            try:
                rollouts = begun()
                with self.watch.on("reward"):
                    scored = score(rollouts, self.rewards)
            except ServerGone:
                raise
            except UserError as error:
                raise UserError(
                    f"step {self.run.number(step)}, rows {', '.join(r.id for r in item.rows)}: {error}"
                ) from None
            if not all(s.is_silent for s in scored):
                break
        return scored

    def _summary(self, scored: Sequence[Scored]) -> tuple[dict[str, float], float]:
        """Return means over the groups of all processes for the log, and the spread of all rewards of the step."""
        per_group = _per_group(scored)
        sums = torch.stack([torch.stack([v.nansum(), (~v.isnan()).sum()]) for v in per_group.values()])
        totals = dict(zip(per_group, sum_over_ranks(sums.to(self.engine.device)).tolist(), strict=True))
        means = {name: total / groups for name, (total, groups) in totals.items() if groups}
        answers = totals["reward"][1] * scored[0].total_QG.shape[1]
        variance = (means.pop("square") - means["reward"] ** 2) * answers / max(1.0, answers - 1)
        return means, max(0.0, variance) ** 0.5


def _per_group(scored: Sequence[Scored]) -> dict[str, Tensor]:
    """Return what is logged of each group of this process, ``[groups]``; NaN where a reward does not count."""
    rewards = torch.cat([s.total_QG for s in scored]).double()
    found = {
        "reward": rewards.mean(dim=1),
        "reward_spread": spread(rewards),
        "silent_groups": (rewards == rewards[:, :1]).all(dim=1),
        "iou": torch.cat([s.iou_QG for s in scored]).mean(dim=1),
        "parsed": torch.cat([s.parsed_QG for s in scored]).mean(dim=1),
        "unfinished": 1 - torch.cat([s.finished_QG for s in scored]).mean(dim=1),
        "square": rewards.square().mean(dim=1),
    }
    for name in scored[0].each_QG:
        means = torch.cat([s.each_QG[name].mean(dim=1) for s in scored])
        found[f"reward/{name}"] = means.where(torch.cat([s.counts_Q[name] for s in scored]), torch.nan)
    return {name: values.double() for name, values in found.items()}


def make_sampler(run: Run, encoder: Encoder, settings: GrpoSettings, watch: Stopwatch) -> RolloutEngine:
    """Return the engine that a recipe asks for."""
    if settings.rollout.engine == "local":
        keep = settings.rollout.keep_prefix
        method = load_method(settings.method)
        return Sampler(run.engine.module, encoder, settings.sampling, watch, keep, settings.contrasts, method)
    from ..rollout.served import VllmSampler
    from ..rollout.weights import Weights

    return VllmSampler(Weights(run, settings), encoder, settings, watch)
