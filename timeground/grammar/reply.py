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
        **dict(zip("：；，．（）［］｛｝＜＞、！？【】「」", ':;,.()[]{}<>,!?[]""', strict=True)),
    }
)
_CHINESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_CHINESE_WORDS = [
    (re.compile(r"(?<=[0-9]) ?小时"), " h "),
    (re.compile(r"(?<=[0-9]) ?分钟?"), " min "),
    (re.compile(r"(?<=[0-9]) ?秒钟?"), " s "),
    (re.compile(r"第 ?(?=[0-9])"), " "),
    (re.compile(r"(?<=[0-9s]) ?(?:处|时|左右)? ?(?:到|至|から) ?(?=[0-9])"), " to "),
    (re.compile(r"(?:从|自|由) ?(?=[0-9])"), " from "),
    (re.compile(r"(?:开始|起始|開始)(?:时间|时刻|時間)?"), " start "),
    (re.compile(r"(?:结束|終了|結束)(?:时间|时刻|時間)?"), " end "),
    (re.compile(r"[和与及] ?(?=[0-9\[(])"), " and "),
    (re.compile("。"), ". "),
]
"""How times are said in Chinese and Japanese, as the English that the rules of the grammar read; in this order."""
_THINK_WORD = r"(?:think(?:ing)?|thoughts?|reasoning|seed:think)"
_THINK_TAG = re.compile(rf"[<◁](/?){_THINK_WORD}[>▷]|\[(/?)THINK\]", re.IGNORECASE)
_PLACE_TAGS = re.compile(
    r"<\|(?:box|point|quad)_start\|>[^<]{0,200}<\|(?:box|point|quad)_end\|>|"
    r"<(?:b?box|points?)\b[^<>]{0,100}>[^<]{0,200}</(?:b?box|points?)>",
    re.IGNORECASE,
)
_ANSWER_TAG = re.compile(r"<(/?)answer>", re.IGNORECASE)
_TIME_TAG = re.compile(r"</?(?:time|glue)>", re.IGNORECASE)
_OTHER_TAG = re.compile(
    r"</?(?:time|glue|timestep|timestamp|segment|span|answer|b|i|strong|em|code)>"
    r"|<br ?/?>|<\|[a-z_]{1,30}\|>",
    re.IGNORECASE,
)
_ANSWER_PHRASE = re.compile(r"\banswer(?: is|'s| would be|:| is:)", re.IGNORECASE)


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text, as a set to look tokens up in."""
    return frozenset(text.split())


def tidy(text: str) -> str:
    """Return the text with plain dashes, quotes, digits, single blanks, no markdown, Chinese times as English ones."""
    text = text.translate(_ONE_TO_ONE)
    if _CHINESE.search(text):
        for said, english in _CHINESE_WORDS:
            text = said.sub(english, text)
    text = re.sub(r"```[a-zA-Z]*(?=\n)|[*`]|\\boxed|\\text|\\[()\[\]]", "", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r" ?\n[ \n]*", "\n", text).strip()


def plain_words(text: str) -> str:
    """Return a text without what does not change its words: case, spare blanks, punctuation at its end."""
    return " ".join(text.translate(_ONE_TO_ONE).replace("。", ".").casefold().split()).rstrip(" .,;:!?…")


def without_thinking(text: str) -> str:
    """Return the reply without its thinking.

    ``<think>...</think>`` goes; so does all before a ``</think>`` whose opening was part of the prompt.
    After a ``<think>`` that is never closed, only an ``<answer>`` counts.
    """
    kept: list[str] = []
    depth, position = 0, 0
    for tag in _THINK_TAG.finditer(text):
        is_closing = bool(tag[1] or tag[2])
        if is_closing and depth == 0:
            kept.clear()
        elif depth == 0:
            kept.append(text[position : tag.start()])
        depth = 0 if is_closing else 1
        position = tag.end()
    rest = text[position:]
    if depth:
        opening = re.search(r"<answer>", rest, re.IGNORECASE)
        rest = rest[opening.start() :] if opening else ""
    return "".join([*kept, rest])


def answer_block(text: str) -> str | None:
    """Return the inside of the last ``<answer>`` (which may be cut off before its closing tag), or None."""
    tags = list(_ANSWER_TAG.finditer(text))
    for i in range(len(tags) - 1, -1, -1):
        if not tags[i][1]:
            end = tags[i + 1].start() if i + 1 < len(tags) else len(text)
            return text[tags[i].end() : end]
    return None


def without_tags(text: str) -> str:
    """Return the text without the tags that we know, and boxes and points with their numbers; ``<5.0>`` is no tag."""
    return _OTHER_TAG.sub(" ", _PLACE_TAGS.sub(" ", text))


def time_candidates(text: str) -> list[str]:
    """Yield texts in which to look for times, the most explicit first; the first that can be read wins.

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
    """Return the text of the answer, and whether it stood in an ``<answer>`` block."""
    said = without_thinking(text)
    block = answer_block(said)
    return tidy(without_tags(said if block is None else block)), block is not None
