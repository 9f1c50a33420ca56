"""Where a row's video lies below a root: as it is named, or as benchmarks' videos are published.

What is not there under its own name is looked for with another ending (ActivityNet's videos come as mp4, mkv and webm),
and in the folders of VidOR, by ``map_vid_vidorID.json`` beside the videos or their folder (NExT-QA, NExT-GQA). Nothing
leaves the root but the links inside a snapshot of the Hub's cache, which point to its own ``blobs``.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from timeground.data.row_checks import shown
from timeground.errors import UserError

ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v")
VIDOR_MAP = "map_vid_vidorID.json"


def resolve_video(root: str | Path, video: str, *, follow_links: bool = False) -> Path:
    """Return the absolute path of a row's video, whether it is there or not.

    follow_links: a link may lead out of the root. Raise UserError if the path leaves the root: absolute, ``..``, a
    link.
    """
    base = Path(root).resolve()
    if "://" in video:
        raise UserError(
            f"video {shown(video)} is an address; rows name files below {base}: fetch it, and name the file"
        )
    relative = Path(video)
    if relative.is_absolute() or ".." in relative.parts:
        raise UserError(f"video {shown(video)} leaves the video root; give a path relative to {base}")
    try:
        path = _published(base, relative)
        target = path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a null character
        raise UserError(f"video {shown(video)} is not a usable path: {error}") from error
    if target.is_relative_to(base):
        return target
    if follow_links or _is_blob_of(path, target):
        return path  # under the name that has an ending
    raise UserError(
        f"video {shown(video)} is a link out of {base}; make the folder it points to the root, or let it be followed "
        "(eval: --follow-links, the pipeline: input.follow_links, training: data.follow_links)"
    )


def _published(base: Path, relative: Path) -> Path:
    """Return the path as named if it is there, else as published, else as named."""
    named = base / relative
    if named.exists():
        return named
    nested = _vidor_folders(base).get(relative.stem)
    others = [named.with_suffix(ending) for ending in ENDINGS if relative.suffix.lower() in ENDINGS]
    if nested is not None and ".." not in Path(nested).parts and not Path(nested).is_absolute():
        others += [base / f"{nested}{ending}" for ending in ENDINGS]
    return next((path for path in others if path.exists()), named)


def _vidor_folders(base: Path) -> dict[str, str]:
    file = next((file for folder in (base, base.parent) if (file := folder / VIDOR_MAP).is_file()), None)
    return {} if file is None else _read_map(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _read_map(file: Path, _: int) -> dict[str, str]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {str(video): str(folder) for video, folder in content.items()}
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{file}: not a map from video to folder ({error}); download it again") from error


def _is_blob_of(path: Path, target: Path) -> bool:
    """Return whether a link in a snapshot of the Hub's cache leads into the ``blobs`` of the same repository."""
    for folder in path.parents:
        if folder.parent.name == "snapshots":
            return target.is_relative_to(folder.parent.parent.resolve() / "blobs")
    return False
