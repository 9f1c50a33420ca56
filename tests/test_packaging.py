"""What a package promises: a version with its commit, completion, and imports on systems without Unix's own modules."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import timeground
from timeground.cli.main import COMMANDS, main
from timeground.version import version_line

ROOT = Path(__file__).parent.parent
FOLDERS = {"timeground": "timeground", **{n: f"timeground.{n}" for n in ("data_pipeline", "demo", "eval", "train")}}
UNIX_ONLY = (
    "fcntl",
    "resource",
    "termios",
    "tty",
    "pty",
    "pwd",
    "grp",
    "syslog",
    "posix",
    "multiprocessing.forkserver",
)
LAUNCHED = ("__main__", "demo.app", "sitecustomize", "timeground_vllm", "stages.preload", "executors.preload")
FILES = [(file, module) for folder, module in FOLDERS.items() for file in sorted((ROOT / folder).rglob("*.py"))]


def test_the_version_is_the_same_everywhere_and_says_its_commit(capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == timeground.__version__
    assert f"## {timeground.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    said = capsys.readouterr().out.strip()
    assert ended.value.code == 0 and said == version_line() and said.startswith(f"timeground {timeground.__version__}")
    if (ROOT / ".git").exists():
        commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout
        assert commit.startswith(said.partition("(")[2].rstrip(")+"))


def test_a_shell_completes_every_command_and_its_options(capsys):
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert all(name in script for name in COMMANDS) and "--print-settings" in script and "--start" in script
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("file", [file for file, _ in FILES], ids=lambda file: str(file.relative_to(ROOT)))
def test_no_file_imports_what_only_unix_has_when_it_is_imported(file):
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{a.name}" for a in node.names)]
        assert not set(names) & set(UNIX_ONLY), f"{file}: {names}"


SCRIPT = """
import builtins, importlib, multiprocessing, os, sys
unix, names = {unix!r}, {names!r}
before = builtins.__import__

def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    if name in unix and str((globals or {{}}).get("__name__", "")).startswith("timeground"):
        raise ImportError(f"{{name}} is not on this system")
    return before(name, globals, locals, fromlist, level)

builtins.__import__ = guarded
for name in ("fork", "forkpty", "sched_getaffinity"):
    delattr(os, name)
multiprocessing.get_all_start_methods = lambda: ["spawn"]
for name in names:
    importlib.import_module(name)
    assert multiprocessing.get_start_method(allow_none=True) in (None, "spawn", "fork", "forkserver")
print(len(names))
"""


@pytest.mark.long
def test_every_module_imports_without_fork_and_unix_modules():
    names = []
    for file, module in FILES:
        parts = file.relative_to(ROOT).with_suffix("").parts[1:]
        name = ".".join([module, *(part for part in parts if part != "__init__")])
        if not any(name.endswith(launched) for launched in LAUNCHED):
            names.append(name)
    script = SCRIPT.format(unix=UNIX_ONLY, names=names)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.splitlines()[-1]) == len(names) > 200
