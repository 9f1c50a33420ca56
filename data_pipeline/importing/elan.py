"""ELAN's .eaf: each annotation is a moment, its value the query, its tier kept; times are milliseconds."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from timeground.errors import UserError

from .record import Place, Read, Record, Refused
from .texts import whole_text

MAX_BYTES = 128 << 20


def read_elan(path: Path) -> Read:
    """Yield the annotations of all tiers; one that refers to another has its times. ``line`` counts them in the file.

    The video is the file's first linked one, else the one with the file's own name.
    """
    root = _parsed(path)
    slots = {slot.get("TIME_SLOT_ID"): slot.get("TIME_VALUE") for slot in root.iter("TIME_SLOT")}
    aligned = {a.get("ANNOTATION_ID"): a for a in root.iter("ALIGNABLE_ANNOTATION")}
    parents = {a.get("ANNOTATION_ID"): a.get("ANNOTATION_REF") for a in root.iter("REF_ANNOTATION")}
    videos, origin_ms = _media(path, root)
    number = 0
    for tier in root.iter("TIER"):
        name = tier.get("TIER_ID") or ""
        for annotation in (inner for outer in tier.iter("ANNOTATION") for inner in outer):
            number += 1
            place = Place(str(path), number, f"tier {name}, {annotation.get('ANNOTATION_ID')}")
            timed = _timed(annotation, aligned, parents)
            text = " ".join((annotation.findtext("ANNOTATION_VALUE") or "").split())
            ends = [] if timed is None else [slots.get(timed.get(f"TIME_SLOT_REF{n}")) for n in (1, 2)]
            if not text:
                yield Refused(place, "an annotation without words")
            elif len(ends) < 2 or None in ends:
                yield Refused(place, "an annotation whose ends are not aligned with the video; give it both times")
            else:
                try:
                    start_s, end_s = ((int(str(end)) + origin_ms) / 1000 for end in ends)
                except ValueError:
                    yield Refused(place, f"times {ends} are no milliseconds")
                    continue
                yield Record(place, {"video": videos, "query": text, "start": start_s, "end": end_s, "tier": name})


def _parsed(path: Path) -> ElementTree.Element:
    """Return the document. Raise UserError for what is no XML, and for entities, which ELAN does not write."""
    text = whole_text(path, MAX_BYTES)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise UserError(f"{path}: declares a document type or entities, which no .eaf has; it was not read")
    try:
        # Without entities there is nothing to expand, and so nothing that grows beyond the size that was checked.
        root = ElementTree.parse(io.StringIO(text)).getroot()  # noqa: S314
    except (ElementTree.ParseError, ValueError) as error:
        raise UserError(f"{path}: not readable as XML ({error})") from None
    if root is None or root.tag != "ANNOTATION_DOCUMENT":
        raise UserError(f"{path}: not an ELAN document; its first element is {root.tag if root is not None else '-'}")
    return root


def _media(path: Path, root: ElementTree.Element) -> tuple[tuple[str, ...], int]:
    """Return what may be the video's name, and by how many milliseconds its own clock is ahead."""
    linked = [m for m in root.iter("MEDIA_DESCRIPTOR") if not (m.get("MIME_TYPE") or "").startswith("audio")]
    names = [m.get(key) or "" for m in linked[:1] for key in ("RELATIVE_MEDIA_URL", "MEDIA_URL")]
    origin = linked[0].get("TIME_ORIGIN", "0") if linked else "0"
    return tuple(name for name in (*names, path.stem) if name), int(origin) if origin.lstrip("-").isdigit() else 0


def _timed(
    annotation: ElementTree.Element,
    aligned: dict[str | None, ElementTree.Element],
    parents: dict[str | None, str | None],
) -> ElementTree.Element | None:
    """Return the annotation that has the times of this one: itself, or the one that it refers to in the end."""
    name, seen = annotation.get("ANNOTATION_ID"), set()
    while name is not None and name not in seen:
        if name in aligned:
            return aligned[name]
        seen.add(name)
        name = parents.get(name)
    return None
