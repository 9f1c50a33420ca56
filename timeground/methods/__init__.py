"""Ways of finding answers with a model, by name."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from timeground.errors import UserError
from timeground.named import imported

if TYPE_CHECKING:
    from timeground.methods.base import Method

METHODS = {
    "direct": "timeground.methods.direct:Direct",
    "windows": "timeground.methods.windows:Windows",
    "search": "timeground.methods.search:Search",
    "speculative": "timeground.methods.speculative:Speculative",
    "tools": "timeground.methods.tools:Tools",
}
"""Each method that ships, by where it is."""
METHOD_HELP = (
    "how the model is asked: direct (one look), windows (every part), search, speculative, tools, or your own as "
    "package.module:Name; settings may follow: search:max_looks=8"
)
"""What commands say of their option."""


def check_method(name: str) -> str:
    """Return the name. Raise UserError if it is no method's; those that ship are not imported for it."""
    if name not in METHODS:
        load_method(name)
    return name


def load_method(name: str) -> type[Method]:
    """Return the method of a name, or of an import path ``package.module:Name``.

    Settings may follow, each behind a colon: ``search:max_looks=8:order=chance``. Raise UserError if there is no such
    method, or it has no such setting.
    """
    from timeground.methods.base import Method

    path, changes = _parts(name)
    found = imported(METHODS.get(path, path), "method", METHODS)
    if not (isinstance(found, type) and issubclass(found, Method)):
        raise UserError(f"method {path}: that is no Method; derive it from timeground.methods.base.Method")
    return type(found.__name__, (found,), {"options": _changed(found.options, changes, path)}) if changes else found


def _parts(name: str) -> tuple[str, dict[str, str]]:
    """Return a method's path, and the settings behind it as they are written."""
    words = name.split(":")
    settings = [word for word in words if "=" in word]
    if words[len(words) - len(settings) :] != settings:
        raise UserError(
            f"method {name}: settings come last, each behind a colon, as in search:max_looks=8:order=chance"
        )
    return ":".join(words[: len(words) - len(settings)]), dict(word.split("=", 1) for word in settings)


def _changed(options: Any, changes: dict[str, str], method: str) -> Any:
    """Return a method's options with settings changed."""
    known = {one.name for one in dataclasses.fields(options)} if options is not None else set()
    if unknown := sorted(set(changes) - known):
        there = ", ".join(sorted(known)) or "none"
        raise UserError(f"method {method} has no setting {', '.join(unknown)}; there are: {there}")
    return dataclasses.replace(options, **{key: _value(text) for key, text in changes.items()})


def _value(text: str) -> int | float | str:
    """Return a number where a text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
