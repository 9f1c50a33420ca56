"""What a run of a recipe will need: tokens a step, and memory on each GPU.

Not counted: a kernel's own work space, CUDA's context (about half a gigabyte), NCCL's buffers, what the allocator
loses to gaps (a tenth, as a rule of thumb), the decoded frames and the data loader's processes in host memory, and
loading: every process first loads the whole model. `autocast` is counted as if all activations were bfloat16; its
residual stream is float32. Validation is taken to be smaller than a rollout.
"""

from __future__ import annotations

from dataclasses import dataclass

from timeground.models.inputs import PromptInputs
from timeground.models.transcript import Laid

from ..config import RunSettings
from ..data.render import Example
from ..optimizers import make_optimizer
from .dry_run import DryRun, Load
from .memory import ALWAYS, Item, Phase, Sizes, held
from .prompts import Prompts, PromptSize
from .shapes import Shape

EXAMPLE_DURATIONS_S = (30.0, 120.0, 300.0)


@dataclass(frozen=True)
class Step:
    """One step of the optimizer, over all processes; tokens at most, those of prompts once, not once a pass."""

    clips: int
    questions: int
    answers: int
    prompt_tokens: int
    answer_tokens: int
    prompt_passes: int


@dataclass(frozen=True)
class Memory:
    """Bytes that one process needs with answers of some length."""

    answer_tokens: int
    items: tuple[Item, ...]
    with_checkpointing: int
    """Activations at their fullest, with checkpointing."""
    without_checkpointing: int
    """Activations at their fullest, without it."""

    def gpu(self, phase: Phase) -> int:
        """Return what a phase needs."""
        return sum(item.gpu for item in self.items if phase in item.phases)

    @property
    def peak_gpu(self) -> int:
        """Return what the fullest phase needs."""
        return max(self.gpu(phase) for phase in ALWAYS)

    @property
    def peak_host(self) -> int:
        """Return the host memory, by what is offloaded to it."""
        return sum(item.host for item in self.items)


@dataclass(frozen=True)
class Estimate:
    """All that `check` says of a recipe."""

    sizes: Sizes
    prompts: tuple[PromptSize, ...]
    largest: PromptSize
    step: Step
    memory: tuple[Memory, ...]
    """With true answers, and with answers of the greatest length."""


def estimate(settings: RunSettings, shape: Shape, processes: int) -> Estimate:
    """Return the needs of a recipe's run on so many processes."""
    prompts, dry = Prompts(shape, settings.data), DryRun(settings, shape)
    clips, largest = _fullest_batch(settings, prompts)
    true_answer = prompts.true_answer_tokens()
    longest = settings.longest_answer(prompts.profile.max_new_tokens, true_answer)
    lengths = sorted({true_answer, max(true_answer, longest)})
    examples = [dry.with_states(e) for e in prompts.examples(largest.duration_s, settings.data.most_questions)]
    sizes = Sizes.of(dry.model)
    if settings.engine.zero_stage:
        make_optimizer(dry.model, settings.optimizer, settings.engine)  # refuses what a run would refuse
    fixed = held(sizes, settings, processes)
    return Estimate(
        sizes,
        tuple(prompts.size(duration_s) for duration_s in EXAMPLE_DURATIONS_S),
        largest,
        _step(settings, examples, clips, lengths[-1], processes),
        tuple(_memory(settings, dry, examples, clips, length, fixed) for length in lengths),
    )


def _fullest_batch(settings: RunSettings, prompts: Prompts) -> tuple[int, PromptSize]:
    """Return the clips of a micro-batch and their largest prompt; of stages of scenes, those of the fullest."""
    size = settings.videos_per_micro_batch
    if settings.data.synth_seed is None:
        return size, prompts.largest()
    of_stage = [
        (
            settings.micro_batch_size(stage.videos_per_micro_batch),
            prompts.largest(max(high for _, high in stage.durations_s)),
        )
        for stage in settings.data.all_stages
    ]
    return max(of_stage, key=lambda pair: pair[0] * pair[1].tokens)


def _step(settings: RunSettings, examples: list[Example], clips: int, answer_tokens: int, processes: int) -> Step:
    clips *= processes * settings.micro_batches
    questions = clips * settings.data.most_questions
    prompt = sum(e.num_tokens for e in examples)
    answers = questions * settings.answers_a_question
    read = clips * prompt * settings.versions_read
    return Step(clips, questions, answers, read, answers * answer_tokens, settings.prompt_passes)


def _memory(
    settings: RunSettings, dry: DryRun, examples: list[Example], clips: int, length: int, fixed: list[Item]
) -> Memory:
    """Run a rollout and an update with answers of one length. examples: those of one clip."""
    clips *= settings.versions_trained
    group = settings.group_size
    replies = [answered(example, group, length) for example in examples]
    loads = {checkpointing: _update(dry, replies * clips, checkpointing) for checkpointing in (True, False)}
    update, items = loads[settings.model.gradient_checkpointing], list(fixed)
    if settings.model.frozen != "none":
        items.append(_tower_states(examples[0], clips, settings.micro_batches if settings.samples_answers else 0))
    items.append(Item("activations kept for the backward pass", update.kept, phases=("update",)))
    items.append(Item("fullest moment beside them", update.peak - update.kept, phases=("update",)))
    if settings.samples_answers and settings.prompt_passes == 1:
        items += _kept_prompts(dry, examples, clips, settings.micro_batches)
    if settings.samples_answers:
        rollout = dry.rollout(replies[0], group, length)
        items.append(Item("cache of keys and values", rollout.kept, phases=("rollout",)))
        peak = max(rollout.peak, dry.tower(examples[0], False).peak) - rollout.kept
        items.append(Item("fullest moment beside it", peak, phases=("rollout",)))
    return Memory(length, tuple(items), loads[True].peak, loads[False].peak)


def _tower_states(example: Example, clips: int, micro_batches: int) -> Item:
    """Return what a frozen tower made of a micro-batch, or of a step where it is kept from sampling to training."""
    states = example.root.states
    assert states is not None
    kept = clips * max(1, micro_batches)
    size = sum(layer.nbytes for layer in (states.last_NC, *states.deep))
    name = f"states of the vision tower, {kept} clip{'s' if kept > 1 else ''}"
    return Item(name, kept * size, phases=("rollout", "update") if micro_batches else ("update",))


def _kept_prompts(dry: DryRun, examples: list[Example], clips: int, micro_batches: int) -> list[Item]:
    """Return what a step keeps of its prompts until they are trained on: those of later micro-batches too."""
    each = clips * sum(dry.kept_prompt(example) for example in examples)
    name = "prompts kept for the update, {} of the step"
    sampled = Item(name.format("all"), each * micro_batches, phases=("rollout",))
    return [sampled, Item(name.format("the rest"), each * (micro_batches - 1), phases=("update",))]


def _update(dry: DryRun, batch: list[Example], checkpointing: bool) -> Load:
    """Run a micro-batch; a frozen tower works before anything is kept, a trained one keeps its own."""
    load, tower = dry.update(batch, checkpointing), dry.tower(batch[0], checkpointing)
    if dry.settings.model.frozen == "none":
        return load + Load(len(batch) * tower.kept, len(batch) * tower.peak)
    return Load(load.kept, max(load.peak, tower.peak))


def answered(example: Example, group_size: int, length: int) -> Example:
    """Return the example with a group of answers to each question."""
    return example.answered(
        [
            [[Laid(PromptInputs.following([0] * length, question.next_position), is_sampled=True)]] * group_size
            for question in example.questions
        ]
    )
