"""TempCompass: ``questions/{multi-choice,yes_no,caption_matching}.json``, ``{video: {aspect: [{question, answer}]}}``.

Options stand inside the question, one a line: "A. ..." in multiple choice, "Option 1: ..." or "Caption A: ..." in
matching. ``meta`` keeps question and answer as published, which the benchmark's own matching works on, and the aspect
(action, direction, speed, order, attribute_change). Captioning is left out: only a language model can grade it. Videos
have no published length. Format: llyx97/TempCompass.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from timeground.chat.prompts import LETTERS
from timeground.data.formats.files import UNKNOWN_DURATION_S, find_file, read_json, record
from timeground.data.formats.options import leading_letter
from timeground.data.rows import Row

SPLITS = ("multi-choice", "yes_no", "caption_matching")
DOWNLOAD = "github.com/llyx97/TempCompass (questions)"


def read(root: Path, split: str = "multi-choice") -> Iterator[Row]:
    """Yield rows of ``<split>.json``, ids ``<video>-<split>-<aspect>-<number>``."""
    path = find_file(root, f"{split}.json", f"questions/{split}.json", download=DOWNLOAD)
    split = path.stem
    with record(path, "top level"):
        videos = list(read_json(path).items())
    for video, aspects in videos:
        with record(path, video):
            items = [(aspect, i, item) for aspect, listed in aspects.items() for i, item in enumerate(listed)]
        for aspect, index, item in items:
            with record(path, f"{video}/{aspect}/{index}"):
                question, options, answer = _parts(split, item["question"], item["answer"])
                yield Row(
                    id=f"{video}-{split}-{aspect}-{index}",
                    video=f"{video}.mp4",
                    duration=UNKNOWN_DURATION_S,
                    source=f"tempcompass/{split}",
                    question=question,
                    options=options,
                    answer=answer,
                    meta={"aspect": aspect, "question": item["question"], "answer": item["answer"]},
                )


def _parts(split: str, question: str, answer: str) -> tuple[str, list[str] | None, str]:
    """Return the question, options without their marks, and the right letter (or yes/no)."""
    if split == "yes_no":
        return question, None, answer
    text, *lines = question.split("\n")
    mark = ": " if split == "caption_matching" else "."
    options = [line.split(mark, 1)[1].strip() for line in lines]
    if split == "caption_matching":
        return text, options, LETTERS[lines.index(answer)]
    return text, options, leading_letter(answer, options)
