"""Answers from one prefix of any model: its cache is filled once, and each question goes on from it as it was.

Nothing is assumed of a model's cache: `measured_sharing` compares what comes out with a pass over the whole prompt.

Shape legend: L tokens of the prefix, S tokens behind it, V vocabulary.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from timeground.errors import UserError
from timeground.models.sampling import Sampled, SampleSpec, TokenChooser


class Sharing(StrEnum):
    """How questions share a prefix."""

    CROPPED = "one prefix: its cache is cut back after each answer"
    COPIED = "one prefix: a copy of its cache for each answer"
    STEPWISE = "one prefix: a copy of its cache for each answer, questions read token by token"
    ALONE = "one at a time: the model's cache cannot go on with several tokens"


class Runner:
    """Runs a model's forward pass: over a prompt with its pictures, and over what follows."""

    def __init__(self, module: Any, name: str) -> None:
        module = getattr(module, "thinker", module)  # what answers in models that also speak
        self.module, self.name = module, name
        self.takes = frozenset(inspect.signature(module.forward).parameters)
        self.device = next(module.parameters()).device
        self.dtype = next(module.parameters()).dtype
        self.counting = [part for part in module.modules() if hasattr(part, "rope_deltas")]

    def prefill(self, inputs: dict[str, Any]) -> State:
        """Return the state after a prompt. inputs: as its processor makes them, ``[1, L]`` and pixels."""
        for part in self.counting:
            part.rope_deltas = None
        given = {key: self._moved(value) for key, value in inputs.items()}
        if "logits_to_keep" in self.takes:
            given["logits_to_keep"] = 1
        out = self._forward(given)
        return State(out.past_key_values, out.logits[0, -1], inputs["input_ids"].shape[1], self._deltas())

    def proceed(self, state: State, ids: Sequence[int], one_by_one: bool = False) -> Tensor:
        """Let tokens follow in a state, which is changed. Return the logits after each of them, ``[S, V]``."""
        for part, delta in zip(self.counting, state.deltas, strict=True):
            part.rope_deltas = delta
        pieces = [[i] for i in ids] if one_by_one else [list(ids)]
        found = []
        for piece in pieces:
            given = {"input_ids": torch.tensor([piece], device=self.device), "past_key_values": state.cache}
            found.append(self._forward(given).logits[0])
            state.length += len(piece)
        logits_SV = torch.cat(found)
        state.last = logits_SV[-1]
        return logits_SV

    def _forward(self, given: dict[str, Any]) -> Any:
        try:
            return self.module(**given, use_cache=True, return_dict=True)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a model of anybody's fails in ways of its own
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise UserError(f"{self.name}: {type(self.module).__name__} refuses its input: {reason}") from error

    def _moved(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        is_picture = value.is_floating_point() and value.ndim > 1  # seconds are kept as they are
        return value.to(self.device, self.dtype if is_picture else None)

    def _deltas(self) -> list[Any]:
        return [part.rope_deltas for part in self.counting]


class State:
    """A model's memory after some tokens."""

    def __init__(self, cache: Any, last: Tensor, length: int, deltas: list[Any]) -> None:
        self.cache, self.last, self.length, self.deltas = cache, last, length, deltas

    def copied(self) -> State:
        """Return another that goes on apart from this one."""
        return State(copy.deepcopy(self.cache), self.last, self.length, self.deltas)

    @property
    def can_be_cropped(self) -> bool:
        """Return whether every layer keeps plain keys and values of all tokens, of which the last can be dropped."""
        layers = getattr(self.cache, "layers", None)
        return bool(layers) and all(type(layer).__name__ == "DynamicLayer" for layer in layers or ())

    @property
    def size_bytes(self) -> int:
        """Return how much memory its tensors take."""
        layers = getattr(self.cache, "layers", None) or ()
        held = [value for layer in layers for value in vars(layer).values()]
        flat = [v for value in held for v in (value if isinstance(value, (list, tuple)) else [value])]
        return sum(value.nbytes for value in flat if isinstance(value, Tensor))


class SharedPrefix:
    """A filled cache, to be continued any number of times."""

    def __init__(self, runner: Runner, inputs: dict[str, Any], sharing: Sharing) -> None:
        self.runner, self.inputs, self.sharing = runner, inputs, sharing
        self.ids: list[int] = inputs["input_ids"][0].tolist()
        self.state: State | None = None
        if sharing is not Sharing.ALONE:
            with torch.inference_mode():
                self.state = runner.prefill(inputs)

    @property
    def size_bytes(self) -> int:
        """Return how much memory is held."""
        return self.state.size_bytes if self.state is not None else 0

    def answer(
        self, tail: Sequence[int], spec: SampleSpec, ends: Sequence[int], barred: Sequence[int], decode: Any
    ) -> list[Sampled]:
        """Return `spec.num_answers` answers to a question. ends: tokens that end one. barred: never sampled."""
        generator = torch.Generator(self.runner.device).manual_seed(spec.seed)
        with torch.inference_mode(), self._asked(tail) as asked:
            inside = [i for i in barred if i < len(asked.last)]  # some have tokens of media that have no logit
            chooser, found = TokenChooser(spec, inside, generator), []
            for left in range(spec.num_answers, 0, -1):
                with self._forked(asked, is_last=left == 1) as state:
                    found.append(self._answer(state, tail, chooser, frozenset(ends), decode))
            return found

    def score(self, tail: Sequence[int], options: Sequence[Sequence[int]]) -> list[float]:
        """Return the log-probability of each option's tokens as the answer to a question."""
        scores = []
        with torch.inference_mode(), self._asked(tail) as asked:
            for number, option in enumerate(options):
                with self._forked(asked, is_last=number == len(options) - 1) as state:
                    logits = [state.last[None]]
                    if len(option) > 1:
                        logits.append(self.runner.proceed(state, option[:-1], self._one_by_one))
                    told = torch.cat(logits).float().log_softmax(-1)
                    wanted = torch.tensor(list(option), device=told.device)
                    scores.append(float(told.gather(1, wanted[:, None]).sum()))
        return scores

    def _answer(
        self, state: State, tail: Sequence[int], chooser: TokenChooser, ends: frozenset[int], decode: Any
    ) -> Sampled:
        spec, answer = chooser.spec, Sampled([], [])
        assert spec.max_new_tokens is not None
        while True:
            history = [[*self.ids, *tail, *answer.ids]] if spec.repetition_penalty != 1 else []
            (token,), (logprob,) = chooser.choose(state.last[None].clone(), history)
            answer.ids.append(token)
            answer.logprobs.append(logprob)
            if spec.stop and spec.cut(text := decode(answer.ids)) != text:
                answer.stopped = True
            if answer.stopped or token in ends or len(answer.ids) >= spec.max_new_tokens:
                return answer
            self.runner.proceed(state, [token])

    @contextmanager
    def _asked(self, tail: Sequence[int]) -> Iterator[State]:
        """Give the state after a question; the prefix stays as it is."""
        if self.state is None:
            yield self.runner.prefill(with_tail(self.inputs, tail))
            return
        with self._forked(self.state, is_last=False) as state:
            self.runner.proceed(state, tail, self._one_by_one)
            yield state

    @contextmanager
    def _forked(self, state: State, is_last: bool) -> Iterator[State]:
        """Give a state that may be changed. is_last: `state` itself is not needed again."""
        if is_last:
            yield state
        elif self.sharing is Sharing.CROPPED:
            length, last = state.length, state.last
            try:
                yield state
            finally:
                if state.length > length:
                    state.cache.crop(length - state.length)
                state.length, state.last = length, last
        else:
            yield state.copied()

    @property
    def _one_by_one(self) -> bool:
        return self.sharing is Sharing.STEPWISE


def with_tail(inputs: dict[str, Any], tail: Sequence[int]) -> dict[str, Any]:
    """Return a prompt's inputs with text behind it, in one piece."""
    ids_1L = inputs["input_ids"]
    more = torch.tensor([list(tail)], dtype=ids_1L.dtype)
    found = dict(inputs)
    for key, value in inputs.items():
        if isinstance(value, Tensor) and value.shape == ids_1L.shape:
            filled = more if key == "input_ids" else torch.full_like(more, 1 if key == "attention_mask" else 0)
            found[key] = torch.cat([value, filled.to(value.dtype)], dim=1)
    return found


def measured_sharing(runner: Runner, inputs: dict[str, Any], tail: Sequence[int]) -> Sharing:
    """Return how a prefix can be shared: the first way whose logits are those of one pass over the whole prompt."""
    with torch.inference_mode():
        whole = runner.prefill(with_tail(inputs, tail)).last.float().log_softmax(-1)
        likely = whole.topk(min(20, len(whole))).indices
        start = runner.prefill(inputs)
        ways = (Sharing.CROPPED if start.can_be_cropped else Sharing.COPIED, Sharing.STEPWISE)
        for way in ways:
            state = start.copied()
            runner.proceed(state, tail, one_by_one=way is Sharing.STEPWISE)
            told = state.last.float().log_softmax(-1)
            if (told - whole)[likely].abs().max() <= _tolerance(runner.dtype):
                return way
    return Sharing.ALONE


def _tolerance(dtype: torch.dtype) -> float:
    """Return what log-probabilities may differ by rounding alone."""
    return 1e-4 if dtype in (torch.float32, torch.float64) else 0.25
