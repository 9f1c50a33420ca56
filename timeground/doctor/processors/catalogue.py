"""The video processors that the installed transformers has, found in its own mappings so that a new one shows up."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from timeground.errors import UserError
from timeground.models.torchvision_repair import repair_torchvision

EVERY = "all"


@dataclass(frozen=True)
class Entry:
    """A processor and the video processor inside it, which one or more model types share."""

    name: str
    """The first of the model types, as transformers spells them."""
    also: tuple[str, ...]
    """The other model types."""
    processor: str | None
    """The class that joins text and video; None where there is only an encoder of frames."""
    video_processor: str | None
    """The class that samples and resizes; None where transformers names none."""


def find_entries() -> list[Entry]:
    """Return all of them, in the order of their names."""
    pairs: dict[tuple[str | None, str | None], list[str]] = {}
    for model_type in _model_types():
        pairs.setdefault(_classes(model_type), []).append(model_type)
    entries = []
    for (processor, video_processor), names in pairs.items():
        own = min(names, key=lambda name: (name.replace("_", "") not in (processor or "").lower(), len(name), name))
        entries.append(Entry(own, tuple(sorted(set(names) - {own})), processor, video_processor))
    return sorted(entries, key=lambda entry: entry.name)


def choose(wanted: str) -> list[Entry]:
    """Return the entries of a comma-separated list of model types, or all. Raise UserError for an unknown one."""
    entries = find_entries()
    if wanted == EVERY:
        return entries
    by_name = {name: entry for entry in entries for name in (entry.name, *entry.also)}
    names = [name.strip() for name in wanted.split(",") if name.strip()]
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        what = f"transformers has no video processor for {', '.join(unknown)}" if unknown else "no processor is named"
        raise UserError(f"--processors: {what}; there are {', '.join(sorted(by_name))}; or {EVERY}")
    return list(dict.fromkeys(by_name[name] for name in names))


def auto_names(kind: str) -> dict[str, Any]:
    """Return transformers' mapping from model types to class names: of `processing`, `video_processing`, ..."""
    import importlib

    repair_torchvision()
    module = importlib.import_module(f"transformers.models.auto.{kind}_auto")
    table = {"processing": "PROCESSOR", "video_processing": "VIDEO_PROCESSOR", "image_processing": "IMAGE_PROCESSOR"}
    return dict(getattr(module, f"{table.get(kind, 'FEATURE_EXTRACTOR')}_MAPPING_NAMES"))


def class_named(name: str | None) -> Any:
    """Return a class of transformers, None if it has none of that name."""
    import transformers

    return None if name is None else getattr(transformers, name, None)


def only_name(names: Any) -> str | None:
    """Return one class name of a mapping's value: a name, or a dict with one name a backend."""
    if isinstance(names, dict):
        names = names.get("torchvision") or next(iter(names.values()), None)
    return names if isinstance(names, str) else None


def _model_types() -> Iterator[str]:
    """Yield the model types that have a video processor, or whose processor wants one."""
    videos = auto_names("video_processing")
    yield from videos
    for model_type, name in auto_names("processing").items():
        found = class_named(name)
        if model_type not in videos and found and "video_processor" in inspect.signature(found.__init__).parameters:
            yield model_type


def _classes(model_type: str) -> tuple[str | None, str | None]:
    """Return the names of a model type's processor and video processor.

    Some are in one of the two mappings only. Their classes are named alike: `Qwen3VLVideoProcessor` goes with
    `Qwen3VLProcessor`, and `Glm46VForConditionalGeneration` (which `glmga` loads) with `Glm46VProcessor`.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as MODELS

    processors, videos = auto_names("processing"), auto_names("video_processing")
    video = only_name(videos.get(model_type))
    stems = [str(video).removesuffix("VideoProcessor"), str(MODELS.get(model_type)).split("For")[0]]
    processor = processors.get(model_type) or next(
        (f"{stem}Processor" for stem in stems if class_named(f"{stem}Processor")), None
    )
    if video is None and processor is not None:
        same = (only_name(videos[other]) for other, name in processors.items() if name == processor and other in videos)
        video = next(same, None)
    return processor, video
