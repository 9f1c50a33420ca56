"""The final files of a run: rows.jsonl, rejected.jsonl, summary.json. The same work gives the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from timeground.data.rows import Row, write_rows
from timeground.files.json_text import dump_json
from timeground.files.whole_files import write_text

from .recipe import Recipe
from .shards import Plan


def write_outcome(recipe: Recipe, plan: Plan, warnings: Sequence[str] = ()) -> dict[str, Any]:
    """Write the three files into the output folder and return what is in summary.json."""
    output, last = Path(recipe.output), len(plan.folders) - 1
    write_rows(output / "rows.jsonl", _rows(plan, last))
    rejected, failed, badly_covered, num_tokens = [], {}, {}, 0
    for item in plan.items(last):
        rejected += [{"video": item.video, **one} for one in item.rejected]
        num_tokens += item.facts.get("tokens", 0)
        if item.failure:
            failed[item.video] = item.failure
        coverage = item.facts.get("coverage")
        if coverage and "flag" in coverage:
            badly_covered[item.video] = coverage["flag"]
    lines = [dump_json(_ordered(one)) + "\n" for one in rejected]
    write_text(output / "rejected.jsonl", "".join(lines))
    summary = {
        "videos": plan.num_videos,
        "rows_in": plan.total(0, "rows"),
        "rows_out": plan.total(last, "rows"),
        "rejected": len(rejected),
        "models": {name: model.name for name, model in sorted(recipe.models.items())},
        "warnings": list(warnings),
        "tokens_written_by_models": num_tokens,
        "stages": _stages(recipe, plan, rejected),
        "failed_videos": failed,
        "badly_covered_videos": badly_covered,
    }
    write_text(output / "summary.json", dump_json(summary, indent=2) + "\n")
    return summary


def _rows(plan: Plan, position: int) -> Iterator[Row]:
    """Yield the rows that are left after a stage."""
    for item in plan.items(position):
        yield from item.rows


def _ordered(one: dict[str, Any]) -> dict[str, Any]:
    """Return a rejected row with what people look for in front."""
    return {key: one.get(key) for key in ("video", "stage", "class", "reason", "row")}


def _stages(recipe: Recipe, plan: Plan, rejected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what each stage got, dropped (by class) and changed."""
    changed = _changes(plan)
    report = []
    for position, stage in enumerate(recipe.stages, start=1):
        dropped = Counter(one["class"] for one in rejected if one["stage"] == stage.stage)
        report.append(
            {
                "stage": stage.stage,
                "rows_in": plan.total(position - 1, "rows"),
                "rows_out": plan.total(position, "rows"),
                "dropped": dict(sorted(dropped.items())),
                "changed": dict(sorted(changed.get(stage.stage, Counter()).items())),
            }
        )
    return report


def _changes(plan: Plan) -> dict[str, Counter[str]]:
    """Return how often each stage changed what in the rows that are left."""
    changes: dict[str, Counter[str]] = {}
    for item in plan.items(len(plan.folders) - 1):
        for row in item.rows:
            for entry in row.history:
                if "stage" in entry and "what" in entry:
                    changes.setdefault(entry["stage"], Counter())[entry["what"].split(":")[0]] += 1
    return changes
