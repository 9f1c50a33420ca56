"""``timeground find FOLDER "query"``: in which of many videos it happens, and when."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.errors import UserError
from timeground.files.json_text import dump_json
from timeground.files.whole_files import make_folder, refuse_unwritable
from timeground.methods import METHOD_HELP
from timeground.progress import Bars

if TYPE_CHECKING:
    from collections.abc import Iterator

    from timeground.find.library import FindResult

MOST_BROKEN = 10
"""Videos that are told one by one."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("folder", type=Path, help="videos below it are searched; what is new is indexed first")
    parser.add_argument("query", help="what happens, as a plain sentence")
    parser.add_argument("--top", type=int, default=20, help="how many places are looked at closely (default 20)")
    parser.add_argument(
        "--model", default="tiny", help="looks at them: tiny (default), a Hub id, a folder, or http://host:port/v1#name"
    )
    parser.add_argument("--method", default="direct", help=METHOD_HELP)
    parser.add_argument(
        "--scorer",
        metavar="NAME",
        help="what ranks: head (the model's own, default where it has one), yes-no (the model, asked; slow), or a CLIP "
        "or SigLIP by Hub id or folder (google/siglip2-base-patch16-224)",
    )
    parser.add_argument(
        "--index-dir",
        metavar="DIR",
        help="where indexes are kept: a folder, or 'beside' the videos (default: the user's cache folder)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU if there is one)")
    parser.add_argument("--cut", type=Path, metavar="DIR", help="write what is found as clips into this folder")
    parser.add_argument("--page", type=Path, metavar="HTML", help="write a page that shows the places")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(args: argparse.Namespace) -> None:
    """Find, print the places, and write what is wanted."""
    if args.page is not None:
        refuse_unwritable(args.page)  # told before the work whose result goes there
    if args.cut is not None:
        make_folder(args.cut)
    result = _found(args)
    print(dump_json(result.to_json()) if args.json else "\n".join(_lines(result)))
    said = sys.stderr if args.json else sys.stdout
    from timeground.find.outputs import cut_clips, write_page

    if args.cut is not None:
        print(f"wrote {len(cut_clips(result, args.cut))} clips to {args.cut}", file=said)
    if args.page is not None:
        write_page(result, args.page)
        print(f"wrote {args.page}", file=said)


def _found(args: argparse.Namespace) -> FindResult:
    from timeground.models.hub import check_name

    check_name(args.model)
    if not args.folder.is_dir():
        raise UserError(f"{args.folder}: no such folder; give a folder of videos")
    if not args.query.strip():
        raise UserError("the query is empty; write what to look for")
    from timeground.find.library import Library
    from timeground.index.opening import check_scorer
    from timeground.methods.grounder import Grounder

    check_scorer(args.scorer)
    grounder = Grounder.from_pretrained(args.model, method=args.method, device=args.device)
    library = Library(args.folder, grounder, scorer=args.scorer, index_dir=args.index_dir)
    with Bars() as bars, _shown(bars, "indexing") as index, _shown(bars, "looking") as look:
        return library.find(args.query, args.top, on_index=index, on_look=look)


@contextmanager
def _shown(bars: Bars, name: str) -> Iterator[Callable[[float, str], None]]:
    """Give what shows a share of work as a bar, which comes when the work begins."""
    bar = None

    def told(share: float, what: str) -> None:
        nonlocal bar
        bar = bar or bars.add(name, 100, "%")
        bars.update(bar, round(100 * share, 1), what)

    yield told


def _lines(result: FindResult) -> list[str]:
    """Return the places as a table, and what could not be searched."""
    from timeground.find.outputs import when

    lines = [f"{result.num_videos} videos, ranked by {result.scorer} in {result.rank_s:.2f} s, asked {result.model}"]
    if result.warning:
        lines.append(f"warning: {result.warning}")
    cells = [("", "video", "when", "score", "confidence")]
    for rank, one in enumerate(result.found, 1):
        sure = one.answer.certainty.rpartition(" ")[2] if one.answer else ""
        cells.append((f"{rank}.", one.stretch.video, when(one), f"{one.stretch.score:.2f}", sure))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines += ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    broken = list(result.broken.values())
    if broken:
        lines.append(f"{len(broken)} videos could not be searched:")
        lines += [f"  {why}" for why in broken[:MOST_BROKEN]]
        lines += [f"  and {len(broken) - MOST_BROKEN} more"] if len(broken) > MOST_BROKEN else []
    return lines
