"""Every key of a recipe with its type, default and meaning, from the settings classes themselves."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from timeground.chat.profile import Profile
from timeground.errors import UserError

from .recipe import KINDS

WORDS = {bool: "true or false", int: "whole number", float: "number", str: "text", Any: "any value", NoneType: "null"}
BOUNDS = {"ge": "from {}", "gt": "above {}", "le": "to {}", "lt": "below {}", "min_length": "at least {} long"}
WIDTH = 110
CHANGES = {"model.profile": Profile}
"""Keys that hold changes to something that is no settings class."""
PHASES = "Several kinds of training one after the other, each with its kind, name and settings; see docs/training.md."


@dataclass(frozen=True)
class Entry:
    """A key of a recipe."""

    key: str
    type: str
    default: str
    meaning: str
    kinds: tuple[str, ...]
    """Of recipes that have it."""

    def __str__(self) -> str:
        """Return it as it is printed."""
        head = f"{self.key}\n  type     {self.type}\n  default  {self.default}\n  kinds    {', '.join(self.kinds)}"
        return head + "\n" + textwrap.fill(self.meaning, WIDTH, initial_indent="  ", subsequent_indent="  ")


@cache
def entries() -> dict[str, Entry]:
    """Return every key of every kind of recipe; the numbers of lists are left out of keys."""
    found: dict[str, Entry] = {}
    for kind, settings in KINDS.items():
        for entry in _of_class(settings, "", kind, ()):
            found[entry.key] = _both(found[entry.key], entry) if entry.key in found else entry
    found["phases"] = Entry("phases", "list of groups", "none", PHASES, tuple(KINDS))
    return found


def _both(one: Entry, other: Entry) -> Entry:
    """Return a key that two kinds of recipes have."""
    types, defaults = dict.fromkeys((one.type, other.type)), dict.fromkeys((one.default, other.default))
    return replace(one, type=" or ".join(types), default=" or ".join(defaults), kinds=one.kinds + other.kinds)


def explain(key: str) -> str:
    """Return what a key means, and for a group what is in it. Raise UserError for one that no recipe has."""
    bare = ".".join(part for part in key.split(".") if not part.isdigit())
    known = entries()
    if bare not in known:
        raise UserError(f"unknown key {key}; {_near(bare, known)}")
    inside = [entry for name, entry in known.items() if name.startswith(f"{bare}.")]
    return "\n".join([str(known[bare]), *_listed(inside, len(bare) + 1)])


def explain_all() -> str:
    """Return a line for each key."""
    return "\n".join(_listed(list(entries().values()), 0))


def _listed(inside: list[Entry], cut: int) -> list[str]:
    width = max((len(entry.key) - cut for entry in inside), default=0)
    return [
        f"  {entry.key[cut:]:<{width}}  "
        + textwrap.shorten(f"[{entry.default}] {entry.meaning}", WIDTH, placeholder=" ...")
        for entry in inside
    ]


def _near(key: str, known: dict[str, Entry]) -> str:
    last = key.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == last]
    ends = {name.rpartition(".")[2]: name for name in known}
    near = same or get_close_matches(key, known, 3, 0.75) or [ends[end] for end in get_close_matches(last, ends, 3)]
    if near:
        return f"did you mean {' or '.join(near[:3])}?"
    group = key.rpartition(".")[0]
    if group in known:
        return f"in {group} there are {', '.join(n.rpartition('.')[2] for n in known if n.rpartition('.')[0] == group)}"
    return f"there are {', '.join(name for name in known if '.' not in name)}"


def _of_class(settings: type[Any], before: str, kind: str, above: tuple[type[Any], ...]) -> Iterator[Entry]:
    """Yield the keys of a settings class (or of a dataclass of sizes), each before what is inside of it."""
    said = _docstrings(settings)
    for name, annotation, metadata, default, description in _fields(settings):
        key = before + name
        group = CHANGES.get(key) or _group_of(annotation)
        meaning = " ".join((description or said.get(name) or (_summary(group) if group else "")).split())
        if name == "kind":
            meaning = "Which kind of training it is."
        changes = settings in CHANGES.values()
        shown = "the checkpoint's own" if changes else _shown(default, group)
        yield Entry(key, _typed(annotation, metadata), shown, meaning, (kind,))
        if group is not None and not changes and group not in above:
            yield from _of_class(group, f"{key}.", kind, (*above, settings))


def _fields(settings: type[Any]) -> Iterator[tuple[str, Any, tuple[Any, ...], Any, str | None]]:
    if issubclass(settings, BaseModel):
        for name, info in settings.model_fields.items():
            default = info.default_factory() if info.default_factory else info.default  # type: ignore[call-arg]
            yield name, info.annotation, tuple(info.metadata), default, info.description
    else:
        hints = get_type_hints(settings, include_extras=True)
        for one in fields(settings):
            yield one.name, hints[one.name], (), PydanticUndefined if one.default is MISSING else one.default, None


def _docstrings(settings: type[Any]) -> dict[str, str]:
    """Return what stands below each field of a class and of those that it derives from."""
    found: dict[str, str] = {}
    for one in reversed(settings.__mro__):
        if one.__module__.partition(".")[0] != "timeground":
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(tree, ast.ClassDef)
        for field, after in zip(tree.body, tree.body[1:], strict=False):
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if told and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                found[field.target.id] = str(after.value.value)  # type: ignore[attr-defined]
    return found


def _summary(group: type[Any]) -> str:
    return (inspect.getdoc(group) or "").partition("\n\n")[0]


def _group_of(annotation: Any) -> type[Any] | None:
    """Return the settings class that a type holds, itself, or null, or in a list."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or is_dataclass(annotation)):
        return annotation
    return next((group for part in get_args(annotation) if (group := _group_of(part)) is not None), None)


def _typed(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    """Return a type in words."""
    origin, parts = get_origin(annotation), get_args(annotation)
    bounds = [
        text.format(f"{value:g}" if isinstance(value, float) else value)
        for one in metadata
        for name, text in BOUNDS.items()
        if (value := getattr(one, name, None)) is not None
    ]
    if origin is Annotated:
        words = _typed(parts[0], tuple(annotation.__metadata__))
    elif origin in (Union, UnionType):
        words = " or ".join(_typed(part) for part in parts)
    elif origin is Literal:
        words = "one of " + ", ".join(str(part) for part in parts)
    elif origin is list or (origin is tuple and Ellipsis in parts):
        words = f"list of {_plural(_typed(parts[0]))}"
    elif origin is tuple:
        words = f"[{', '.join(_typed(part) for part in parts)}]"
    elif origin is dict:
        words = f"{_plural(_typed(parts[1]))} by name"
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        words = "one of " + ", ".join(str(one.value) for one in annotation)
    elif _group_of(annotation) is not None:
        words = "group"
    else:
        words = WORDS.get(annotation) or str(getattr(annotation, "__name__", annotation))
    bare, null = (words.removesuffix(" or null"), " or null") if words.endswith(" or null") else (words, "")
    return ", ".join([bare, *bounds]) + null


def _plural(words: str) -> str:
    first, comma, rest = words.partition(",")
    return (first + "s" if first in ("group", "number", "whole number", "text", "any value") else first) + comma + rest


def _shown(default: Any, group: type[Any] | None) -> str:
    """Return a default as a recipe would say it."""
    if default is PydanticUndefined:
        return "none, it has to be given"
    if isinstance(default, BaseModel):
        return "those of its keys"
    if isinstance(default, list) and default and group is not None:
        return f"{len(default)} with the defaults of its keys"
    return json.dumps(default.value if isinstance(default, Enum) else default, default=str, ensure_ascii=False)
