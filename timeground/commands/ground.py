"""``timeground ground VIDEO "query" ...``: spans, a timeline in the terminal, and a picture if asked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.errors import UserError
from timeground.plot import text_timeline
from timeground.spans import Span

if TYPE_CHECKING:
    from timeground.grounder import GroundingAnswer
    from timeground.video.clip import Clip

EXAMPLE = "example"
EXAMPLE_QUERY = "the blue cross grows"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    parser.add_argument("video", help=f"a video file, a folder of frames, or '{EXAMPLE}' (a clip that ships with it)")
    parser.add_argument("queries", nargs="*", metavar="query", help="a sentence that says what to look for")
    parser.add_argument("--queries-file", type=Path, metavar="FILE", help="a text file with one query a line")
    parser.add_argument(
        "--model", default="tiny", help="tiny (default), a Hub id, a folder, or http://host:port/v1#name"
    )
    parser.add_argument("--profile", help="ask the model as a known one is asked, for instance arrowgev")
    parser.add_argument("--fps", type=float, help="frames a second to look at (default: the model's own)")
    parser.add_argument("--start", type=float, metavar="S", help="look only from this second on")
    parser.add_argument("--end", type=float, metavar="S", help="look only up to this second")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU if there is one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.add_argument("--plot", type=Path, metavar="PNG", help="write a picture: frames, answers, truth if known")


@dataclass(frozen=True)
class Task:
    """What is asked of which video. truths: per query, where known."""

    video: str
    queries: list[str]
    truths: list[list[Span] | None]


def run(args: argparse.Namespace) -> None:
    """Ground the queries and print the answers."""
    task = _task(args)
    from timeground.video.container import check_file

    if not Path(task.video).is_dir():
        check_file(task.video)  # a wrong path is told before a model is loaded
    from timeground.grounder import Grounder

    _quiet()
    overrides = {} if args.fps is None else {"fps": args.fps}
    grounder = Grounder.from_pretrained(args.model, profile=args.profile, overrides=overrides, device=args.device)
    watched = grounder.watch(task.video, start_s=args.start, end_s=args.end)
    answers = watched.ground(task.queries)
    if args.json:
        print(json.dumps(_as_json(task, answers, watched.clip)))
    else:
        _print(task, answers, watched.clip)
    if args.plot:
        from timeground.plot import save_timeline

        rows = [(a.query, a.spans) for a in answers]
        truth = task.truths[0] if len(task.truths) == 1 else None
        save_timeline(args.plot, _film(task.video, watched.clip), rows, truth)
        print(f"wrote {args.plot}", file=sys.stderr if args.json else sys.stdout)


def _task(args: argparse.Namespace) -> Task:
    queries = list(args.queries)
    if args.queries_file is not None:
        try:
            lines = args.queries_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{args.queries_file}: cannot be read as text ({error})") from None
        queries += [line.strip() for line in lines if line.strip()]
    if args.video == EXAMPLE:
        return _example(queries)
    if not queries:
        raise UserError("no query given; write what to look for, or give --queries-file")
    return Task(args.video, queries, [None] * len(queries))


def _example(queries: Sequence[str]) -> Task:
    """The clip that ships with the package; without a query, one about a motion, with the known truth."""
    from timeground.records import read_rows

    folder = Path(str(files("timeground") / "assets" / "example"))
    held = [row for row in read_rows(folder / "annotations.jsonl") if row.task == "ground"]
    rows = {row.query: row for row in held if row.video == held[0].video}
    asked = list(queries) or [EXAMPLE_QUERY]
    return Task(str(folder / held[0].video), asked, [rows[q].spans if q in rows else None for q in asked])


def _as_json(task: Task, answers: Sequence[GroundingAnswer], clip: Clip) -> dict[str, object]:
    return {
        "video": task.video,
        "duration": clip.duration_s,
        "window": [clip.start_s, clip.end_s],
        "answers": [a.to_json() for a in answers],
    }


def _print(task: Task, answers: Sequence[GroundingAnswer], clip: Clip) -> None:
    print(f"{Path(task.video).name}: {clip.start_s:.1f} to {clip.end_s:.1f} s, {clip.num_frames} frames read")
    for answer, truth in zip(answers, task.truths, strict=True):
        print(f"\n{answer.query}")
        print(f"  {text_timeline(answer.spans, clip.start_s, clip.end_s)}  {_said(answer)}")
        if truth is not None:
            known = ", ".join(f"{s.start_s:.1f} - {s.end_s:.1f} s" for s in truth) or "does not happen"
            print(f"  {text_timeline(truth, clip.start_s, clip.end_s)}  {known} (truth)")


def _film(video: str, clip: Clip) -> Clip:
    """Frames to look at: fewer and larger than those the model was given."""
    from timeground.video.decode import decode
    from timeground.video.sampling import Sampling

    sampling = Sampling(factor=4, min_tokens_per_pair=1000, max_tokens_per_pair=2600, total_tokens=10**6, max_frames=24)
    return decode(video, sampling, start_s=clip.start_s, end_s=clip.end_s)


def _said(answer: GroundingAnswer) -> str:
    if answer.spans:
        spans = ", ".join(f"{s.start_s:.1f} - {s.end_s:.1f} s" for s in answer.spans)
        spans += " [outside what was shown]" if answer.outside else ""
        return spans if answer.confidence is None else f"{spans} (confidence {answer.confidence:.2f})"
    return "does not happen" if answer.absent else f"no answer ({answer.rule}): {answer.text!r}"


def _quiet() -> None:
    """Keep transformers' bars and advice out of what the command prints."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
