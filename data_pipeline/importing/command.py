"""`timeground data import`: annotations in, rows out, and a list of what did not get in."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from timeground.data.rows import write_rows
from timeground.errors import UserError
from timeground.files.json_text import dump_json
from timeground.files.whole_files import refuse_unwritable, write_text

from .columns import parse_map
from .drafts import Rate
from .files import READERS
from .joined import overlapping
from .record import Refused
from .run import Imported, ImportSettings, Taken, take, to_rows

MAX_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the import."""
    add = parser.add_argument
    kinds = "JSONL, JSON, CSV, TSV, Parquet, a folder of datasets; SRT, VTT, ELAN's .eaf, Label Studio's JSON"
    add("files", metavar="FILE", type=Path, nargs="+", help=kinds)
    add(
        "--videos",
        metavar="DIR",
        type=Path,
        required=True,
        help="where the videos are; nothing outside of it is opened",
    )
    add(
        "--out",
        metavar="ROWS",
        type=Path,
        required=True,
        help="rows.jsonl, or .parquet; what is left out is listed beside",
    )
    add("--map", metavar="FIELD=COLUMN", action="append", default=[], help="correct the guess: query=sentence,start=t0")
    add("--dry-run", action="store_true", help="show what would be taken from where, and the first rows; write nothing")
    add(
        "--times",
        choices=("s", "ms", "frames"),
        help="what start, end and spans count (default: by the columns' names)",
    )
    add("--fps", metavar="N|file", help="frames a second of times in frames, or as each file has it")
    add(
        "--where",
        metavar="COLUMN=VALUE",
        action="append",
        default=[],
        help="only annotations with this value: tier=Actions",
    )
    add("--source", help="name of the data set, kept in each row")
    add("--no-join", action="store_true", help="a row for each span, also where a query has several")
    add("--columns", metavar="A,B,...", default="", help="names for the columns of a table without a header")
    add("--format", choices=tuple(READERS), help="of all files (default: by their names)")
    add("--reader", metavar="MY.py:read", help="a function of yours: is given each file's path, yields dicts")
    add("--follow-links", action="store_true", help="videos may be links out of DIR")


def run(args: argparse.Namespace) -> int:
    """Import, and print what came of it. Raise UserError, in one line, where no row did."""
    settings = _settings(args)
    report = args.out.with_name(f"{args.out.stem}.rejected.jsonl")
    if not args.dry_run:
        _refuse_overwriting(settings.files, (args.out, report))
    taken = take(settings)
    for one in taken:
        print("\n  ".join(_told(one)))
    done = to_rows(taken, settings, lambda line: print(line, file=sys.stderr))
    if args.dry_run:
        for row in done.rows[:3]:
            print(dump_json(row.to_json()))
        _tell_refused(done.refused, "would be left out")
        print(f"{len(done.rows)} rows would be written to {args.out}")
        return 0
    write_text(report, "".join(dump_json(refused.to_json()) + "\n" for refused in done.refused))
    if not done.rows:
        why = (
            f"all {len(done.refused)} were left out, the first: {done.refused[0]}" if done.refused else "none is there"
        )
        raise UserError(f"no annotation got in: {why}; {report} lists them")
    write_rows(args.out, done.rows)
    _tell_refused(done.refused, f"left out, listed in {report}")
    print(_summary(args.out, done))
    return 0


def _settings(args: argparse.Namespace) -> ImportSettings:
    return ImportSettings(
        tuple(args.files),
        args.videos,
        parse_map(args.map),
        args.format,
        args.reader,
        tuple(name.strip() for name in args.columns.split(",") if name.strip()),
        args.times,
        _rate(args.fps),
        _where(args.where),
        args.source,
        not args.no_join,
        args.follow_links,
    )


def _rate(text: str | None) -> Rate:
    if text is None or text == "file":
        return Rate(of_file=text == "file")
    try:
        fps = float(text)
    except ValueError:
        fps = 0.0
    if not 0 < fps <= 1000:
        raise UserError(f"--fps {text}: give a number of frames a second, or the word file")
    return Rate(fps)


def _where(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            raise UserError(f"--where {word!r}: write it as column=value")
        found[name] = value
    return found


def _refuse_overwriting(files: Sequence[Path], outputs: Sequence[Path]) -> None:
    for output in outputs:
        if output.resolve() in {file.resolve() for file in files}:
            raise UserError(f"--out: {output} would be written over a file that is read; choose another name")
        refuse_unwritable(output)


def _told(taken: Taken) -> list[str]:
    """Return what is taken from where in one file."""
    passed = f", {taken.passed_over} passed over by --where" if taken.passed_over else ""
    head = f"{taken.file}: {taken.kind}, {len(taken.records)} annotations{passed}"
    return [head, *(taken.columns.lines() if taken.columns else [])]


def _tell_refused(refused: Sequence[Refused], what: str) -> None:
    if not refused:
        return
    print(f"{len(refused)} {what}:")
    for one in refused[:MAX_SHOWN]:
        print(f"  {one}")
    if len(refused) > MAX_SHOWN:
        print(f"  ... and {len(refused) - MAX_SHOWN} more")


def _summary(out: Path, done: Imported) -> str:
    videos = len({row.video for row in done.rows})
    joined = f", {done.num_joined} spans joined into rows of the same query" if done.num_joined else ""
    several = overlapping(done.rows) if done.num_joined else 0
    warning = f"; in {several} rows spans overlap, as those of several annotators do (--no-join)" if several else ""
    return f"{out}: {len(done.rows)} rows of {videos} videos{joined}, {len(done.refused)} left out{warning}"
