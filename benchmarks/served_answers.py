"""Whether a vLLM server gives the bundled model's own answers: every row of SynthMoments' test split, greedily.

``python -m benchmarks.served_answers --url http://127.0.0.1:8000/v1``, the server started by ``timeground serve --dtype
float32``. Each clip is decoded once and given to both sides. A row that differs is listed with both answers and, of
either side, the log-probability of both. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.common import machine, versions
from benchmarks.tiny_grounding import dataset
from timeground.chat.parts import Message
from timeground.chat.prompts import row_prompt
from timeground.data.rows import Row, read_rows
from timeground.media.decode import decode
from timeground.models.local.model import LocalModel
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec

GREEDY = SampleSpec(max_new_tokens=64)


def compared(url: str, folder: Path) -> Iterator[tuple[Row, dict[str, Any] | None]]:
    """Each row of a folder, with None where the server's answer is that of the bundled model in this process."""
    here, there = LocalModel.from_pretrained("tiny"), open_model(url, video="native")
    rows_of: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(folder / "annotations.jsonl"):
        rows_of[row.video].append(row)
    for video, rows in rows_of.items():
        clip = decode(folder / video, here.sampling())
        texts = [row_prompt(here.profile.prompts(), row) for row in rows]
        asked = [Message.of("user", text) for text in texts]
        sides = {name: side.open([Message.of("user", clip)]) for name, side in (("here", here), ("there", there))}
        answers = {name: [a.text for (a,) in session.ask(asked, GREEDY)] for name, session in sides.items()}
        for row, question, mine, theirs in zip(rows, asked, answers["here"], answers["there"], strict=True):
            if mine == theirs:
                yield row, None
            else:
                scores = {name: side.score([question], [[mine, theirs]])[0] for name, side in sides.items()}
                yield row, {"row": row.id, "here": mine, "there": theirs, "logprobs": scores}


def main() -> None:
    """Compare all rows, list those that differ, and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="of the server")
    parser.add_argument("--videos", type=int, default=200, help="of the test split")
    args = parser.parse_args()
    folder = dataset("test", args.videos, 0)
    total = sum(1 for _ in read_rows(folder / "annotations.jsonl"))
    differing = [d for _, d in track(compared(args.url, folder), total=total, description="rows") if d]
    for one in differing:
        print(json.dumps(one))
    sums = {"videos": args.videos, "rows": total, "differing": len(differing)}
    print(json.dumps({"benchmark": "served_answers", **sums, "versions": versions("torch"), "machine": machine()}))


if __name__ == "__main__":
    main()
