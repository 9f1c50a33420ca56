"""Names of models: the bundled one, folders, Hub ids, addresses of servers. Nothing here loads a library of models."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from timeground.errors import UserError

TINY = "tiny"


def is_url(name: str) -> bool:
    """Return whether a model's name is the address of a server."""
    return name.startswith(("http://", "https://"))


def shown_name(name: str) -> str:
    """Return a model's name for pages that others read: of a folder its own name, not where it lies."""
    path = Path(name).expanduser()
    is_folder = not is_url(name) and (path.is_dir() or name.startswith((".", "/", "~")))
    return path.resolve().name or name if is_folder else name


def resolve(name: str) -> str:
    """Return the folder or Hub id behind a name: ``tiny`` is the model that ships with the package."""
    if name == TINY:
        folder = Path(str(files("timeground") / "assets" / "tiny"))
        if not (folder / "config.json").is_file():
            raise UserError(f"the bundled model is not in {folder}; reinstall timeground")
        return str(folder)
    path = Path(name).expanduser()
    if path.is_dir() and not (path / "config.json").is_file():
        raise UserError(f"{name}: no config.json in this folder; give a model folder as save_pretrained writes it")
    if name.startswith((".", "/", "~")) and not path.is_dir():
        raise UserError(f"{name}: there is no such model folder")
    return str(path) if path.is_dir() else name


def model_folder(name: str, revision: str | None = None) -> Path | None:
    """Return the folder of a model's files on this machine, or None."""
    if is_url(name):
        return None
    path = Path(resolve(name)) if name == TINY else Path(name).expanduser()
    if path.is_dir():
        return path
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        file = try_to_load_from_cache(name, "config.json", revision=revision)
    except HFValidationError:
        return None
    return Path(file).parent if isinstance(file, str) else None
