"""What each benchmark's own evaluator computes, edge cases and faults included; one module an evaluator.

Each has its own parser and arithmetic, kept apart from timeground's on purpose, and says in its docstring what it
does with unreadable, reversed, missing and repeated predictions. Written from descriptions of the evaluators; no code
of theirs.
"""

from __future__ import annotations

from . import (
    cgbench,
    charades,
    charades_2025,
    dynbench,
    extremewhenbench,
    longvideobench,
    lvbench,
    mlvu,
    mvbench,
    nextgqa,
    nextqa,
    qvhighlights,
    rextime,
    tan2d,
    tempcompass,
    time_r1,
    timelens,
    timelens2,
    timescope,
    videomme,
    vue_tr,
)
from .result import Evaluator, Official

__all__ = ["EVALUATORS", "Evaluator", "Official"]

EVALUATORS: dict[str, Evaluator] = {
    "cgbench": cgbench.evaluate,
    "charades": charades.evaluate,
    "charades-2025": charades_2025.evaluate,
    "dynbench": dynbench.evaluate,
    "extremewhenbench": extremewhenbench.evaluate,
    "longvideobench": longvideobench.evaluate,
    "lvbench": lvbench.evaluate,
    "mlvu": mlvu.evaluate,
    "mvbench": mvbench.evaluate,
    "nextgqa": nextgqa.evaluate,
    "nextqa": nextqa.evaluate,
    "qvhighlights": qvhighlights.evaluate,
    "rextime": rextime.evaluate,
    "tan2d": tan2d.evaluate,
    "tempcompass-matching": tempcompass.evaluate_matching,
    "tempcompass-multi-choice": tempcompass.evaluate_multi_choice,
    "tempcompass-yes-no": tempcompass.evaluate_yes_no,
    "time-r1": time_r1.evaluate,
    "timelens": timelens.evaluate,
    "timelens2": timelens2.evaluate,
    "timescope": timescope.evaluate,
    "tvbench": mvbench.evaluate_tvbench,
    "videomme": videomme.evaluate,
    "vue-tr-v1": vue_tr.evaluate_v1,
    "vue-tr-v2": vue_tr.evaluate_v2,
}
