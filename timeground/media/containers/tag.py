"""The tag that rendered videos carry: in a container's metadata, or beside a folder's pictures.

What has no tag counts as a real video. `timeground.models.knowledge` says what that means for a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

SYNTH = "SynthMoments"
"""The rendered world."""

SYNTH_VERSION = 2
"""Raised when the same seed gives another video; files of an earlier version are rendered anew."""

FOLDER_TAG = "made_by.txt"
"""The tag of a folder of pictures."""


def synth_tag() -> str:
    """Return what is written into rendered files."""
    return f"{SYNTH} {SYNTH_VERSION}"


def tag_in(metadata: Mapping[str, str]) -> str:
    """Return the tag among a container's metadata, or ""."""
    comment = next((value for key, value in metadata.items() if key.lower() == "comment"), "")
    return comment if comment.split(" ")[0] == SYNTH else ""


def folder_tag(folder: Path) -> str:
    """Return the tag of a folder of pictures, or ""."""
    file_of_tag = folder / FOLDER_TAG
    try:
        if not file_of_tag.is_file():  # a fifo would be waited for
            return ""
        with file_of_tag.open(encoding="utf-8", errors="replace") as file:
            return tag_in({"comment": file.read(100).strip()})
    except OSError:
        return ""
