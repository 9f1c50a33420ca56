"""How much should the audit trust the passes, and how much the judge? Fits its weights where the truth is known.

    python -m benchmarks.audit_weights --seeds 20 21 22 23

Damages rows of SynthMoments' validation split as `pipeline_cleans` does (other videos than the test split's), runs the
recipe on them, and fits the log-odds that a row is wrong, by its span, event or query, to the evidence that the audit
has kept in each row: logistic regression without a penalty. Prints one JSON line: ``weights``, with the model that they
are for, as the recipe's audit takes them (``stages.5.weights={...}``), and for several `min_doubt` the precision and
recall of finding wrong rows, summed over the seeds. A run that was stopped goes on. Give another judge by
``models.judge.name=FOLDER``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from timeground.data_pipeline.recipe import Recipe
from timeground.data_pipeline.stages.audit.evidence import Evidence, Weights
from timeground.data_pipeline.warnings import weighed_models

from benchmarks.common import machine, versions
from benchmarks.pipeline_cleans import clean, parser
from timeground.data.rows import Row, read_rows

WRONG = ("span", "missing", "ambiguous")
DOUBTS = (0.1, 0.12, 0.14, 0.16, 0.18, 0.2, 0.25, 0.3, 0.4, 0.5)


def audited(out: Path) -> list[tuple[str, Evidence]]:
    """Return row id and evidence of every row that the audit has looked at, kept or not."""
    rows = [*read_rows(out / "rows.jsonl")]
    lines = (out / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    rows += [Row.from_json(one["row"]) for one in map(json.loads, lines) if one["row"]]
    return [(row.id, Evidence.from_json(kept)) for row in rows if (kept := row.quality.get("evidence"))]


def models(out: Path) -> list[str]:
    """Return the models whose answers the last audit of a run weighs."""
    recipe = Recipe.model_validate(yaml.safe_load((out / "recipe.yaml").read_text(encoding="utf-8")))
    return weighed_models(recipe, max(i for i, stage in enumerate(recipe.stages) if stage.stage == "audit"))


def table(doubts: np.ndarray, wrong: np.ndarray) -> list[dict[str, float]]:
    """Return precision and recall for several `min_doubt`."""
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
    features, wrong, names = [], [], set[str]()
    for seed in args.seeds:
        out, _, kinds, _ = clean(argparse.Namespace(**vars(args), seed=seed, split="validation"))
        names.update(models(out))
        for row_id, evidence in audited(out):
            if (known := evidence.features()) is not None:
                features.append(known)
                wrong.append(kinds.get(row_id) in WRONG)
    truth, known_features = np.array(wrong), np.array(features)
    weights = Weights.fit(known_features, truth, sorted(names))
    rest = np.array([weights.support, weights.there, weights.several])
    doubts = 1 / (1 + np.exp(-weights.base - known_features @ rest))
    result: dict[str, Any] = {
        "benchmark": "audit_weights",
        "rows": len(truth),
        "wrong": int(truth.sum()),
        "weights": {key: round(value, 2) if key != "fitted_for" else value for key, value in weights},
        "found": table(doubts, truth),
        "versions": versions("torch", "transformers"),
        "machine": machine(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
