"""Things that are chosen by name: those that ship, and a user's own by import path or file."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from timeground.errors import UserError


def imported(path: str, what: str, known: Iterable[str]) -> Any:
    """Return what ``package.module:name`` or ``file.py:name`` names; the working folder is on the path.

    It is the user's own code, and runs because the user names it. Raise UserError if it is none, or leads nowhere.
    """
    module_name, colon, name = path.rpartition(":")
    if not colon:
        raise UserError(
            f"unknown {what} {path!r}; there are {', '.join(sorted(known))}, and your own as package.module:name or "
            "file.py:name"
        )
    folder = os.getcwd()
    if not {"", folder} & set(sys.path):
        sys.path.append(folder)  # last: nothing that is installed is hidden by a file that happens to lie there
    module = _of_file(Path(module_name), what) if module_name.endswith(".py") else _of_path(module_name, path, what)
    if not hasattr(module, name):
        raise UserError(f"{what} {path}: {module_name} has nothing called {name!r}; correct the name")
    return getattr(module, name)


def _of_path(name: str, path: str, what: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, ValueError) as error:
        raise UserError(f"{what} {path}: cannot import {name!r}: {error}; is it on PYTHONPATH?") from None


def _of_file(file: Path, what: str) -> ModuleType:
    """Return a file as the module of its own name, so that other processes find it there too."""
    if not file.is_file():
        raise UserError(f"{what} {file}: no such file")
    folder, name = str(file.resolve().parent), file.stem
    if not name.isidentifier():
        raise UserError(f"{what} {file}: a module cannot be called {name!r}; rename it to letters, digits and _")
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # whatever the user's code raises
        raise UserError(f"{what} {file}: cannot be imported ({type(error).__name__}: {error})") from error
    if Path(getattr(module, "__file__", None) or "").resolve() != file.resolve():
        raise UserError(f"{what} {file}: there is another module called {name}; rename the file")
    return module
