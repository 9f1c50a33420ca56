"""Whether a checkpoint is whole: a model with missing weights answers like any other, and its answers mean nothing.

What can be seen in the files is looked at before anything is loaded; what only loading tells (missing, misshapen and
unexpected tensors), after. Every problem is one line with the file's name.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from timeground.errors import UserError

INDEX = "model.safetensors.index.json"
AGAIN = "download it again"
_SHOWN = 3


def check_folder(folder: Path, *, weights: bool = True) -> None:
    """Refuse a model folder whose files are missing or damaged. UserError names the file and what is wrong.

    weights: look at the weights too; a processor alone can be had without them.
    """
    for name in ("tokenizer_config.json", "processor_config.json", "preprocessor_config.json"):
        if (folder / name).is_file():
            _check_json(folder / name)
    has_parts = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
    if not (folder / "tokenizer.json").is_file() and not has_parts:
        raise UserError(f"{folder}: the tokenizer is missing (tokenizer.json, or vocab.json with merges.txt); {AGAIN}")
    if (folder / "tokenizer.json").is_file():
        _check_json(folder / "tokenizer.json")
    processors = ("processor_config.json", "preprocessor_config.json", "video_preprocessor_config.json")
    if not any((folder / name).is_file() for name in processors):
        raise UserError(f"{folder}: the processor is missing ({', '.join(processors)}); {AGAIN}")
    for file in _weight_files(folder) if weights else ():
        check_safetensors(file)


def missing_files(folder: Path) -> list[str]:
    """Return what a model folder lacks of configuration and weights, as its own index has them; only names are read."""
    try:
        check_config(folder)
        _weight_files(folder)
    except UserError as error:
        return [str(error)]
    return []


def check_config(folder: Path) -> None:
    """Refuse a ``config.json`` that is no JSON object."""
    _check_json(folder / "config.json")


def check_safetensors(file: Path) -> None:
    """Refuse a weights file that is cut short, damaged, or no such file at all."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as tensors:
            if not tensors.keys():
                raise UserError(f"{file}: holds no weights; {AGAIN}")
    except (SafetensorError, OSError, ValueError) as error:
        raise UserError(f"{file}: {_what_it_is(file) or f'damaged weights ({error})'}; {AGAIN}") from None


def check_template(processor: Any, where: str) -> None:
    """Refuse a processor without a chat template: prompts would not be those that the model was trained on."""
    if not processor.chat_template:
        raise UserError(
            f"{where}: the chat template is missing (chat_template.jinja, or chat_template in tokenizer_config.json); "
            "take it from the model that this one was made from"
        )


def check_loaded(info: Mapping[str, Any], where: str) -> None:
    """Refuse a model some of whose weights were not in its files; name unexpected ones and go on.

    info: what transformers' ``output_loading_info`` tells. Tied weights are not among the missing ones.
    """
    if missing := sorted(info["missing_keys"]):
        raise UserError(
            f"{where}: {len(missing)} weights are missing ({_listed(missing)}); the model would answer with random "
            f"ones. {AGAIN.capitalize()}, or export it again"
        )
    if wrong := sorted(info["mismatched_keys"], key=str):
        name, there, wanted = wrong[0]
        raise UserError(
            f"{where}: {len(wrong)} weights have another shape than config.json says ({name}: {list(there)}, expected "
            f"{list(wanted)}); the files do not belong together"
        )
    if info["error_msgs"]:
        raise UserError(f"{where}: {' '.join(str(info['error_msgs'][0]).split())[:300]}")
    if unexpected := sorted(info["unexpected_keys"]):
        print(f"timeground: {where}: {len(unexpected)} weights are not used ({_listed(unexpected)})", file=sys.stderr)


def _weight_files(folder: Path) -> list[Path]:
    """Return the weights that a folder is to have."""
    if (folder / INDEX).is_file():
        index = _check_json(folder / INDEX)
        try:
            names = sorted(set(index["weight_map"].values()))
        except (TypeError, KeyError, AttributeError):
            raise UserError(f"{folder / INDEX}: holds no weight_map; {AGAIN}") from None
        gone = [name for name in names if not (folder / Path(name).name).is_file()]
        if gone:
            raise UserError(
                f"{folder}: {len(gone)} of {len(names)} weights files are missing ({_listed(gone)}); {AGAIN}"
            )
        return [folder / Path(name).name for name in names]
    found = sorted(folder.glob("*.safetensors"))
    if not found:
        raise UserError(f"{folder}: no weights (model.safetensors); only safetensors are read. {AGAIN.capitalize()}")
    return found


def _check_json(file: Path) -> Any:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: {_what_it_is(file) or f'not valid JSON ({error})'}; {AGAIN}") from None
    if not isinstance(found, dict):
        raise UserError(f"{file}: holds a {type(found).__name__} where an object is expected; {AGAIN}")
    return found


def _what_it_is(file: Path) -> str | None:
    """Return what stands in the place of a file that cannot be read, if that can be told."""
    try:
        with file.open("rb") as data:
            head = data.read(200)
        size = file.stat().st_size
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not head:
        return "an empty file"
    if head.startswith(b"version https://git-lfs"):
        return "a pointer of Git LFS, not the file itself (run git lfs pull)"
    if head.lstrip()[:1] == b"<":
        return "a web page, not the file itself"
    header = int.from_bytes(head[:8], "little")
    if file.suffix == ".safetensors" and len(head) > 8 and head[8:9] == b"{" and header < 1 << 30:
        return f"cut short or damaged ({size} bytes)"
    return None


def _listed(names: Iterable[str]) -> str:
    held = list(names)
    return ", ".join(held[:_SHOWN]) + (", ..." if len(held) > _SHOWN else "")
