"""Opens whatever a user names as a model: the bundled one, a Hub id, a folder, or the URL of a server."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

from timeground.errors import UserError
from timeground.models.base import Model
from timeground.models.names import is_url, model_folder, resolve


def open_model(
    name: str, *, profile: str | None = None, overrides: dict[str, Any] | None = None, **options: Any
) -> Model:
    """Return a model for ``tiny``, a Hub id, a folder, or ``http://host:port/v1#model``.

    profile: a name of the table instead of the checkpoint's own. overrides: changes to single settings.
    options: of `LocalModel.from_pretrained` or `EndpointModel.connect`; None stands for the default. With
    `trust_remote_code` a checkpoint's own Python code may run; without, it never does. For a URL
    also `video`: ``native`` sends clips as they are (a server that `timeground serve` started), ``images`` every second
    frame as an image (any server); by default the first where it works.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if is_url(name):
        given.pop("trust_remote_code", None)  # what a server runs is the server's
        return _open_url(name, given.pop("video", None), profile=profile, overrides=overrides, **given)
    return _open_here(name, given.pop("trust_remote_code", False), profile=profile, overrides=overrides, **given)


def _open_here(name: str, trust_remote_code: bool, **options: Any) -> Model:
    """Return a model of one of our families, or any other through its own processor."""
    from timeground.models.families import FAMILIES
    from timeground.models.generic.checkpoint import read_raw_config

    raw = read_raw_config(name, options.get("revision"))
    if raw.model_type in FAMILIES:
        from timeground.models.local.model import LocalModel

        return LocalModel.from_pretrained(name, **options)
    from timeground.models.generic.model import GenericModel

    return GenericModel.from_pretrained(raw, resolve(name), trust_remote_code=trust_remote_code, **options)


def _open_url(name: str, video: str | None, **options: Any) -> Model:
    """Return the model for a server."""
    from timeground.models.served.openai import EndpointModel

    if video not in (None, "native", "images"):
        raise UserError(f"video={video!r}: give native or images")
    endpoint = EndpointModel.connect(name, **options)
    if video == "images":
        return endpoint
    from timeground.models.served.vllm.model import VllmModel

    try:
        return VllmModel.connect(endpoint)
    except UserError:
        if video == "native":
            raise
        return endpoint


def processor_release(name: str) -> str:
    """Return the release of transformers, where a model's own processor writes its input; "" where we do, or a server.

    Another release may write another prompt for the same files.
    """
    from timeground.models.families import FAMILIES

    folder = model_folder(name)
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else None
    except (OSError, ValueError):
        return ""  # told when it is opened
    if not isinstance(config, dict) or config.get("model_type") in FAMILIES:
        return ""
    return f"transformers {metadata.version('transformers')}"
