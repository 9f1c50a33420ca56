"""Multiple choice as benchmarks write it: options with or without letters, answers as letters, texts or numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from timeground.chat.prompts import LETTERS

_LETTERED = re.compile(r"\s*\(?([A-N])[.):]\s*(.*)", re.DOTALL)


def bare_options(options: Sequence[str]) -> list[str]:
    """Return options without their letters, if every one carries its own ("A. a dog", "(B) a cat"); else unchanged."""
    matches = [_LETTERED.fullmatch(option) for option in options]
    bare = [m[2] for i, m in enumerate(matches) if m is not None and m[1] == LETTERS[i : i + 1]]
    return bare if len(bare) == len(options) else list(options)


def split_question(text: str) -> tuple[str, list[str]]:
    """Return a question and the options that stand in its text, one a line, each behind its letter.

    The lines before the first option are the question. A text without options gives an empty list.
    """
    lines = text.split("\n")
    for first in range(1, len(lines)):
        bare = bare_options(lines[first:])
        if bare != lines[first:]:
            return "\n".join(lines[:first]).strip(), bare
    return text.strip(), []


def letter_at(index: int, options: Sequence[str]) -> str:
    """Return the letter of the option with a number (from 0). Raise ValueError if there is none."""
    if not 0 <= index < min(len(options), len(LETTERS)):
        raise ValueError(f"there is no option number {index} among {len(options)}")
    return LETTERS[index]


def letter_of_text(text: str, options: Sequence[str], *, last: bool = False) -> str | None:
    """Return the letter of the option with this text: the first such option, or the last.

    None if no option has it: the official loaders accept such an item, which no answer can then get right.
    """
    if text not in options:
        return None
    places = [place for place, option in enumerate(options) if option == text]
    return letter_at(places[-1] if last else places[0], options)


def leading_letter(answer: str, options: Sequence[str]) -> str:
    """Return the letter that an answer is or begins with ("B", "(B)", "B. a cat").

    Raise ValueError if it is no option's.
    """
    match = re.fullmatch(r"\s*\(?([A-N])(?:[.):].*)?\s*", answer, re.DOTALL)
    if match is None:
        raise ValueError(f"the answer {answer!r} does not begin with a letter")
    return letter_at(LETTERS.index(match[1]), options)
