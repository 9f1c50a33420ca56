"""Things that are chosen by name: those that ship, and a user's own by import path."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

from timeground.errors import UserError


def imported(path: str, what: str, known: Iterable[str]) -> Any:
    """Return what an import path ``package.module:name`` names. Raise UserError if it is none, or leads nowhere."""
    module_name, colon, name = path.partition(":")
    if not colon:
        raise UserError(
            f"unknown {what} {path!r}; there are {', '.join(sorted(known))}, and your own as package.module:name"
        )
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise UserError(f"{what} {path}: cannot import {module_name!r}: {error}; is it on PYTHONPATH?") from None
    if not hasattr(module, name):
        raise UserError(f"{what} {path}: {module_name} has nothing called {name!r}; correct the name")
    return getattr(module, name)
