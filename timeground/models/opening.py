"""Opens whatever a user names as a model: the bundled one, a Hub id, a folder, or the URL of a server."""

from __future__ import annotations

from typing import Any

from timeground.models.backend import Backend


def is_url(name: str) -> bool:
    """Whether a model's name is the address of a server."""
    return name.startswith(("http://", "https://"))


def open_backend(
    name: str, *, profile: str | None = None, overrides: dict[str, Any] | None = None, **options: Any
) -> Backend:
    """A backend for ``tiny``, a Hub id, a folder, or ``http://host:port/v1#model``.

    profile: a name of the table instead of the checkpoint's own. overrides: changes to single settings.
    options: of `LocalBackend.from_pretrained` or `EndpointBackend.connect`; None stands for the default.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if is_url(name):
        from timeground.models.endpoint import EndpointBackend

        return EndpointBackend.connect(name, profile=profile, overrides=overrides, **given)
    from timeground.models.local import LocalBackend

    return LocalBackend.from_pretrained(name, profile=profile, overrides=overrides, **given)
