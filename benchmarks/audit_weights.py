"""How much should the audit trust the passes, and how much the judge? Fits its weights where the truth is known.

    python -m benchmarks.audit_weights --seeds 20 21 22 23

Damages rows of SynthMoments' validation split as `pipeline_cleans` does (other videos than the test split's), runs the
recipe on them, and fits the log-odds that a row is wrong, by its span, event or query, to the evidence that the audit
has kept in each row: logistic regression without a penalty. Prints one JSON line: the weights for the recipe, and for
several `min_doubt` the precision and recall of finding wrong rows, summed over the seeds. A run that was stopped goes
on. Give other models by ``models.judge.name=FOLDER``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from timeground.data_pipeline.stages.evidence import Evidence, Weights

from benchmarks.common import machine, versions
from benchmarks.pipeline_cleans import clean, parser
from timeground.data.rows import Row, read_rows

WRONG = ("span", "missing", "ambiguous")
DOUBTS = (0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.4, 0.5)


def audited(out: Path) -> list[tuple[str, Evidence]]:
    """Row id and evidence of every row that the audit has looked at, kept or not."""
    rows = [*read_rows(out / "rows.jsonl")]
    lines = (out / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    rows += [Row.from_json(one["row"]) for one in map(json.loads, lines) if one["row"]]
    found = [(row.id, dict(row.quality.get("evidence", {}))) for row in rows]
    return [(row_id, Evidence(**{k: v for k, v in kept.items() if k != "doubt"})) for row_id, kept in found if kept]


def fit(signs: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """Base and weights of the logistic regression of `wrong` ``[n]`` on `signs` ``[n, 3]``, by Newton's method."""
    inputs = np.column_stack([np.ones(len(signs)), signs])
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-inputs @ weights))
        curvature = (inputs * (likely * (1 - likely))[:, None]).T @ inputs
        step = np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), inputs.T @ (wrong - likely))
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return weights


def table(doubts: np.ndarray, wrong: np.ndarray) -> list[dict[str, float]]:
    """Precision and recall for several `min_doubt`."""
    found = [doubts >= least for least in DOUBTS]
    return [
        {
            "min_doubt": least,
            "precision": round(float(wrong[hit].mean()), 3) if hit.any() else 1.0,
            "recall": round(float(hit[wrong].mean()), 3),
        }
        for least, hit in zip(DOUBTS, found, strict=True)
    ]


def main() -> None:
    """Run the recipe for each seed, fit, print."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, nargs="+", default=[20, 21, 22, 23])
    args = options.parse_args()
    signs, wrong = [], []
    for seed in args.seeds:
        out, _, kinds, _ = clean(argparse.Namespace(**vars(args), seed=seed, split="validation"))
        for row_id, evidence in audited(out):
            if (known := evidence.signs()) is not None:
                signs.append(known)
                wrong.append(kinds.get(row_id) in WRONG)
    truth = np.array(wrong)
    fitted = fit(np.array(signs), truth.astype(float))
    names: list[str] = list(Weights.model_fields)
    likely = 1 / (1 + np.exp(-fitted[0] - np.array(signs) @ fitted[1:]))
    result: dict[str, Any] = {
        "benchmark": "audit_weights",
        "rows": len(truth),
        "wrong": int(truth.sum()),
        "weights": {name: round(float(value), 2) for name, value in zip(names, fitted, strict=True)},
        "found": table(likely, truth),
        "versions": versions("torch", "transformers"),
        "machine": machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
