"""Which part of a model's reply is its answer: thinking dropped, tags and markdown taken off.

The first stage of the answer grammar (``docs/answers.md``), shared by spans, options and yes/no.
"""

from __future__ import annotations

import re

_ONE_TO_ONE = str.maketrans(
    {
        **dict.fromkeys("‐‑‒–—―−﹘－→", "-"),
        **dict.fromkeys("～〜∼", "~"),
        **dict.fromkeys("“”„″", '"'),
        **dict.fromkeys("‘’′", "'"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2009\u200a\u202f\u3000\ufeff\u200b", " "),
        **{chr(0xFF10 + n): str(n) for n in range(10)},
        **dict(zip("：；，．（）［］｛｝＜＞", ":;,.()[]{}<>", strict=True)),
    }
)
_THINK_TAG = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_TIME_TAG = re.compile(r"</?(?:time|glue)>", re.IGNORECASE)
_OTHER_TAG = re.compile(
    r"</?(?:time|glue|timestep|timestamp|segment|span|answer|b|i|strong|em|code)>"
    r"|<br ?/?>|<\|[a-z_]{1,30}\|>",
    re.IGNORECASE,
)
_ANSWER_PHRASE = re.compile(r"\banswer(?: is|'s| would be|:| is:)", re.IGNORECASE)


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set to look tokens up in."""
    return frozenset(text.split())


def tidy(text: str) -> str:
    """Plain dashes, quotes and digits; single blanks; no markdown."""
    text = text.translate(_ONE_TO_ONE)
    text = re.sub(r"```[a-zA-Z]*(?=\n)|[*`]|\\boxed|\\text|\\[()\[\]]", "", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r" ?\n[ \n]*", "\n", text).strip()


def without_thinking(text: str) -> str:
    """The reply without its thinking.

    ``<think>...</think>`` goes; so does all before a ``</think>`` whose opening was part of the prompt.
    After a ``<think>`` that is never closed, only an ``<answer>`` counts.
    """
    kept: list[str] = []
    depth, position = 0, 0
    for tag in _THINK_TAG.finditer(text):
        if tag[1] and depth == 0:
            kept.clear()
        elif depth == 0:
            kept.append(text[position : tag.start()])
        depth = 0 if tag[1] else 1
        position = tag.end()
    rest = text[position:]
    if depth:
        opening = re.search(r"<answer>", rest, re.IGNORECASE)
        rest = rest[opening.start() :] if opening else ""
    return "".join([*kept, rest])


def answer_block(text: str) -> str | None:
    """Inside of the last ``<answer>`` (which may be cut off before its closing tag), or None."""
    tags = list(_ANSWER_TAG.finditer(text))
    for i in range(len(tags) - 1, -1, -1):
        if not tags[i][1]:
            end = tags[i + 1].start() if i + 1 < len(tags) else len(text)
            return text[tags[i].end() : end]
    return None


def without_tags(text: str) -> str:
    """The text with the tags that we know taken out; ``<5.0>`` is no tag."""
    return _OTHER_TAG.sub(" ", text)


def time_candidates(text: str) -> list[str]:
    """Texts in which to look for times, the most explicit first; the first that can be read wins.

    Time tags (``<time>``, ``<glue>``) come before the answer block, because a grounded answer keeps its
    letter in one and its times in the other. An answer block shuts out the rest of the reply.
    """
    said = without_thinking(text)
    tags = list(_TIME_TAG.finditer(said))
    candidates = [said[tags[0].end() : tags[-1].start()]] if len(tags) > 1 else []
    block = answer_block(said)
    if block is None:
        phrases = list(_ANSWER_PHRASE.finditer(said))
        candidates += [said[phrases[-1].end() :]] if phrases else []
    candidates.append(said if block is None else block)
    return [tidy(without_tags(candidate)) for candidate in candidates]


def final_text(text: str) -> tuple[str, bool]:
    """The text of the answer, and whether it stood in an ``<answer>`` block."""
    said = without_thinking(text)
    block = answer_block(said)
    return tidy(without_tags(said if block is None else block)), block is not None
