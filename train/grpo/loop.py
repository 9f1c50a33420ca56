"""The GRPO loop: roll out, reward, update. All of a step follows from its number, so a run resumes exactly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch

from timeground.errors import UserError
from timeground.files.folder_lock import only_run
from timeground.models.served.http import ServerGone
from timeground.stopwatch import Stopwatch

from .. import crashes
from .. import engine as engines
from ..batches import made_ahead
from ..examples import Encoder
from ..journal import Journal
from ..rewards.calling import TrainerState
from ..session import ANEW, Going, Session, set_up
from ..sources import REJECTED, ClipRows, make_source
from ..trackers import make_tracker, require
from ..validate import Validation
from .advantages import spread
from .model import GrpoModel
from .plateau import Plateau
from .reference import make_reference
from .rollout import Rollout, RolloutEngine, Sampler
from .rounds import Rounds
from .scoring import Scored, make_rewards, score
from .settings import GrpoSettings
from .update import Updater


def train(settings: GrpoSettings, going: Going = ANEW) -> None:
    """Run, or go on with, a GRPO run; leaves checkpoints, metrics, curves and the model in `settings.output`."""
    output = Path(settings.output)
    with only_run(output), crashes.told(output / REJECTED):
        Trainer(settings, going).run()


def set_up_run(settings: GrpoSettings, going: Going | None = ANEW) -> Session:
    """The run as it stands. going: how it goes on; None if it does not."""
    return set_up(settings, lambda loaded: GrpoModel(loaded, settings), going)


class Trainer:
    """A GRPO run that is set up."""

    def __init__(self, settings: GrpoSettings, going: Going = ANEW) -> None:
        """Set up rewards, model, engine and data; every mistake of a recipe shows here, before any training."""
        self.settings = settings
        require(settings.tracker)
        self.rewards = make_rewards(settings)
        self.session = session = set_up_run(settings, going)
        self.engine = session.engine
        self.encoder = encoder = Encoder(session.loaded.builder(), session.loaded.family, session.profile)
        self.watch = Stopwatch()
        self.sampler = make_sampler(session, encoder, settings, self.watch)
        self.updater = Updater(self.engine, settings, session.visual_ids, self.sampler.max_new_tokens)
        if settings.loss.kl:
            self.updater.reference = make_reference(session, settings)
        self.size = settings.micro_batches * settings.videos_per_micro_batch
        sampling = session.profile.sampling(session.loaded.family.factor)
        self.source = make_source(settings.data, sampling, self.size, settings.seed, session.output, session.left_out)
        self.rounds = Rounds(settings.refilter, self.source, self.sampler, session) if settings.refilter else None
        self.plateau = Plateau(settings.plateau, session.state.get("plateau")) if settings.plateau else None
        self.validation = Validation(session, settings)

    def run(self) -> None:
        """Train to the last step, or to a plateau."""
        session, settings = self.session, self.settings
        first = session.rank == 0
        tracker = make_tracker(settings.tracker, session.output, first)
        journal = Journal(session.output, session.done, settings.steps, first, tracker)
        ahead = None
        self.validation.catch_up(journal)
        try:
            for step in range(session.done + 1, settings.steps + 1):
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
                if self._step(step, items, journal):
                    break
        finally:
            self.sampler.close()
            journal.close()
        session.export()

    def _ahead(self, done: int) -> Iterator[list[ClipRows]]:
        """This process's clips of each step after `done`."""
        rank, world, last = self.session.rank, self.session.world, self.settings.steps
        numbers = range(done * world + rank, last * world, world)
        make = partial(self.source.made, make=self._encodable)
        return made_ahead(make, numbers, self.settings.data.num_workers)

    def _encodable(self, item: ClipRows) -> ClipRows:
        """The clip, if all of its rows can be asked; whatever it raises otherwise is the rows' own."""
        self.encoder.asked(item)
        return item

    def _step(self, step: int, items: list[ClipRows], journal: Journal) -> bool:
        """One step; whether the run is to stop after it."""
        lr = self.session.set_lr(step)
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
            metrics |= self.updater.update(clips, reward_std, step)
        timings: dict[str, Any] = {f"{name}_s": round(value, 4) for name, value in self.watch.seconds.items()}
        journal.step(step, {**metrics, "lr": lr}, {**timings, "peak_memory_mb": engines.peak_memory_mb()})
        journal.sample(step, scored[0].sample())
        stop = self.plateau is not None and self.plateau.reached(metrics["reward"], metrics["reward_spread"])
        if stop:
            journal.say(f"step {step}: reward and spread have stopped growing; the run ends here")
        self.validation.save_and_validate(step, journal, self._state(), last=stop)
        return stop

    def _state(self) -> dict[str, Any]:
        return {"plateau": self.plateau.state() if self.plateau else None}

    def _weights_to_sample_with(self) -> Any:
        """Under ZeRO-3 whole weights are needed only where the trainer itself samples."""
        return engines.whole_weights(self.engine) if isinstance(self.sampler, Sampler) else nullcontext()

    @contextmanager
    def _served(self, step: int) -> Iterator[None]:
        """What needs the rollout server. If it is gone for one process, all save what the steps so far have learnt."""
        if isinstance(self.sampler, Sampler):
            yield
            return
        gone: ServerGone | None = None
        try:
            yield
        except ServerGone as error:
            gone = error
        told = torch.tensor(int(gone is not None), device=self.engine.device)
        if not int(engines.sum_over_ranks(told)):
            return
        if step > self.session.done + 1:
            self.session.save(step - 1, {**self._state(), "best": self.validation.best}, always=True)
        left = f"the same command goes on from step {step - 1}" if step > 1 else "nothing is learnt yet"
        raise UserError(f"step {step}: {gone or 'another process lost the rollout server'}; {left}")

    def _number(self, step: int, place: int) -> int:
        """Of a clip, in the whole run."""
        return ((step - 1) * self.session.world + self.session.rank) * self.size + place

    def _seed(self, step: int, place: int, attempt: int) -> list[int]:
        return [self.settings.seed, self._number(step, place), attempt]

    def _rolled_out(self, item: ClipRows, step: int, place: int, begun: Callable[[], list[Rollout]]) -> list[Scored]:
        """A clip's rollouts with rewards; one from which nothing can be learnt is replaced a few times."""
        scored: list[Scored] = []
        for attempt in range(self.settings.resample + 1):
            if attempt:  # from numbers that the run itself never reaches
                number = (1 << 40) + (self._number(step, place) << 8) + attempt
                item = self.source.made(number, self._encodable)[0]
                begun = self.sampler.start(item, self._seed(step, place, attempt))
            try:
                rollouts = begun()
                with self.watch.on("reward"):
                    scored = score(rollouts, self.rewards)
            except ServerGone:
                raise
            except UserError as error:
                raise UserError(f"step {step}, rows {', '.join(r.id for r in item.rows)}: {error}") from None
            if not all(s.is_silent for s in scored):
                break
        return scored

    def _summary(self, scored: Sequence[Scored]) -> tuple[dict[str, float], float]:
        """Means over the groups of all processes for the log, and the spread of all rewards of the step."""
        rewards = torch.cat([s.total_QG for s in scored]).double()
        per_group = {
            "reward": rewards.mean(dim=1),
            "reward_spread": spread(rewards),
            "silent_groups": (rewards == rewards[:, :1]).all(dim=1),
            "iou": torch.cat([s.iou_QG for s in scored]).mean(dim=1),
            "parsed": torch.cat([s.parsed_QG for s in scored]).mean(dim=1),
            "unfinished": 1 - torch.cat([s.finished_QG for s in scored]).mean(dim=1),
            "square": rewards.square().mean(dim=1),
        }
        for name in scored[0].each_QG:
            per_group[f"reward/{name}"] = torch.cat([s.each_QG[name] for s in scored]).mean(dim=1)
        sums = torch.stack([v.double().sum() for v in per_group.values()] + [torch.tensor(float(len(rewards)))])
        *totals, groups = engines.sum_over_ranks(sums.to(self.engine.device)).tolist()
        means = {name: total / groups for name, total in zip(per_group, totals, strict=True)}
        answers = groups * rewards.shape[1]
        variance = (means.pop("square") - means["reward"] ** 2) * answers / max(1.0, answers - 1)
        return means, max(0.0, variance) ** 0.5


def make_sampler(session: Session, encoder: Encoder, settings: GrpoSettings, watch: Stopwatch) -> RolloutEngine:
    """The engine that a recipe asks for."""
    if settings.rollout.engine == "local":
        return Sampler(
            session.engine.module, encoder, settings.sampling, watch, keep_prefix=settings.rollout.keep_prefix
        )
    from .vllm_sampler import VllmSampler
    from .weights import Weights

    return VllmSampler(Weights(session, settings), encoder, settings, watch)
