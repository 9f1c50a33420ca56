"""What a model knows once a run is over: rendered shapes only, until it is trained on rows about other videos."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from timeground.chat.profile import Profile
from timeground.data.clip_shards import read_index, shard_tags
from timeground.data.rows import read_rows, resolve_video
from timeground.errors import UserError
from timeground.media.containers.container import made_by
from timeground.media.containers.tag import SYNTH

from .config import DataSettings


def profile_after(profile: Profile, data: DataSettings, is_fresh: bool) -> Profile:
    """The profile that a run's exports carry.

    is_fresh: the model starts from random weights, and so knows what the run shows it and nothing else.
    """
    if not is_fresh and profile.knows is None:
        return profile
    return replace(profile, knows=None if _shows_others(data) else SYNTH)


def _shows_others(data: DataSettings) -> bool:
    """Whether a run shows any video without the tag of the rendered world; where none can be read, it may."""
    if data.synth_seed is not None:
        return False
    tags = _tags(data)
    first = next(tags, "")
    return not first or any(not tag for tag in tags)


def _tags(data: DataSettings) -> Iterator[str]:
    """The tags of the videos that can be read."""
    if data.samples is not None:
        folder = Path(data.samples)
        for shard in dict.fromkeys(sample.shard for sample in read_index(folder)):
            with suppress(UserError):  # a shard that is gone is told where it is read
                yield from shard_tags(resolve_video(folder, shard))
        return
    for video in dict.fromkeys(row.video for row in read_rows(Path(data.rows or ""))):
        try:
            yield made_by(resolve_video(Path(data.videos), video))
        except UserError:
            continue
