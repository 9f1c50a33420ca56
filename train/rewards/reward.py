"""What a reward is: ``reward(trajectory, row, *, group, contrasts, **options) -> float``, of what it names.

It takes only the arguments that it names, by keyword:

* ``trajectory``: the answer to score; its ``text`` is what was said last.
* ``row``: the data row that was asked.
* ``group``: all answers to the same question, this one among them.
* ``contrasts``: what is known of changed clips, see `Contrasts`.
* every other keyword is an option with a default, which recipes may set.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from timeground.chat.trajectory import Trajectory
from timeground.data.row_checks import shown
from timeground.data.rows import Row
from timeground.errors import UserError

NonNegative = Annotated[float, Field(ge=0)]
FINITE = ConfigDict(allow_inf_nan=False)
GIVEN = ("trajectory", "row", "group", "contrasts")
"""What a reward may name beside its options."""
RewardFunction = TypeVar("RewardFunction", bound=Callable[..., float])


@dataclass(frozen=True)
class Contrasts:
    """What a reward may know of changed clips (see ``train/rollout/contrasts.py``)."""

    answers: Mapping[str, Sequence[Trajectory]] = field(default_factory=dict)
    """Answers to the same question about changed clips, by the contrast's name."""
    shown: str = ""
    """The contrast whose clip the trajectory answers; "" for the clip as it is."""
    has_truth: bool = True
    """Whether the row's spans and answer are true of the clip that was shown. Being right counts nowhere else."""


AS_IT_IS = Contrasts()
"""The clip as it is, and nothing known of changed ones."""


@dataclass(frozen=True)
class Question:
    """A question about a clip with the group of answers to it."""

    row: Row
    group: Sequence[Trajectory]
    contrasts: Contrasts = AS_IT_IS
    prompt: str = ""
    """The text that was asked."""


def needs_contrast(*names: str) -> Callable[[RewardFunction], RewardFunction]:
    """Declare that a reward compares with one of these contrasts; a recipe without any is refused."""

    def declared(function: RewardFunction) -> RewardFunction:
        function.contrasts = names  # type: ignore[attr-defined]
        return function

    return declared


class Reward:
    """A reward function with the options of a recipe."""

    def __init__(self, function: Callable[..., float], options: Mapping[str, Any] | None = None) -> None:
        """Check the options. Raise UserError for a name that is not known, or a value that cannot be taken."""
        self.function, self.name = function, function.__name__
        self.contrasts: tuple[str, ...] = getattr(function, "contrasts", ())
        named = list(inspect.signature(function).parameters)
        self.takes = [name for name in named if name in GIVEN]
        self.known = [name for name in named if name not in GIVEN]
        self.options = {name: self._checked(name, value) for name, value in (options or {}).items()}

    def __call__(
        self, trajectory: Trajectory, row: Row, *, group: Sequence[Trajectory] = (), contrasts: Contrasts = AS_IT_IS
    ) -> float:
        """Return what one answer earns."""
        given = {"trajectory": trajectory, "row": row, "group": group or (trajectory,), "contrasts": contrasts}
        return float(self.function(**{name: given[name] for name in self.takes}, **self.options))

    def scores(self, questions: Sequence[Question]) -> list[float]:
        """Return what each answer of several questions earns, question by question."""
        return [
            self(trajectory, question.row, group=question.group, contrasts=question.contrasts)
            for question in questions
            for trajectory in question.group
        ]

    def check(self, contrasts: Sequence[str]) -> None:
        """Raise UserError, before a run begins, if it compares with a contrast that is not asked for."""
        if self.contrasts and not set(self.contrasts) & set(contrasts):
            raise UserError(
                f"reward {self.name} compares with a changed clip; list one of {', '.join(self.contrasts)} in contrasts"
            )

    def _checked(self, name: str, value: Any) -> Any:
        if name not in self.known:
            takes = f"it takes {', '.join(self.known)}" if self.known else "it takes none"
            raise UserError(f"reward {self.name}: unknown option {name}; {takes}")
        hint = get_type_hints(self.function, include_extras=True).get(name, Any)
        try:
            return TypeAdapter(hint, config=FINITE).validate_python(value)
        except UserError as error:
            raise UserError(f"reward {self.name}: option {name}: {error}") from None
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise UserError(f"reward {self.name}: option {name} is {shown(value)}: {problem}") from None
