"""Two short videos, one of them in a folder, and a way to import annotations about them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from timeground.cli.main import main
from timeground.data.rows import Row, read_rows


def write_video(path: Path, num_frames: int, fps: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width = stream.height = 32
        for number in range(num_frames):
            picture = np.full((32, 32, 3), number % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """door.mp4 (20 s of 4 frames a second), more/cat.mkv (10 s of 5), and a file that is none."""
    root = tmp_path_factory.mktemp("clips")
    write_video(root / "door.mp4", 80, 4)
    write_video(root / "more" / "cat.mkv", 50, 5)
    (root / "broken.mp4").write_bytes(b"no video" * 20)
    return root


@dataclass
class Came:
    """What came of an import."""

    status: int
    printed: str
    error: str
    rows: list[Row] = field(default_factory=list)
    rejected: list[dict[str, Any]] = field(default_factory=list)

    def reasons(self) -> list[tuple[int | None, str]]:
        return [(one["line"], one["reason"]) for one in self.rejected]

    def moments(self) -> list[tuple[str, str, list[list[float]]]]:
        return [(row.video, row.query, [span.to_list() for span in row.spans]) for row in self.rows]


@pytest.fixture
def imported(clips: Path, tmp_path: Path, capsys) -> Callable[..., Came]:
    """Import a text under a name (or files that are there) with options."""

    def run(name: str | Path, text: str | bytes | None, *options: str) -> Came:
        file = tmp_path / name
        if text is not None:
            file.write_bytes(text.encode() if isinstance(text, str) else text)
        out = tmp_path / "rows.jsonl"
        words = ["data", "import", str(file), "--videos", str(clips), "--out", str(out), *options]
        came = Came(main(words), *capsys.readouterr())
        came.rows = list(read_rows(out)) if came.status == 0 and out.is_file() else []
        report = tmp_path / "rows.rejected.jsonl"
        if report.is_file():
            came.rejected = [json.loads(line) for line in report.read_text().splitlines()]
        return came

    return run
