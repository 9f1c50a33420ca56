"""JSON as text that survives files: one object a line, whatever its strings hold.

Strings come from models, from users and from file names. U+2028 and U+0085 end a line for some readers, and a lone
surrogate cannot be written as UTF-8 at all; both are written as escapes, which every JSON reader turns back.
"""

from __future__ import annotations

import json
import re
from typing import Any

_UNSAFE = re.compile("[\ud800-\udfff\u0085\u2028\u2029]")


def dump_json(value: Any, **options: Any) -> str:
    """Return JSON with readable letters, on one line unless `indent` is given. options: those of ``json.dumps``."""
    text = json.dumps(value, ensure_ascii=False, **options)
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, cut at line feeds and nowhere else; a last empty one is left out."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def without_surrogates(text: str) -> str:
    """Return the text with a question mark for each lone surrogate, which no tokenizer and no server takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
