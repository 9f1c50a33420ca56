"""Outputs that cannot be written, what killed processes leave behind, and workers whose parent is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from timeground.cli.main import main
from timeground.errors import OutputError
from timeground.files.scratch import named_by_process, remove_of_dead
from timeground.files.whole_files import remove_abandoned, write_text, writing


def dead_process() -> int:
    gone = subprocess.Popen(["true"])
    gone.wait()
    return gone.pid


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.name.startswith("."))


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    target = tmp_path / "a" / "file.txt"
    with writing(target) as part:
        assert str(os.getpid()) in part.name and part.name.startswith(".file.txt.")
        part.write_text("new")
        assert not target.exists()
    with pytest.raises(ZeroDivisionError), writing(target) as part:
        part.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "new" and not leftovers(tmp_path)


def test_a_folder_replaces_the_one_before(tmp_path):
    for text in "ab":
        with writing(tmp_path / "model") as part:
            part.mkdir()
            (part / text).touch()
    assert [p.name for p in (tmp_path / "model").iterdir()] == ["b"] and not leftovers(tmp_path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: (p / "x").touch() or p / "x" / "out.txt", "x is a file, and a folder should be there"),
        (lambda p: (p / "x").touch() or p / "x" / "y" / "out.txt", "x is a file, and a folder should be there"),
        (lambda p: (p / "x").mkdir() or p / "x", "Is a directory; a folder stands there"),
    ],
)
def test_what_cannot_be_written_is_one_line(tmp_path, make, said):
    path = make(tmp_path)
    with pytest.raises(OutputError, match=said) as found:
        write_text(path, "text")
    assert str(found.value).startswith(f"{path}: cannot be written: ") and "\n" not in str(found.value)
    assert not leftovers(tmp_path)


def test_a_name_of_the_longest_length_can_be_written(tmp_path):
    write_text(tmp_path / ("n" * 255), "text")
    assert (tmp_path / ("n" * 255)).read_text() == "text"


def test_parts_of_the_dead_go_and_those_of_the_living_stay(tmp_path):
    dead, alive = tmp_path / f".a.txt.{dead_process()}-1.part", tmp_path / f".a.txt.{os.getppid()}-1.part"
    deep = tmp_path / "b" / f".m.{dead_process()}-1.part"
    deep.mkdir(parents=True)
    (deep / "weights").touch()
    dead.touch()
    alive.touch()
    write_text(tmp_path / "a.txt", "text")
    assert not dead.exists() and alive.exists() and deep.exists()
    remove_abandoned(tmp_path, everywhere=True)
    assert not deep.exists() and alive.exists()


def test_files_of_dead_processes_leave_shared_memory(tmp_path):
    mine = named_by_process("clip", tmp_path, ".safetensors")
    theirs = tmp_path / mine.name.replace(str(os.getpid()), str(dead_process()))
    mine.touch()
    theirs.touch()
    remove_of_dead(tmp_path, "clip")
    assert mine.exists() and not theirs.exists()


LIMITED = """
import resource, sys
from timeground.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    "command", [["synth", "{out}", "--videos", "1"], ["ground", "example", "--plot", "{out}/a.png"]]
)
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, command):
    out = tmp_path / "out"
    asked = [word.format(out=out) for word in command]
    done = subprocess.run([sys.executable, "-c", LIMITED, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert "cannot be written: File too large" in done.stderr.splitlines()[-1]
    assert not [p for p in out.rglob("*") if p.is_file() and p.name != ".lock"]


def test_a_plot_is_refused_before_the_model_is_asked(tmp_path, capsys):
    (tmp_path / "x").touch()
    assert main(["ground", "example", "--plot", str(tmp_path / "x" / "a.png")]) == 2
    out = capsys.readouterr()
    assert "a folder should be there" in out.err and not out.out


PARENT = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
from stuck import read_for_ever
from timeground.media.decode import DecodeRequest
from timeground.media.sampling import Sampling
from timeground.media.crew import decode_many

if __name__ == "__main__":
    for _ in decode_many([DecodeRequest("a.mp4", Sampling())], 1, reader=read_for_ever):
        pass
"""
STUCK = """
import os, time
from pathlib import Path

def read_for_ever(request):
    Path({mark!r}).write_text(str(os.getpid()))
    while True:
        time.sleep(0.05)
"""


def test_workers_end_when_their_parent_is_killed(tmp_path):
    mark = tmp_path / "worker"
    (tmp_path / "stuck.py").write_text(textwrap.dedent(STUCK.format(mark=str(mark))))
    script = tmp_path / "parent.py"
    script.write_text(PARENT.format(folder=str(tmp_path)))
    parent = subprocess.Popen([sys.executable, str(script)])
    limit = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < limit:
        time.sleep(0.05)
    worker = psutil.Process(int(mark.read_text()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    worker.wait(timeout=10)
    assert not psutil.pid_exists(worker.pid)
