"""Whether a Hub id can be had: looked up once and quickly, before a library tries, waits and tries again."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from timeground.errors import UserError
from timeground.models.catalogue import near
from timeground.models.names import TINY, model_folder

WAIT_S = 1.2
"""For the Hub's answer, names looked up and connection made; after that it counts as out of reach."""
WAIT = "HF_HUB_ETAG_TIMEOUT"
"""Environment variable of the Hub's own library by which a user waits longer."""


def check_name(name: str, revision: str | None = None) -> None:
    """Raise UserError, in a line and at once, for a model that is neither on this machine nor on the Hub.

    A folder, a server's address and the bundled model pass: whoever opens them says what is wrong.
    """
    if name == TINY or "://" in name or name.startswith((".", "/", "~")) or Path(name).is_dir():
        return
    only_on_disk(name, revision)


@cache
def only_on_disk(name: str, revision: str | None = None) -> bool:
    """Return whether only the files on this machine are to be read of a Hub id: the Hub may not, or cannot, be asked.

    Raise UserError for an id that is neither on this machine nor on the Hub.
    """
    if name.count("/") != 1:
        raise UserError(f"{name}: no model folder, and no Hub id (owner/name); {_advice(name)}")
    from huggingface_hub import constants

    there = model_folder(name, revision) is not None
    if constants.is_offline_mode():
        reason = "the Hub is not asked (HF_HUB_OFFLINE)"
    else:
        reason = _refusal(name, revision)
        if reason == "":
            return False
    if there:
        return True
    raise UserError(f"{name}: not on this machine, and {reason}; {_advice(name)}")


def _refusal(name: str, revision: str | None) -> str:
    """Return why the Hub does not give a model; "" where it does."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    host = constants.ENDPOINT.partition("://")[2]
    wait_s = float(constants.HF_HUB_ETAG_TIMEOUT) if WAIT in os.environ else WAIT_S
    done, result = within(wait_s, lambda: HfApi().model_info(name, revision=revision, timeout=wait_s))
    if not done:
        return f"{host} does not answer within {wait_s:g} s ({WAIT}=10 waits longer)"
    if isinstance(result, RevisionNotFoundError):
        return f"{host} has no revision {revision!r} of it"
    if isinstance(result, RepositoryNotFoundError):
        return f"{host} has no such model, or a private one (hf auth login)"
    if isinstance(result, HFValidationError):
        return "that is no name of a model"
    if isinstance(result, Exception):
        return f"{host} cannot be reached ({_first_line(result)})"
    return ""


def within(limit_s: float, call: Callable[[], Any]) -> tuple[bool, Any]:
    """Return whether a call ended in time, and what it returned or raised; one that did not is left to itself."""
    found: list[Any] = []

    def work() -> None:
        try:
            found.append(call())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)  # looking up a name heeds no time limit of its own
    thread.start()
    thread.join(limit_s)
    return bool(found), found[0] if found else None


def cached_ids() -> dict[str, int]:
    """Return the models in the Hub's cache on this machine, with the bytes that each takes."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = scan_cache_dir().repos
    except (CacheNotFound, ValueError, OSError):
        return {}
    return {repo.repo_id: repo.size_on_disk for repo in repos if repo.repo_type == "model"}


def _advice(name: str) -> str:
    found = near(name, cached_ids())
    if name in found:
        return f"when it can be reached: timeground models --download {name}"
    if found:
        return f"did you mean {' or '.join(found)}?"
    return "timeground models lists some, and what is on this machine"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
