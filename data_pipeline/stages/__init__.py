"""The stages, one file each. A stage takes a video's rows and gives rows, with a reason for each drop."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from .agree import Agree
from .audit import Audit
from .difficulty import Difficulty
from .direction import Direction
from .duplicates import Duplicates
from .export import Export
from .ground import Ground
from .probe import Probe
from .propose import Propose
from .refine import Refine
from .samples import Samples
from .select import Select
from .shots import Shots

AnyStage = Annotated[
    Probe
    | Duplicates
    | Shots
    | Propose
    | Ground
    | Agree
    | Refine
    | Audit
    | Direction
    | Difficulty
    | Select
    | Samples
    | Export,
    Field(discriminator="stage"),
]
"""A stage of a recipe, told apart by its name: ``{stage: probe, min_s: 2}``."""
