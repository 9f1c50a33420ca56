"""Opens whatever a user names as a model: the bundled one, a Hub id, a folder, or the URL of a server."""

from __future__ import annotations

from typing import Any

from timeground.errors import UserError
from timeground.models.base import Backend


def is_url(name: str) -> bool:
    """Return whether a model's name is the address of a server."""
    return name.startswith(("http://", "https://"))


def open_backend(
    name: str, *, profile: str | None = None, overrides: dict[str, Any] | None = None, **options: Any
) -> Backend:
    """Return a backend for ``tiny``, a Hub id, a folder, or ``http://host:port/v1#model``.

    profile: a name of the table instead of the checkpoint's own. overrides: changes to single settings.
    options: of `LocalBackend.from_pretrained` or `EndpointBackend.connect`; None stands for the default. For a URL
    also `video`: ``native`` sends clips as they are (a server that `timeground serve` started), ``images`` every second
    frame as an image (any server); by default the first where it works.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if is_url(name):
        return _open_url(name, given.pop("video", None), profile=profile, overrides=overrides, **given)
    from timeground.models.local.backend import LocalBackend

    return LocalBackend.from_pretrained(name, profile=profile, overrides=overrides, **given)


def _open_url(name: str, video: str | None, **options: Any) -> Backend:
    """Return the backend for a server."""
    from timeground.models.served.openai import EndpointBackend

    if video not in (None, "native", "images"):
        raise UserError(f"video={video!r}: give native or images")
    endpoint = EndpointBackend.connect(name, **options)
    if video == "images":
        return endpoint
    from timeground.models.served.vllm.backend import VllmBackend

    try:
        return VllmBackend.connect(endpoint)
    except UserError:
        if video == "native":
            raise
        return endpoint
