"""Files that appear whole or not at all, however a program ends."""

from __future__ import annotations

import os
import threading
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write a text file in one move; its folder is made if need be. Processes and threads may write the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)
