"""``timeground doctor``: checks the installation, and what time each reader and model stack believes it sees.

Most reported faults of this field are wrong timestamps, and none of them raises an error. So clips in which
every frame shows its own time are pushed through each reader, each time encoding and the model's own
processor, and the times they say are compared with those in the pixels.
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from timeground.doctor import installation
from timeground.doctor.diagnosis import Readings, Report, Row, Verdict, as_json, attempt, judge, reason
from timeground.errors import UserError, VideoError
from timeground.files.scratch import scratch_folder

if TYPE_CHECKING:
    from rich.console import Console

    from timeground.doctor.diagnosis import Trial
    from timeground.doctor.pattern import ClockClip
    from timeground.doctor.servers import Server
    from timeground.media.decode import Backend
    from timeground.models.checkpoint import Checkpoint

READERS = "readers"
MODEL = "model"
BUNDLED = "tiny"
TRUSTED_READERS = ("auto", "pyav")  # these must read every clip; the others may refuse one
READER_FPS = 7.0  # frames a second: lands between the frames of both clips
STYLES: dict[Verdict, str] = {
    "ok": "green",
    "FAIL": "bold red",
    "warning": "yellow",
    "refused": "cyan",
    "absent": "dim",
    "skipped": "dim",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--model", help="model to check: a folder, a Hub id, a server's URL, or 'tiny' (default: tiny, the bundled one)"
    )
    parser.add_argument(
        "--processors",
        metavar="NAMES",
        help="instead, check what time transformers' video processors tell: all, or model types (qwen3_vl,gemma4)",
    )
    parser.add_argument("--markdown", metavar="FILE", help="with --processors: also write the table as a page")
    parser.add_argument("--no-answer", action="store_true", help="load no weights: leave out the answer to a query")
    parser.add_argument("--trust-remote-code", action="store_true", help="let a checkpoint's own code run")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(args: argparse.Namespace) -> int:
    """Check and print; exit status 1 if something is wrong."""
    from rich.console import Console

    console = Console(stderr=args.json)
    if args.processors is not None:
        from timeground.doctor.processors.command import run_processors

        if args.model is not None:
            raise UserError("--processors checks transformers' own classes, and --model a checkpoint: give one of them")
        return run_processors(args.processors, console, args.json, args.markdown)
    if args.markdown is not None:
        raise UserError("--markdown writes the table of --processors: give that too")
    if args.model is not None:
        from timeground.models.hub import check_name

        check_name(args.model)
    report = run_doctor(args.model, console)
    if not args.no_answer:
        with console.status("asking the model about the clip that ships"):
            _try(report, args.trust_remote_code)
    if args.json:
        print(json.dumps(as_json(report), indent=2))
    else:
        show(report, console)
    return 0 if report.ok else 1


def run_doctor(model: str | None, console: Console) -> Report:
    """Check the installation, the readers, and a model's input (the bundled model's if none is named).

    No weights are loaded. console: where progress is shown. Raise UserError if there is no such model.
    """
    with console.status("looking at the installation"):
        report = Report(installation.versions(), installation.hardware(), model or BUNDLED)
        server = _open_server(model)
        subject = _open_checkpoint(model) if server is None else _open_served(server)
    with scratch_folder("doctor") as folder:
        with console.status("rendering clips that show a clock"):
            clips, failed = _render(folder)
        report.rows += failed
        with console.status("reading them with each reader"):
            report.rows += [row for clip in clips for row in check_readers(clip)]
        with console.status("building model inputs from them"):
            report.rows += _check_model(subject, clips)
        if server is not None:
            with console.status("sending them to the server"):
                report.rows += _check_server(server, clips)
    return report


def _try(report: Report, trust_remote_code: bool) -> None:
    """Add what the model makes of the clip that ships to a report, or a failed row where that breaks."""
    from timeground.doctor.trial import try_model

    try:
        report.trial = try_model(report.model or BUNDLED, trust_remote_code=trust_remote_code)
    except UserError as error:
        report.rows.append(Row(MODEL, "an answer", "FAIL", note=str(error)))
    except Exception as error:
        report.rows.append(Row(MODEL, "an answer", "FAIL", note=f"broke with {reason(error)}"))


def check_readers(clip: ClockClip) -> list[Row]:
    """Return one row a reader: the times it gives against those that its frames show."""
    from timeground.media.decode import Backend

    rows = []
    for backend in get_args(Backend):
        what = f"{backend}, {clip.name}"
        rows += attempt(READERS, what, partial(_check_reader, clip, backend, what))
    return rows


def _check_reader(clip: ClockClip, backend: Backend, what: str) -> Row:
    """Read a clip with one reader."""
    from timeground.doctor.pattern import shown_times_s
    from timeground.media.decode import decode
    from timeground.media.sampling import Sampling

    sampling = Sampling(fps=READER_FPS, min_tokens_per_pair=4, max_tokens_per_pair=16)
    try:
        read = decode(clip.path, sampling, backend=backend, num_threads=1)
    except UserError as error:
        if backend in TRUSTED_READERS:
            raise
        return _unread(what, clip, error)
    shown = shown_times_s(read.frames) - clip.offset_s
    return judge(READERS, what, Readings(read.frame_times_s.tolist(), shown.tolist(), 0.0))


def _unread(what: str, clip: ClockClip, error: UserError) -> Row:
    """Return the row of an optional reader that declined: it said so, and gave no wrong time."""
    if isinstance(error, VideoError):
        return Row(READERS, what, "refused", note=str(error).removeprefix(f"{clip.path}: "))
    missing = isinstance(error.__cause__, ModuleNotFoundError)
    cause = "" if missing or error.__cause__ is None else f"; it does not load: {reason(error.__cause__)}"
    return Row(READERS, what, "absent", note=str(error) + cause)


def _render(folder: Path) -> tuple[list[ClockClip], list[Row]]:
    """Return the clips, or a failed row if they cannot be written."""
    try:
        from timeground.doctor.pattern import write_clock_clips

        return write_clock_clips(folder), []
    except Exception as error:
        return [], [Row(READERS, "rendering the clock", "FAIL", note=f"broke with {reason(error)}")]


def _open_checkpoint(model: str | None) -> Checkpoint | Row:
    """Return the model without its weights, or a row that says why it is left out."""
    try:
        from timeground.doctor.models import open_checkpoint

        return open_checkpoint(model or BUNDLED)
    except UserError as error:
        if model is None:
            return Row(MODEL, "time encodings", "skipped", note=f"{error}; or name a model with --model")
        if not _is_generic(model):
            raise
        return Row(
            MODEL, "time encodings", "skipped", note="its own processor writes its input: see `times told` below"
        )
    except Exception as error:
        return Row(MODEL, "opening it", "FAIL", note=f"broke with {reason(error)}")


def _is_generic(model: str) -> bool:
    """Return whether a model is there that answers through its own processor."""
    from timeground.models.families import FAMILIES
    from timeground.models.generic.checkpoint import read_raw_config

    try:
        return read_raw_config(model, None).model_type not in FAMILIES
    except UserError:
        return False


def _open_server(model: str | None) -> Server | None:
    """Return the server, if a URL is given."""
    from timeground.models.names import is_url

    if model is None or not is_url(model):
        return None
    from timeground.doctor.servers import open_server

    return open_server(model)


def _open_served(server: Server) -> Checkpoint | Row:
    """Return the server's model, where its folder can be read from here."""
    if server.endpoint.checkpoint is None:
        return Row(MODEL, "time encodings", "skipped", note="the folder of the server's model cannot be read from here")
    return _open_checkpoint(server.endpoint.checkpoint.path)


def _check_server(server: Server, clips: list[ClockClip]) -> list[Row]:
    """Return rows of what a server makes of clips."""
    from timeground.doctor.servers import check_server

    return attempt("server", "its prompt", partial(check_server, server, clips))


def _check_model(subject: Checkpoint | Row, clips: list[ClockClip]) -> list[Row]:
    """Return rows of a model's input."""
    if isinstance(subject, Row):
        return [subject]
    from timeground.doctor.models import check_model

    return attempt(MODEL, "its input", partial(check_model, subject, clips))


def show(report: Report, console: Console) -> None:
    """Print a report as a table."""
    from rich.table import Table
    from rich.text import Text

    for facts in (report.versions, report.hardware):
        console.print(", ".join(f"{name} {value}" for name, value in facts.items()), highlight=False, markup=False)
    table = Table("check", "largest error", "verdict", "note", box=None, pad_edge=False)
    for row in report.rows:
        error = "" if row.error_s is None else f"{row.error_s:.3f} s"
        verdict = Text(row.verdict, STYLES[row.verdict])
        table.add_row(Text(f"{row.part}: {row.what}"), error, verdict, Text(row.note))
    console.print(table)
    if report.trial is not None:
        _show_trial(report.trial, report.model or BUNDLED, console)
    counts = {verdict: sum(row.verdict == verdict for row in report.rows) for verdict in STYLES}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    advice = "" if report.ok else "; do not trust the times until this is mended"
    console.print(f"{len(report.rows)} checks: {summary}{advice}", style="green" if report.ok else "bold red")


def _show_trial(trial: Trial, model: str, console: Console) -> None:
    """Print what a model made of the clip that ships."""
    from rich.table import Table
    from rich.text import Text

    each = "" if trial.tokens_per_frame is None else f" of {trial.tokens_per_frame:g} tokens"
    lines = {
        "prompt": trial.prompt or "not known here",
        "times told": trial.stamps,
        "frames": f"{trial.num_frames}{each}",
        "memory": trial.memory,
        "answer": f"{trial.answer!r} to {trial.query!r} in {trial.seconds:g} s; true {trial.true}, IoU {trial.iou:g}",
        **({"note": trial.notice} if trial.notice else {}),
    }
    table = Table(
        box=None, pad_edge=False, show_header=False, title=f"{model} on the clip that ships", title_justify="left"
    )
    for name, text in lines.items():
        table.add_row(name, Text(text.replace("\n", "\\n")))
    console.print(table)
