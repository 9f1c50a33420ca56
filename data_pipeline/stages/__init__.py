"""The stages, one file each (`audit` is a folder). A class that is imported here can be named in a recipe."""

from __future__ import annotations

from .agree import Agree as Agree
from .audit import Audit as Audit
from .difficulty import Difficulty as Difficulty
from .direction import Direction as Direction
from .duplicates import Duplicates as Duplicates
from .events import Events as Events
from .export import Export as Export
from .ground import Ground as Ground
from .probe import Probe as Probe
from .propose import Propose as Propose
from .refine import Refine as Refine
from .samples import Samples as Samples
from .select import Select as Select
from .shots import Shots as Shots
