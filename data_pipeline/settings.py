"""The settings that say what goes in: models and videos."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from timeground.cli.recipes import Settings


class ModelSettings(Settings):
    """A model: ``tiny``, a Hub id, a folder, or ``http://host:port/v1#name``.

    profile: ask it as a known one is asked. overrides: changes to its profile, such as ``{fps: 4}``. options: of the
    backend, for instance ``dtype``, or for an endpoint ``concurrency`` and ``cache`` (a folder for answers).
    max_requests_per_minute: a pause is made before more, in each worker. max_tokens: the run stops when the model has
    written more tokens than that in one worker (a limit on cost).
    """

    name: str
    profile: str | None = None
    overrides: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    max_requests_per_minute: float | None = Field(None, gt=0)
    max_tokens: int | None = Field(None, ge=1)


class InputSettings(Settings):
    """Where videos and rows come from.

    rows: a file of rows, or with `reader` the folder (or file) of a public format. Without rows: every video below the
    root is taken, with no rows. videos: the video root. limit: only the first so many videos.
    follow_links: videos may be links out of the root.
    """

    videos: str
    rows: str | None = None
    reader: str = "rows"
    split: str | None = None
    limit: int | None = Field(None, ge=1)
    follow_links: bool = False
