"""The site of the documentation builds without a broken link, and the tutorials run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from timeground.cli.main import main

ROOT = Path(__file__).parent.parent
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.long
def test_the_site_builds_and_takes_no_broken_link(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    reference = (tmp_path / "site" / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("Grounder.ground", "Watched.ask", "Method.answers", "Row.from_json"):
        assert name in reference


def test_every_page_has_a_place() -> None:
    def files(part: object) -> set[str]:
        if isinstance(part, str):
            return {part}
        return set().union(*(files(one) for one in (part.values() if isinstance(part, dict) else part)))

    listed = files(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])
    there = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert listed == there


@pytest.mark.long
@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_a_tutorial_runs_as_it_stands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, and in this process: importing torch for each command would take longer than all they do."""
    monkeypatch.chdir(tmp_path)
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    assert len(blocks) > 2
    for kind, text in blocks:
        if kind == "python":
            exec(compile(text, str(page), "exec"), {"__name__": "__main__"})
            continue
        for command in text.splitlines():
            program, *words = shlex.split(command)
            assert program == "timeground" and main(words) == 0, command
