"""Methods side by side: scores with intervals, what each costs, what each budget buys, and every row.

``results.json`` is the same in every run; seconds, which are not, stand in ``timings.json`` and on the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from timeground.data.rows import Row
from timeground.files.json_text import dump_json
from timeground.files.whole_files import write_text
from timeground.models.base import Model
from timeground.models.names import shown_name
from timeground.report.cost_curve import cost_curve
from timeground.report.page import Page
from timeground.report.row_table import Column, TableRow

from ..compare import Comparison, compare
from ..film import NUM_STRIPS, film_strip
from ..samples import Sample
from .costs import Cost, SecondsFile, budget_curve, cost_of, mean_cost, mean_seconds
from .looked import search_text, sparse_notes
from .outcome import TaskOutcome
from .settings import folder_name

HEADLINES = ("mIoU", "set IoU", "Acc@GQA", "accuracy")
"""By which metric methods are drawn; the first that a task has."""
NUM_METRICS = 6
"""Metrics that the table of methods has at most."""
Methods = Mapping[str, Sequence[TaskOutcome]]
"""The outcomes of each method, in one order of tasks."""


def write_side_by_side(output: Path, model_name: str, found: Methods, model: Model) -> None:
    """Write the page, ``results.json`` and ``timings.json`` of all methods, and print the table of each task."""
    tasks = [outcome.task.spec.name for outcome in next(iter(found.values()))]
    seconds = {name: _seconds(output, found, number) for number, name in enumerate(tasks)}
    sides = {name: {method: all_[number] for method, all_ in found.items()} for number, name in enumerate(tasks)}
    results = {"model": model_name, "tasks": {name: _result(side) for name, side in sides.items()}}
    write_text(output / "results.json", dump_json(results, indent=2) + "\n")
    write_text(output / "timings.json", dump_json({"seconds_a_query": seconds}, indent=2) + "\n")
    folders = [outcome.task.video_root for outcome in next(iter(found.values()))]
    page = Page(f"timeground eval: {shown_name(model_name)}, by {', '.join(found)}", [*folders, output])
    page.note("Each method's own page lies in the folder of its name. Costs are means over the answered rows.")
    for name, side in sides.items():
        _add_task(page, name, side, seconds[name], model)
        print("\n".join(_text(name, side, seconds[name])))
    page.write(output / "report.html")
    print(f"wrote {output / 'results.json'} and {output / 'report.html'}, which compare the methods")


def _seconds(output: Path, found: Methods, number: int) -> dict[str, float | None]:
    """Return the mean seconds a query of each method for one task."""
    return {
        method: mean_seconds(
            SecondsFile(output / folder_name(method) / outcomes[number].task.spec.name, 0).read(),
            outcomes[number].scores.samples,
        )
        for method, outcomes in found.items()
    }


def _result(side: Mapping[str, TaskOutcome]) -> dict[str, Any]:
    return {
        "methods": {
            method: {
                "strict": {name: _rounded(value) for name, value in outcome.scores.strict.items()},
                "cost": outcome.extra.get("cost"),
                "search": outcome.extra.get("search"),
            }
            for method, outcome in side.items()
        },
        "differences": [
            {"method": method, **_difference(one)} for method, found in _comparisons(side).items() for one in found
        ],
    }


def _difference(one: Comparison) -> dict[str, Any]:
    by = one.difference
    told = {"metric": one.metric, "rows": one.num_rows, "difference": _rounded(by.difference)}
    return told | {"interval": [_rounded(by.low), _rounded(by.high)], "better": _better(one)}


def _better(one: Comparison) -> str:
    """Return which is better in words of methods: the first one is A."""
    return {"A": "the first", "B": "this one"}.get(one.verdict, one.verdict)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _comparisons(side: Mapping[str, TaskOutcome]) -> dict[str, list[Comparison]]:
    """Return how each other method differs from the first one, by method."""
    (_, first), *others = side.items()
    return {method: compare(first.scores.samples, outcome.scores.samples) for method, outcome in others}


def _headline(side: Mapping[str, TaskOutcome]) -> str:
    strict = next(iter(side.values())).scores.strict
    return next((name for name in HEADLINES if name in strict), next(iter(strict)))


def _shown_metrics(side: Mapping[str, TaskOutcome]) -> list[str]:
    scores = next(iter(side.values())).scores
    names = list(dict.fromkeys([_headline(side), *scores.headline, *scores.strict]))
    return [name for name in names if name in scores.strict][:NUM_METRICS]


def _costs(outcome: TaskOutcome, seconds: float | None) -> dict[str, str]:
    """Return the cost columns; that of a draft is there for all, and is empty where nothing was drafted."""
    cost = mean_cost(outcome.scores.samples) or Cost(0, 0, 0, 0)
    return {
        "calls": f"{cost.calls:.1f}",
        "visual tokens": f"{cost.visual_tokens:.0f}",
        "draft tokens": f"{cost.draft_tokens:.0f}" if cost.draft_tokens else "",
        "frames": f"{cost.frames:.1f}",
        "seconds": "" if seconds is None else f"{seconds:.2f}",
    }


def _table(side: Mapping[str, TaskOutcome], seconds: Mapping[str, float | None]) -> tuple[list[str], list[list[str]]]:
    """Return head and lines: each method with its metrics in percent and its costs a query."""
    names = _shown_metrics(side)
    costs = {method: _costs(outcome, seconds[method]) for method, outcome in side.items()}
    columns = [name for name in next(iter(costs.values())) if any(one[name] for one in costs.values())]
    lines = [
        [
            method,
            *(_number(outcome.scores.strict.get(name)) for name in names),
            *(costs[method][name] for name in columns),
        ]
        for method, outcome in side.items()
    ]
    return ["method", *names, *columns], lines


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _text(name: str, side: Mapping[str, TaskOutcome], seconds: Mapping[str, float | None]) -> list[str]:
    head, lines = _table(side, seconds)
    widths = [max(len(line[place]) for line in [head, *lines]) for place in range(len(head))]
    first = f"{name}, strict protocol, costs a query:"
    return [first, *("  ".join(cell.rjust(w) for cell, w in zip(line, widths, strict=True)) for line in [head, *lines])]


def _add_task(
    page: Page, name: str, side: Mapping[str, TaskOutcome], seconds: Mapping[str, float | None], model: Model
) -> None:
    page.heading(name)
    page.note(next(iter(side.values())).task.spec.about)
    metric = _headline(side)
    page.table(*_table(side, seconds))
    page.intervals(
        f"{metric}, strict protocol, percent, with 95 % intervals",
        {method: [_point(outcome, metric)] for method, outcome in side.items()},
    )
    lines = {method: budget_curve(outcome.scores.samples, metric) for method, outcome in side.items()}
    page.drawing(
        f"{metric} for a budget: answers that took more visual tokens than it are worth nothing",
        cost_curve(lines, ("visual tokens a query, drafts included", metric)),
    )
    for method, outcome in side.items():
        for line in search_text(outcome.extra):
            page.note(f"{method} {line}.")
        for note in list(sparse_notes(outcome.scores.samples, model.sampling()).values())[:1]:
            page.note(f"{method} read long videos sparsely: {note}.")
    _add_differences(page, side)
    _add_rows(page, side, metric, model)


def _point(outcome: TaskOutcome, metric: str) -> tuple[float, float | None, float | None]:
    interval = outcome.scores.intervals.get(metric)
    value = outcome.scores.strict.get(metric) or 0.0
    return (value, None, None) if interval is None else (value, interval.low, interval.high)


def _add_differences(page: Page, side: Mapping[str, TaskOutcome]) -> None:
    first = next(iter(side))
    lines = [
        [
            method,
            one.metric,
            f"{one.difference.difference:+.2f}",
            "" if one.difference.low is None else f"{one.difference.low:+.2f} to {one.difference.high:+.2f}",
            _better(one),
        ]
        for method, found in _comparisons(side).items()
        for one in found
        if one.metric in _shown_metrics(side)
    ]
    page.table(["method", "metric", f"difference to {first}", "95 % interval", "better"], lines)


def _add_rows(page: Page, side: Mapping[str, TaskOutcome], metric: str, model: Model) -> None:
    """Add every row with what each method made of it; those on which methods differ most stand first."""
    task = next(iter(side.values())).task
    said = {method: {s.id: s for s in outcome.scores.samples} for method, outcome in side.items()}
    rows = sorted(task.rows, key=lambda row: -_spread([one[row.id].metrics.get(metric, 0.0) for one in said.values()]))
    columns = [Column("asked"), Column("video"), Column("kind", is_filter=True), Column("best", is_filter=True)]
    for method in side:
        columns += [Column(method, is_number=True), Column(f"tokens of {method}", is_number=True)]
    page.heading("rows", 3)
    page.rows(
        columns,
        [
            TableRow(
                _cells(row, {m: one[row.id] for m, one in said.items()}, metric),
                [f"row {row.id}", *(_line(method, one[row.id]) for method, one in said.items())],
                film_strip(row, task.video_root, model.sampling(), [(m, one[row.id]) for m, one in said.items()])
                if place < NUM_STRIPS
                else None,
            )
            for place, row in enumerate(rows)
        ],
    )


def _spread(values: Sequence[float]) -> float:
    return max(values) - min(values)


def _cells(row: Row, said: Mapping[str, Sample], metric: str) -> list[object]:
    worth = {method: sample.metrics.get(metric, 0.0) for method, sample in said.items()}
    best = [method for method, value in worth.items() if value == max(worth.values())]
    cells: list[object] = [row.question or row.query, row.video, row.task, "same" if len(best) > 1 else best[0]]
    for method, sample in said.items():
        cells += [worth[method], int(cost_of(sample.trace).total_tokens) if sample.trace else None]
    return cells


def _line(method: str, sample: Sample) -> str:
    if sample.text is None:
        return f"{method}: no answer"
    costs = asdict(cost_of(sample.trace)) if sample.trace else {}
    told = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in costs.items() if value)
    return f"{method} said: {sample.text}" + (f" ({told})" if told else "")
