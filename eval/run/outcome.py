"""From answers to files: ``results.json``, ``timings.json``, each task's ``samples.jsonl``, ``report.html``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from timeground.chat.profile import Profile
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.files.content_keys import rows_contents
from timeground.files.json_text import dump_json
from timeground.files.whole_files import write_text
from timeground.media.containers.container import made_by
from timeground.models.base import Model
from timeground.models.knowledge import warning
from timeground.models.names import shown_name

from ..reading import Prediction
from ..samples import write_samples
from ..scores import Scores
from ..tasks import Task
from . import saliency
from .answers import CLEAN, Answer, AnswerFile, predictions
from .confidence import Claim, claims_of, confidence_result, confidence_text, null_result
from .costs import mean_cost
from .looked import search_result, search_text
from .passk import pass_at_k_result
from .probes import probe_result
from .report import write_report
from .settings import RunSettings
from .videos import contents_of, group_rows

PACKAGES = ("timeground", "torch", "transformers", "av", "numpy")


@dataclass(frozen=True)
class TaskOutcome:
    """A finished task."""

    task: Task
    scores: Scores
    answers: Mapping[tuple[str, str], Answer]
    extra: dict[str, Any]
    """What probes, sampled answers and confidences tell."""
    claims: Sequence[Claim] = ()
    """How sure its answers are."""


def write_outcome(
    output: Path,
    tasks: Sequence[Task],
    model: Model,
    settings: RunSettings,
    missing: Mapping[str, list[str]],
    seconds: Mapping[str, float],
    follow_links: bool = False,
    calibration: Mapping[str, Any] | None = None,
) -> list[TaskOutcome]:
    """Score all tasks and write every file of a run; all but ``timings.json`` are the same in every run.

    calibration: what was fitted on the answers of this run, where that was asked for.
    """
    outcomes = [score_task(output, task, settings, follow_links, model.profile) for task in tasks]
    results = {
        "model": settings.model,
        "method": settings.method,
        "model_contents": model.contents,
        "warning": _warning(tasks, model),
        **({"notice": model.notice} if model.notice else {}),
        "profile": model.profile.to_json(),
        "decoding": {"temperature": 0.0, "choice_by": settings.choice_by, "max_new_tokens": settings.max_new_tokens},
        "skip_missing": settings.skip_missing,
        "tasks": {
            o.task.spec.name: {
                **o.scores.to_json(),
                **o.extra,
                "prompt": _prompt(o.task, model),
                "rows_contents": rows_contents(o.task.rows),
                "missing_videos": missing[o.task.spec.name],
            }
            for o in outcomes
        },
        "versions": {name: _version(name) for name in PACKAGES},
    }
    if calibration is not None:
        results["calibration"] = calibration
    for outcome in outcomes:
        write_samples(output / outcome.task.spec.name / "samples.jsonl", outcome.scores.samples)
    _write_json(output / "results.json", results)
    rows = sum(len(o.task.rows) for o in outcomes)
    _write_json(output / "timings.json", _timings(seconds, rows) | _sharing(model))
    write_report(output / "report.html", results, outcomes, model)
    for outcome in outcomes:
        print("\n".join([outcome.scores.to_text(), *confidence_text(outcome.extra), *search_text(outcome.extra)]))
    if results["warning"]:
        print(f"warning: {results['warning']}")
    if model.notice:
        print(f"notice: {model.notice}")
    print(f"wrote {output / 'results.json'} and {output / 'report.html'}")
    return outcomes


def read_answers(output: Path, task: Task, follow_links: bool = False) -> dict[tuple[str, str], Answer]:
    """Return the answers to a task that lie in a run's folder, about its videos as they are now."""
    videos = contents_of(group_rows(task.rows, task.video_root, follow_links))
    return AnswerFile(output / task.spec.name, 0).read(videos)


def score_task(
    output: Path, task: Task, settings: RunSettings, follow_links: bool = False, profile: Profile | None = None
) -> TaskOutcome:
    """Score the answers that lie in a run's folder. profile: of the model, for its confidences; raw ones without."""
    answers = read_answers(output, task, follow_links)
    said = predictions(task.rows, answers, CLEAN, profile)
    extra: dict[str, Any] = {}
    if settings.num_samples and task.spec.judging == "qvhighlights":
        said = _with_votes(task.rows, said, answers)
        extra["saliency"] = saliency.SOURCE
    scores = task.score(said)
    failed = {a.id: a.error for a in answers.values() if a.error}
    if failed:
        extra["unreadable_videos"] = failed
    if settings.num_samples:
        extra["pass_at_k"] = pass_at_k_result(task, answers)
    if settings.probes:
        extra["probes"] = {p: probe_result(task, answers, p, scores) for p in settings.probes}
    claims = claims_of(task.rows, answers, profile or Profile())
    told = {
        "confidence": confidence_result(claims, profile or Profile()),
        "null_rejection": null_result(task.rows, said),
        "search": search_result(task.rows, scores.samples),
    }
    extra |= {name: found for name, found in told.items() if found}
    if cost := mean_cost(scores.samples):
        extra["cost"] = asdict(cost)
    return TaskOutcome(task, scores, answers, extra, claims)


def _with_votes(
    rows: Sequence[Row], said: Mapping[str, Prediction], answers: Mapping[tuple[str, str], Answer]
) -> dict[str, Prediction]:
    """Return predictions with saliency, where a row has scores to compare it with."""
    found = dict(said)
    for row in rows:
        if row.id in said and "saliency_scores" in row.meta:
            samples = [one.prediction() for one in answers[row.id, CLEAN].samples]
            found[row.id] = said[row.id].merged(Prediction(saliency=saliency.votes(row, samples)))
    return found


def _warning(tasks: Sequence[Task], model: Model) -> str | None:
    """Say why scores mean little: the model knows nothing of a task's videos."""
    for task in tasks:
        for path in dict.fromkeys(group.path for group in group_rows(task.rows, task.video_root)):
            try:
                told = warning(shown_name(model.name), model.profile, made_by(path))
            except UserError:
                continue  # it cannot be read, and is told as such
            if told:
                return f"{task.spec.name}: {told}"
    return None


def _prompt(task: Task, model: Model) -> str | None:
    """Return what the model was asked for the first row."""
    return task.prompt(task.rows[0], model.profile.prompts()) if task.rows else None


def _timings(seconds: Mapping[str, float], rows: int) -> dict[str, Any]:
    total = seconds["total"]
    shares = {f"{name}_share": round(s / total, 4) for name, s in seconds.items() if name != "total"}
    rounded = {f"{name}_s": round(s, 3) for name, s in seconds.items()}
    return {**rounded, **shares, "rows": rows, "rows_per_s": round(rows / total, 3)}


def _sharing(model: Model) -> dict[str, str]:
    """Return how the questions about a video shared a prefix, where that is not the way of our families."""
    return {"prefix": model.prefix_sharing} if model.prefix_sharing else {}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _write_json(path: Path, content: Any) -> None:
    write_text(path, dump_json(content, indent=2) + "\n")
