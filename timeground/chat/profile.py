"""How a checkpoint wants to be asked: prompt, time encoding, frame rate, token budget.

Every folder that we export holds one as ``grounding_config.json``; known Hub ids have one in the table below.
Training, evaluation, the demo and servers all read the same profile.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timeground.chat.confidence import MEANINGS, RAW, AnswerKind, Calibration
from timeground.chat.evidence import SearchFit
from timeground.chat.layout import Segment, TimeEncoding, check_stamp, encode_time, origin_s
from timeground.chat.look_tool import LookTool
from timeground.chat.prompts import PromptSet, get_prompts
from timeground.errors import UserError
from timeground.files.content_keys import PROFILE_NAME
from timeground.media.clip import Clip
from timeground.media.sampling import Sampling
from timeground.models.names import model_folder

if TYPE_CHECKING:
    from timeground.models.families.base import Family

FILE_NAME = PROFILE_NAME
_LIMITS: dict[str, tuple[float, float]] = {
    "fps": (0.001, 240),
    "min_tokens_per_pair": (1, 16384),
    "max_tokens_per_pair": (1, 16384),
    "total_tokens": (1, 10**7),
    "max_new_tokens": (1, 65536),
    "window_s": (1, 86400),
}
"""What a model can be asked with; a folder's profile may come from anywhere."""


_PARTS: dict[str, type[Calibration] | type[SearchFit] | type[LookTool]] = {
    "calibration": Calibration,
    "search": SearchFit,
    "look_tool": LookTool,
}
"""Settings that are objects of their own."""
_MAY_BE_NONE = ("max_tokens_per_pair", "window_s")
_MAY_BE_FRACTIONS = ("fps", "window_s")


def _check_number(name: str, value: Any) -> None:
    """Refuse what is no number between the limits of a setting."""
    low, high = _LIMITS[name]
    is_number = isinstance(value, (int, float) if name in _MAY_BE_FRACTIONS else int) and not isinstance(value, bool)
    if not is_number or not low <= value <= high:
        kind = "number" if name in _MAY_BE_FRACTIONS else "whole number"
        raise UserError(f"{name} is {value!r}, expected a {kind} from {low:g} to {high:g}")


@dataclass(frozen=True)
class Profile:
    """How to ask a checkpoint."""

    prompt: str = "timelens"
    """Name of a prompt set."""
    time_encoding: TimeEncoding = TimeEncoding.INTERLEAVED_SECONDS
    """How times stand in the prompt."""
    stamp: str | None = None
    """Template of a stamp's text; None: the encoding's own."""
    fps: float = 2.0
    """Frames a second that are read, where the budget of tokens allows (see `Sampling`)."""
    min_tokens_per_pair: int = 64
    """Visual tokens of a pair of frames, at least: longer clips get fewer frames, not smaller ones."""
    max_tokens_per_pair: int | None = None
    """Visual tokens of a pair of frames, at most; None: what the budget leaves."""
    total_tokens: int = 14336
    """Visual tokens of a clip, at most."""
    text_first: bool = False
    """The question stands before the video."""
    max_new_tokens: int = 128
    """Room for the answer, thinking included."""
    enable_thinking: bool = False
    """Whether a model that can think before it answers is to; its chat template writes which."""
    frame_head: bool = False
    """Its folder has a text-to-frame head (`timeground.models.frame_head`)."""
    window_s: float | None = None
    """How long a part of a video it reads best at once; None: as long as its frames come at full rate."""
    window_times: bool = False
    """Times begin at 0 with each part of a file that is shown; else they are the file's own."""
    knows: str | None = None
    """The only kind of videos that it knows ("SynthMoments"); None where it was trained on real ones."""
    calibration: Calibration | None = None
    """How a confidence becomes a probability; None: it stays the mean token probability."""
    search: SearchFit | None = None
    """How a search weighs what it sees; None: all signs count the same."""
    look_tool: LookTool | None = None
    """The tool by which it looks closer, if it knows one by other names; None: `LookTool`'s own."""

    def __post_init__(self) -> None:
        """Refuse settings that no model can be asked with; UserError says which."""
        for name in _LIMITS:
            if not (name in _MAY_BE_NONE and getattr(self, name) is None):
                _check_number(name, getattr(self, name))
        for name in ("text_first", "enable_thinking", "frame_head", "window_times"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} is {getattr(self, name)!r}, expected true or false")
        for name in ("prompt", "stamp", "knows"):
            value = getattr(self, name)
            if not isinstance(value, str) and not (value is None and name != "prompt"):
                raise UserError(f"{name} is {value!r}, expected a text")
        for name, kind in _PARTS.items():
            if not isinstance(value := getattr(self, name), kind | None):
                raise UserError(f"{name} is {value!r}, expected a {kind.__name__}")
        get_prompts(self.prompt)
        if self.stamp is not None:
            check_stamp(self.stamp)
        if self.max_tokens_per_pair is not None and self.max_tokens_per_pair < self.min_tokens_per_pair:
            raise UserError(
                f"max_tokens_per_pair is {self.max_tokens_per_pair}, below min_tokens_per_pair "
                f"{self.min_tokens_per_pair}: raise one or lower the other"
            )

    def prompts(self) -> PromptSet:
        """Return the templates to ask with."""
        return get_prompts(self.prompt)

    def confidence(self, kind: AnswerKind | None, raw: float) -> float:
        """Return how sure an answer is: its raw confidence on the scale of its kind, or as it is without one.

        `confidence_means` says which.
        """
        scale = self.calibration.scale(kind) if self.calibration else None
        return raw if scale is None else scale(raw)

    def confidence_means(self, kind: AnswerKind | None) -> str:
        """Return what the `confidence` of a kind of answer says."""
        is_scaled = kind is not None and self.calibration is not None and self.calibration.scale(kind) is not None
        return MEANINGS[kind] if is_scaled and kind else RAW

    def origin_s(self, start_s: float) -> float:
        """Return the second of the file that the model calls 0, where it is shown the file from ``start_s`` on."""
        return start_s if self.window_times else origin_s(self.time_encoding, start_s)

    def in_its_time(self, clip: Clip) -> Clip:
        """Return a clip with the times that the model is told."""
        return clip.told_from(clip.start_s) if self.window_times else clip

    def encode(self, clip: Clip) -> tuple[Clip, list[Segment]]:
        """Return the clip to feed and its segments of the prompt, as `encode_time` makes them."""
        return encode_time(self.in_its_time(clip), self.time_encoding, self.stamp)

    def sampling(self, factor: int) -> Sampling:
        """Return which frames to read, their sides multiples of so many pixels."""
        return Sampling(
            fps=self.fps,
            min_tokens_per_pair=self.min_tokens_per_pair,
            max_tokens_per_pair=self.max_tokens_per_pair,
            total_tokens=self.total_tokens,
            factor=factor,
        )

    def checked(self, family: Family) -> Profile:
        """Return this profile, if a model family can carry it; raise UserError else."""
        family.check_encoding(self.time_encoding)
        get_prompts(self.prompt)
        return self

    def with_changes(self, changes: dict[str, Any]) -> Profile:
        """Return a copy with some settings changed; unknown names are a UserError."""
        return dataclasses.replace(self, **_checked_fields(changes, "profile override"))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data; what not every model has only where it has it."""
        fields = {**dataclasses.asdict(self), "time_encoding": self.time_encoding.value}
        for name in ("enable_thinking", "frame_head", "window_s", "window_times"):
            if not fields[name]:
                del fields[name]
        for name in _PARTS:
            del fields[name]
            if (part := getattr(self, name)) is not None:
                fields[name] = part.to_json()
        return fields

    def to_text(self) -> str:
        """Return the text of its file."""
        return json.dumps(self.to_json(), indent=2) + "\n"

    def save(self, folder: Path) -> None:
        """Write the profile into a model folder."""
        (folder / FILE_NAME).write_text(self.to_text(), encoding="utf-8")


STAMPED = Profile(prompt="timelens-stamped", time_encoding=TimeEncoding.INTERLEAVED_SECONDS)
NATIVE = Profile(prompt="timelens", time_encoding=TimeEncoding.NATIVE)
_TIMELENS2 = Profile(prompt="timelens2", time_encoding=TimeEncoding.NATIVE, total_tokens=16384, max_new_tokens=512)
_TIME_R1 = Profile(
    prompt="time-r1",
    time_encoding=TimeEncoding.MROPE,
    min_tokens_per_pair=16,
    total_tokens=3584,
    text_first=True,
    max_new_tokens=1024,
)

KNOWN: dict[str, Profile] = {
    # The exact stamp text of the published checkpoint is known second-hand only; `stamp` overrides it.
    "TencentARC/TimeLens-7B": STAMPED,
    "TencentARC/TimeLens-8B": NATIVE,
    "MCG-NJU/TimeLens2-4B": _TIMELENS2,
    "MCG-NJU/TimeLens2-8B": _TIMELENS2,
    "Boshenxx/Time-R1-7B": _TIME_R1,
    "arrowgev": _TIME_R1,  # a name for `--profile`: no Hub id of its checkpoint is known to us
}


def named_profile(name: str, knows: str | None = None) -> Profile:
    """Return a profile of the table, or of a file, for a model that knows this much.

    Raises UserError with the names there are, or with what is wrong in the file.
    """
    if name in KNOWN:
        return dataclasses.replace(KNOWN[name], knows=knows)
    if not os.path.isfile(name):
        raise UserError(f"unknown profile {name!r}; there are: {', '.join(KNOWN)}, or any {FILE_NAME} by its path")
    own = load_profile(Path(name))
    return dataclasses.replace(own, knows=knows or own.knows)


def own_profile(name_or_path: str) -> Path | None:
    """Return the profile's file of a folder, or of a Hub id that is on this machine; None where it has none."""
    file = (model_folder(name_or_path) or Path(name_or_path)) / FILE_NAME
    return file if file.is_file() else None


def profile_for(name_or_path: str, family: Family) -> Profile:
    """Return the profile of a checkpoint: its own file, else the table of known ids, else its family's default."""
    if file := own_profile(name_or_path):
        return load_profile(file).checked(family)
    return KNOWN.get(name_or_path, family.default_profile)


def load_profile(file: Path) -> Profile:
    """Read a ``grounding_config.json``; a UserError says what is wrong in it."""
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: cannot be read as JSON ({error})") from None
    if not isinstance(fields, dict):
        raise UserError(f"{file}: holds a {type(fields).__name__}, expected an object with a profile's settings")
    return Profile(**_checked_fields(fields, str(file)))


def _checked_fields(fields: dict[str, Any], where: str) -> dict[str, Any]:
    known = {f.name: f.type for f in dataclasses.fields(Profile)}
    if unknown := sorted(set(fields) - set(known)):
        raise UserError(f"{where}: unknown setting {', '.join(unknown)}; there are: {', '.join(known)}")
    fields = dict(fields)
    if "time_encoding" in fields:
        try:
            fields["time_encoding"] = TimeEncoding(fields["time_encoding"])
        except ValueError:
            choices = ", ".join(e.value for e in TimeEncoding)
            raise UserError(
                f"{where}: time_encoding {fields['time_encoding']!r} is unknown; there are: {choices}"
            ) from None
    try:
        for name, kind in _PARTS.items():
            if not isinstance(given := fields.get(name), kind | None):
                fields[name] = kind.from_json(given)
        dataclasses.replace(Profile(), **fields)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None
    return fields
