"""`timeground data report`: one page about a run, with what came in, what each stage dropped and changed, and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from timeground.data.rows import Row, read_rows, resolve_video
from timeground.errors import UserError
from timeground.files.json_text import lines_of
from timeground.files.scratch import scratch_folder
from timeground.report.page import Page
from timeground.report.row_table import Column, TableRow
from timeground.spans import total_length_s

from .notes import difficulty, quality
from .shards import read_plan

MOST_REASONS = 40
MOST_ROWS = 2000
COLUMNS = (
    Column("asked"),
    Column("video"),
    Column("state", is_filter=True),
    Column("last stage", is_filter=True),
    Column("when"),
    Column("id"),
)
Values = Callable[[Row], list[float]]


def write_report(folder: Path, num_samples: int = 12) -> Path:
    """Write ``report.html`` into the output folder of a run and return its path.

    Raise UserError if no run ended there.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        recipe = yaml.safe_load((folder / "recipe.yaml").read_text(encoding="utf-8"))
        before = [row for item in read_plan(folder).items(0) for row in item.rows]
    except (OSError, ValueError, KeyError, yaml.YAMLError):
        raise UserError(f"{folder}: no finished run; give the output folder of timeground data run") from None
    after = list(read_rows(folder / "rows.jsonl"))
    rejected = [json.loads(line) for line in lines_of((folder / "rejected.jsonl").read_text(encoding="utf-8"))]
    videos = Path(recipe["input"]["videos"])
    page = Page(f"Data pipeline: {folder.resolve().name}", [videos, folder])
    _counts(page, summary)
    _reasons(page, rejected)
    _distributions(page, before, after)
    _samples(page, after, rejected, videos, num_samples)
    page.write(folder / "report.html")
    return folder / "report.html"


def _counts(page: Page, summary: dict[str, Any]) -> None:
    """Show what came in, and stage by stage what is left."""
    came, left = summary["rows_in"], summary["rows_out"]
    page.note(f"{summary['videos']} videos with {came} rows came in; {left} rows are left.")
    for line in summary.get("warnings", ()):
        page.note(f"Warning: {line}.")
    if tokens := summary["tokens_written_by_models"]:
        page.note(f"The models wrote {tokens} tokens.")
    page.heading("Stages")
    lines = [
        (one["stage"], one["rows_in"], one["rows_out"], _in_words(one["dropped"]), _in_words(one["changed"]))
        for one in summary["stages"]
    ]
    page.table(("stage", "rows in", "rows out", "dropped", "changed"), lines)
    if flagged := summary["badly_covered_videos"]:
        page.heading("Videos whose rows cover too little")
        page.table(("video", "why"), list(flagged.items())[:MOST_REASONS])
    if summary["failed_videos"]:
        page.heading("Videos that failed")
        failed = [(video, one["stage"], one["reason"]) for video, one in summary["failed_videos"].items()]
        page.table(("video", "stage", "reason"), failed[:MOST_REASONS])


def _in_words(counts: dict[str, int]) -> str:
    """Return counts as text."""
    return ", ".join(f"{name}: {count}" for name, count in counts.items())


def _reasons(page: Page, rejected: list[dict[str, Any]]) -> None:
    """Show the reasons by class, with an example each."""
    page.heading("Why rows were dropped")
    counts = Counter((one["stage"], one["class"]) for one in rejected)
    example = {(one["stage"], one["class"]): one for one in reversed(rejected)}
    lines = []
    for (stage, kind), count in counts.most_common(MOST_REASONS):
        row = example[stage, kind]["row"] or {}
        lines.append((stage, kind, count, row.get("query", ""), example[stage, kind]["reason"]))
    page.table(("stage", "class", "rows", "for example", "because"), lines)


def _distributions(page: Page, before: list[Row], after: list[Row]) -> None:
    """Show the same histogram of what came in and of what is left."""
    page.heading("Before and after")
    _histogram(page, "Duration of the video, s", before, after, lambda row: [row.duration])
    _histogram(page, "Length of the spans, s", before, after, lambda row: [total_length_s(row.spans)] * bool(row.spans))
    _histogram(
        page,
        "Middle of a span, share of the video",
        before,
        after,
        lambda row: [span.centre_s / row.duration for span in row.spans],
    )
    _histogram(page, "Mean IoU of the rollouts", [], after, _mean_iou)
    _histogram(page, "Agreement of the passes", [], after, _agreement)
    for name, rows in (("came in", before), ("left", after)):
        counts = Counter(row.direction for row in rows)
        page.bars(f"Direction, rows that {name}", {kind: float(counts[kind]) for kind in sorted(counts)})


def _mean_iou(row: Row) -> list[float]:
    """Return the mean IoU of a row's rollouts, if it is known."""
    return [float(difficulty(row)["mean_iou"])] if "mean_iou" in row.difficulty else []


def _agreement(row: Row) -> list[float]:
    """Return how well the passes agree on a row, if any answered it."""
    return [float(quality(row)["agreement"]["iou"])] if "agreement" in row.quality else []


def _histogram(page: Page, title: str, before: Iterable[Row], after: Iterable[Row], values: Values) -> None:
    """Show bars of both, over the same bins."""
    sides = {"came in": [v for row in before for v in values(row)], "left": [v for row in after for v in values(row)]}
    everything = [value for side in sides.values() for value in side]
    if not everything:
        return
    edges = np.histogram_bin_edges(everything, bins=10)
    for name, side in sides.items():
        if side:
            counts, _ = np.histogram(side, edges)
            bars = {f"{low:.3g}": float(count) for low, count in zip(edges, counts, strict=False)}
            page.bars(f"{title}: rows that {name}", bars)


def _samples(page: Page, after: list[Row], rejected: list[dict[str, Any]], root: Path, count: int) -> None:
    """Show rows with their histories: those changed, those dropped and those left as they came.

    As many of each are shown with a strip of frames.
    """
    page.heading("Rows")
    dropped = [(Row.from_json(one["row"]), f"{one['class']}: {one['reason']}") for one in rejected if one["row"]]
    groups = {
        "changed": [(row, "") for row in after if row.history],
        "dropped": dropped,
        "as it came": [(row, "") for row in after if not row.history],
    }
    shown = [entry for state, rows in groups.items() for entry in _table_rows(state, rows, root, max(0, count // 3))]
    page.rows(COLUMNS, shown)
    if sum(map(len, groups.values())) > len(shown):
        page.note(f"Of each kind the first {MOST_ROWS} are listed; rows.jsonl and rejected.jsonl have all.")


def _table_rows(state: str, rows: list[tuple[Row, str]], root: Path, num_strips: int) -> Iterable[TableRow]:
    """Yield rows of one kind; as many as are wanted, spread over them, with a strip of frames."""
    rows = rows[:MOST_ROWS]
    step = max(1, len(rows) // max(1, num_strips))
    with_strips = set(range(0, len(rows), step)[:num_strips])
    for number, (row, why) in enumerate(rows):
        times = ", ".join(f"{span.start_s:.1f} - {span.end_s:.1f}" for span in row.spans)
        lines = [why] * bool(why) + [f"{e['stage']}: {e['what']}, {e['why']}" for e in row.history]
        stage = row.history[-1]["stage"] if row.history else ""
        cells = [row.query or row.question, row.video, state, stage, times or "does not happen", row.id]
        yield TableRow(cells, lines, _strip(root, row) if number in with_strips else None)


def _strip(root: Path, row: Row) -> bytes | None:
    """Return frames along the row's time axis with its spans; None where the video cannot be read."""
    from timeground.media.containers.frame_folder import DEFAULT_FOLDER_FPS
    from timeground.media.sampling import Sampling
    from timeground.media.video import Video
    from timeground.report.timeline import save_timeline

    sampling = Sampling(fps=1.0, max_frames=12, min_tokens_per_pair=16, max_tokens_per_pair=32, total_tokens=400)
    try:
        path = resolve_video(root, row.video)
        video = Video(path, folder_fps=row.folder_fps or DEFAULT_FOLDER_FPS, num_threads=1)
        clip = video.part(row.window, sampling)
    except UserError:
        return None
    with scratch_folder("report") as scratch:
        picture = scratch / "strip.png"
        save_timeline(picture, clip, [("spans", row.spans)])
        return picture.read_bytes()
