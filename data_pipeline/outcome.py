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
    rejected, failed, badly_covered, tokens = [], {}, {}, 0
    for item in plan.items(last):
        rejected += [{"video": item.video, **one} for one in item.rejected]
        tokens += item.facts.get("tokens", 0)
        if item.failure:
            failed[item.video] = item.failure
        if flag := item.facts.get("coverage", {}).get("flag"):
            badly_covered[item.video] = flag
    lines = [dump_json(_ordered(one)) + "\n" for one in rejected]
    write_text(output / "rejected.jsonl", "".join(lines))
    summary = {
        "videos": plan.num_videos,
        "rows_in": sum(plan.counts(0, shard)["rows"] for shard in range(plan.num_shards)),
        "rows_out": sum(plan.counts(last, shard)["rows"] for shard in range(plan.num_shards)),
        "rejected": len(rejected),
        "models": {name: model.name for name, model in sorted(recipe.models.items())},
        "warnings": list(warnings),
        "tokens_written_by_models": tokens,
        "stages": _stages(recipe, plan, rejected),
        "failed_videos": failed,
        "badly_covered_videos": badly_covered,
    }
    write_text(output / "summary.json", dump_json(summary, indent=2) + "\n")
    return summary


def _rows(plan: Plan, place: int) -> Iterator[Row]:
    for item in plan.items(place):
        yield from item.rows


def _ordered(one: dict[str, Any]) -> dict[str, Any]:
    """A rejected row: what people look for comes first."""
    return {key: one.get(key) for key in ("video", "stage", "class", "reason", "row")}


def _stages(recipe: Recipe, plan: Plan, rejected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each stage got, dropped (by class) and changed."""
    changed = _changes(plan)
    report = []
    for place, stage in enumerate(recipe.stages, start=1):
        shards = range(plan.num_shards)
        dropped = Counter(one["class"] for one in rejected if one["stage"] == stage.stage)
        report.append(
            {
                "stage": stage.stage,
                "rows_in": sum(plan.counts(place - 1, shard)["rows"] for shard in shards),
                "rows_out": sum(plan.counts(place, shard)["rows"] for shard in shards),
                "dropped": dict(sorted(dropped.items())),
                "changed": dict(sorted(changed.get(stage.stage, Counter()).items())),
            }
        )
    return report


def _changes(plan: Plan) -> dict[str, Counter[str]]:
    """How often each stage changed what in the rows that are left."""
    found: dict[str, Counter[str]] = {}
    for item in plan.items(len(plan.folders) - 1):
        for row in item.rows:
            for entry in row.history:
                if "stage" in entry and "what" in entry:
                    found.setdefault(entry["stage"], Counter())[entry["what"].split(":")[0]] += 1
    return found
