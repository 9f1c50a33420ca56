"""``timeground ground VIDEO "query" ...``: spans, a timeline in the terminal, and a picture if asked."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.clock import parse_time, shown_span
from timeground.errors import UserError
from timeground.files.json_text import lines_of
from timeground.files.scratch import scratch_folder
from timeground.files.whole_files import refuse_unwritable
from timeground.media.fetch import fetch, is_web
from timeground.media.suffixes import VIDEO_SUFFIXES
from timeground.methods import METHOD_HELP
from timeground.progress import Bars
from timeground.report.looks import cost, looked_around
from timeground.report.timeline import text_timeline
from timeground.spans import Span

if TYPE_CHECKING:
    from timeground.methods.grounder import Grounder, GroundingAnswer, Watched

EXAMPLE = "example"
EXAMPLE_QUERY = "the blue cross grows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "video",
        help=f"a video file, a folder of frames, an http(s) address, or '{EXAMPLE}' (a clip that ships with it); only "
        "pictures are looked at, sound is not heard",
    )
    parser.add_argument(
        "words", nargs="*", metavar="query", help="what to look for; further video files may stand before the queries"
    )
    parser.add_argument("--queries-file", type=Path, metavar="FILE", help="a text file with one query a line")
    parser.add_argument(
        "--model", default="tiny", help="tiny (default), a Hub id, a folder, or http://host:port/v1#name"
    )
    parser.add_argument(
        "--profile", help="ask the model like a known one (arrowgev), or as a grounding_config.json says"
    )
    parser.add_argument(
        "--method",
        default="direct",
        help=METHOD_HELP,
    )
    parser.add_argument("--fps", type=float, help="frames a second to look at (default: the model's own)")
    parser.add_argument("--start", type=_time, metavar="TIME", help="look only from here on: seconds, or 0:30:00")
    parser.add_argument("--end", type=_time, metavar="TIME", help="look only up to here")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU if there is one)")
    parser.add_argument(
        "--trust-remote-code",
        action="store_true",
        help="run Python code that a checkpoint brings with it (never without)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a video and nothing else")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="write a picture: frames, answers, truth if known")


def _time(text: str) -> float:
    """Return the seconds of an option."""
    try:
        return parse_time(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give seconds (90.5) or h:mm:ss (0:01:30)") from None


@dataclass(frozen=True)
class Task:
    """What is asked of which video."""

    video: str
    queries: list[str]
    truths: list[list[Span] | None]
    """Of each query, where known."""
    plot: Path | None = None
    """Where its picture goes."""
    file: str = ""
    """The file on this machine, once it is known: the video itself, or what was fetched."""


def run(args: argparse.Namespace) -> None:
    """Ground the queries in every video and print the answers; what cannot be read is told, and the rest goes on."""
    from timeground.models.hub import check_name

    check_name(args.model)
    tasks = _tasks(args)
    from timeground.media.containers.container import check_file

    for task in tasks:
        if task.plot:
            refuse_unwritable(task.plot)  # told before the work whose result goes there
    with scratch_folder("fetched") if any(is_web(task.video) for task in tasks) else nullcontext(Path()) as folder:
        if len(tasks) == 1:  # a wrong path is told before a model is loaded
            tasks = [_on_this_machine(tasks[0], folder)]
            if not os.path.isdir(tasks[0].file):
                check_file(tasks[0].file)
        _ground_all(tasks, args, folder)


def _ground_all(tasks: Sequence[Task], args: argparse.Namespace, folder: Path) -> None:
    """Ask about every video. folder: for what is fetched."""
    from timeground.methods.grounder import Grounder

    overrides = {} if args.fps is None else {"fps": args.fps}
    grounder = Grounder.from_pretrained(
        args.model,
        method=args.method,
        profile=args.profile,
        overrides=overrides,
        device=args.device,
        trust_remote_code=args.trust_remote_code,
    )
    failed = 0
    for task in tasks:
        try:
            task = _on_this_machine(task, folder)
            _ground(task, grounder, args)
        except UserError as error:
            if len(tasks) == 1:
                raise
            failed += 1
            print(f"timeground: {error}", file=sys.stderr)
        finally:
            if is_web(task.video) and task.file:
                os.unlink(task.file)
    if failed:
        raise UserError(f"{failed} of {len(tasks)} videos could not be asked (see above)")


def _on_this_machine(task: Task, folder: Path) -> Task:
    """Return a task with its file; what an address gives is fetched into a folder."""
    if task.file or not is_web(task.video):
        return replace(task, file=task.file or task.video)
    with Bars() as bars:
        bar = bars.add("fetching", 0, "B")

        def come(num_bytes: int, total: int | None) -> None:
            bar.total = total or num_bytes
            bars.update(bar, num_bytes)

        return replace(task, file=str(fetch(task.video, folder, come)))


def _ground(task: Task, grounder: Grounder, args: argparse.Namespace) -> None:
    """Ask about one video: text or a line of JSON, and a picture if one is wanted."""
    watched = grounder.watch(task.file, start_s=args.start, end_s=args.end)
    answers = watched.ground(task.queries)
    if args.json:
        print(json.dumps(_as_json(task, answers, watched)))
    else:
        _print(task, answers, watched)
    if task.plot:
        from timeground.report.timeline import film, save_timeline

        rows = [(a.query, a.readable_spans) for a in answers]
        truth = task.truths[0] if len(task.truths) == 1 else None
        traces = [a.trace for a in answers]
        save_timeline(task.plot, film(task.file, watched.extent), rows, truth, _title(watched), traces)
        print(f"wrote {task.plot}", file=sys.stderr if args.json else sys.stdout)


def _tasks(args: argparse.Namespace) -> list[Task]:
    """Return one task a video. Words after the first are videos as long as they look like some; then come queries."""
    words = list(args.words)
    videos = [args.video]
    while words and args.video != EXAMPLE and _is_video(words[0]):
        videos.append(words.pop(0))
    queries = words
    if args.queries_file is not None:
        try:
            lines = lines_of(args.queries_file.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{args.queries_file}: cannot be read as text ({error})") from None
        queries += [line.strip() for line in lines if line.strip()]
    if args.video == EXAMPLE:
        return [replace(example_task(queries), plot=args.plot)]
    if not queries:
        raise UserError("no query given; write what to look for, or give --queries-file")
    truths: list[list[Span] | None] = [None] * len(queries)
    return [Task(video, queries, truths, _plot_of(args.plot, video, len(videos))) for video in videos]


def _is_video(word: str) -> bool:
    """Return True for a file or a folder of pictures that is there, and for what is named like a video."""
    if is_web(word):
        return True
    if Path(word).suffix.lower() in VIDEO_SUFFIXES and " " not in Path(word).suffix:
        return True
    try:
        if not Path(word).is_dir():
            return Path(word).is_file()
        from timeground.media.containers.frame_folder import pictures_in

        return bool(pictures_in(Path(word)))
    except (OSError, ValueError):
        return False  # a sentence that is too long for a name


def _plot_of(plot: Path | None, video: str, num_videos: int) -> Path | None:
    """Return where the picture of a video goes: of several, each has the video's name in its own."""
    if plot is None or num_videos == 1:
        return plot
    return plot.with_name(f"{plot.stem}-{Path(video).stem}{plot.suffix}")


def example_task(queries: Sequence[str]) -> Task:
    """Return the clip that ships with the package; without a query, one about a motion, with the known truth."""
    from timeground.data.rows import read_rows

    folder = Path(str(files("timeground") / "assets" / "example"))
    held = [row for row in read_rows(folder / "annotations.jsonl") if row.task == "ground"]
    rows = {row.query: row for row in held if row.video == held[0].video}
    asked = list(queries) or [EXAMPLE_QUERY]
    return Task(str(folder / held[0].video), asked, [rows[q].spans if q in rows else None for q in asked])


def _as_json(task: Task, answers: Sequence[GroundingAnswer], watched: Watched) -> dict[str, object]:
    notice = watched.model.notice
    return {
        "video": task.video,
        "duration": watched.video.duration_s,
        "window": watched.extent.to_list(),
        "num_frames": _num_frames(answers),
        "model": watched.model.name,
        "warning": watched.warning,
        "sparse": watched.sparse,
        **({"notice": notice} if notice else {}),
        "answers": [a.to_json() for a in answers],
    }


def _print(task: Task, answers: Sequence[GroundingAnswer], watched: Watched) -> None:
    extent, duration_s = watched.extent, watched.video.duration_s
    name = Path(task.file).resolve().name
    kind = "folder of pictures " if os.path.isdir(task.file) else ""
    window = shown_span(extent, duration_s).replace(" - ", " to ")
    read = f"{window}, {_num_frames(answers)} frames read"
    print(f"{kind}{name}: {read} by {watched.model.name}")
    if watched.warning:
        print(f"warning: {watched.warning}")
    if watched.sparse:
        print(f"note: {watched.sparse} (--start, --end)")
    for answer, truth in zip(answers, task.truths, strict=True):
        print(f"\n{answer.query}")
        print(f"  {text_timeline(answer.spans, extent.start_s, extent.end_s)}  {_said(answer, duration_s)}")
        if looked_around([answer.trace]):
            print(f"  {cost(answer.trace)}")
        if truth is not None:
            known = ", ".join(shown_span(s, duration_s) for s in truth) or "does not happen"
            print(f"  {text_timeline(truth, extent.start_s, extent.end_s)}  {known} (truth)")


def _num_frames(answers: Sequence[GroundingAnswer]) -> int:
    """Return how many frames were read; overlapping windows read some again."""
    return sum(look.num_frames for look in answers[0].trace.looks)


def _title(watched: Watched) -> str:
    """Return what stands above the picture: the model, and what it does not know."""
    return watched.model.name if watched.warning is None else f"{watched.model.name}: {watched.warning}"


def _said(answer: GroundingAnswer, video_s: float) -> str:
    if not answer.spans and not answer.absent:
        return f"no answer ({answer.rule}): {answer.text!r}"
    said = ", ".join(shown_span(s, video_s) for s in answer.spans) or "does not happen"
    said += " [outside what was shown]" if answer.outside else ""
    return f"{said} ({answer.certainty})" if answer.certainty else said
