"""TempCompass' rules (llyx97/TempCompass, ``eval_{multi-choice,yes_no,caption_matching}.py``).

An answer that the rules cannot match goes to GPT-3.5 there; here it counts 0, as with its ``--disable_llm``, and a
note says how many. ``</s>`` is cut out first, and blanks at both ends. No reply at all (``null``) is wrong, unasked.

* Multiple choice: the answer line itself; else one letter A to D; else a text that begins with "A." or "A)", whose
  letter counts. The right letter is the first character of the answer.
* Yes/no: by how the lower-case reply begins, so "not sure" is a no.
* Matching: an option line, its sentence, or its mark ("Caption A", "Option 1", or just "A" or "1"; full stops are
  overlooked), alone; what follows the first ") " counts as a sentence too. Later rules overrule earlier ones.

Accuracy per aspect and over all items answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from timeground.data.rows import Row

from ..reading import Prediction, reply_text
from .result import Evaluator, Official, accuracies

GROUPS = ("aspect",)
_LETTERS = ("A", "B", "C", "D")
Grade = Callable[[str, str, str], bool | None]


def grade_multi_choice(reply: str, question: str, answer: str) -> bool | None:
    """Return right or wrong, None where no rule matches. ``question`` and ``answer`` are as published."""
    if reply == answer:
        return True
    if reply in _LETTERS or reply[:2] in {f"{letter}{mark}" for letter in _LETTERS for mark in ".)"}:
        return reply[0] == answer[0]
    return None


def grade_yes_no(reply: str, question: str, answer: str) -> bool | None:
    """Return right or wrong by the beginning of the reply."""
    said = next((word for word in ("yes", "no") if reply.lower().startswith(word)), None)
    return None if said is None else said == answer


def grade_matching(reply: str, question: str, answer: str) -> bool | None:
    """Return right or wrong by option line, sentence or mark."""
    lines = question.split("\n")[1:]
    marks, sentences = [line.split(": ")[0] for line in lines], [line.split(": ")[1] for line in lines]
    marks += [_bare(mark) for mark in marks]
    tail = reply.split(") ")[1] if ") " in reply else reply
    said = next((line for line in lines if line == reply), None)
    said = next((sentence for sentence in reversed(sentences) if sentence in (reply, tail)), said)
    said = next((mark for mark in reversed(marks) if mark in (reply, reply.replace(".", ""))), said)
    if said is None:
        return None
    right_mark = answer.split(":")[0]
    return said in (answer, right_mark, answer.split(": ")[1], *right_mark.split()[1:2])


def _bare(mark: str) -> str:
    """Return a mark without its word: "Caption A" is "A"."""
    for word in ("Sentence ", "Option ", "Caption "):
        mark = mark.replace(word, "")
    return mark


def _evaluator(grade: Grade) -> Evaluator:
    def evaluate(rows: Sequence[Row], predictions: Mapping[str, Prediction]) -> Official:
        """Return accuracy per aspect, in percent."""
        answered = [row for row in rows if row.id in predictions]
        grades = {row.id: graded(grade, row, predictions[row.id]) for row in answered}
        metrics = accuracies(rows, {row_id: float(bool(right)) for row_id, right in grades.items()}, GROUPS)
        layout = {name.removeprefix("accuracy/"): value for name, value in metrics.items() if name != "accuracy"}
        notes = []
        if unmatched := sum(right is None and _is_reply(predictions[row_id]) for row_id, right in grades.items()):
            notes.append(f"official asks GPT about {unmatched} answers that its rules do not match; they count 0 here")
        if len(answered) < len(rows):
            notes.append(f"official leaves {len(rows) - len(answered)} rows without a prediction out")
        return Official(metrics, layout | {"avg": metrics["accuracy"]}, tuple(notes))

    return evaluate


def graded(grade: Grade, row: Row, prediction: Prediction) -> bool | None:
    """Grade a prediction; None where no rule decides."""
    if not _is_reply(prediction):
        return None
    return grade(reply_text(prediction).replace("</s>", "").strip(), row.meta["question"], row.meta["answer"])


def _is_reply(prediction: Prediction) -> bool:
    return prediction.text is not None or prediction.answer is not None


evaluate_multi_choice = _evaluator(grade_multi_choice)
evaluate_yes_no = _evaluator(grade_yes_no)
evaluate_matching = _evaluator(grade_matching)
