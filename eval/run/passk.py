"""pass@k of a task from sampled answers: is there a signal to learn from?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeground.metrics.passk import mean_pass_at_k

from ..score import judge_for
from ..strict import Judged
from ..tasks import Task
from .answers import CLEAN, Answer


def pass_at_k_result(task: Task, answers: Mapping[tuple[str, str], Answer]) -> dict[str, Any]:
    """Return pass@k in percent for k = 1, 2, 4, ...; for grounding at each IoU threshold of the task.

    Rows without sampled answers (unreadable videos) count as never right.
    """
    judge = judge_for(task.spec, {})
    judged = []
    for row in task.rows:
        answer = answers.get((row.id, CLEAN))
        judged.append([judge(row, said.prediction()) for said in answer.samples] if answer else [])
    count = max((len(one) for one in judged), default=0)
    if not count:
        return {}
    judged = [one or [Judged()] * count for one in judged]
    ks = [k for k in (1, 2, 4, 8, 16, 32, 64) if k <= count]
    if task.spec.answer == "ground":
        names = {f"IoU>={t:g}": t for t in task.spec.thresholds}
        right = {name: [[(j.iou or 0.0) >= t for j in one] for one in judged] for name, t in names.items()}
    else:
        right = {"accuracy": [[bool(j.correct) for j in one] for one in judged]}
    return {name: {f"pass@{k}": round(100 * mean_pass_at_k(table, k), 4) for k in ks} for name, table in right.items()}
