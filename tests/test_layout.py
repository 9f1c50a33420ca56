"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROGRAMS = ("data_pipeline", "train", "eval", "demo")
SOURCES = [p for folder in ("timeground", *PROGRAMS) for p in sorted((ROOT / folder).rglob("*.py"))]


def imports(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.append(node.module or "")
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_program_imports_another_and_the_library_imports_none(path):
    room = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        parts = name.split(".")
        target = parts[1] if parts[0] == "timeground" and len(parts) > 1 else parts[0]
        assert target not in PROGRAMS or (target == room and parts[0] != room), f"{path}: imports {name}"
        assert parts[0] != "timeground" or target not in PROGRAMS, f"{path}: own files are imported relatively"


def test_every_package_is_listed_and_installed_where_the_design_says(tmp_path):
    """The wheel holds every package, with its data, under `timeground` and nothing beside it."""
    source = tmp_path / "source"  # a copy: building in place leaves files that later builds would pick up
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "build", "*.egg-info", "out", "runs"))
    built = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, source],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    import zipfile

    (wheel,) = tmp_path.glob("timeground-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {n.split("/")[0] for n in names}
    assert tops == {"timeground", next(t for t in tops if t.endswith(".dist-info"))}
    for path in SOURCES:
        parts = path.relative_to(ROOT).parts
        inside = "/".join(parts if parts[0] == "timeground" else ("timeground", *parts))
        assert inside in names
    for data in (
        "timeground/train/recipes/tiny-sft.yaml",
        "timeground/py.typed",
        "timeground/models/served/vllm/plugin/sitecustomize.py",
        "timeground/models/served/vllm/plugin/timeground_vllm-1.0.dist-info/entry_points.txt",
        "timeground/assets/tiny/model.safetensors",
        "timeground/data_pipeline/prompts/rewrite.txt",
        "timeground/eval/lmms_eval/synth.yaml",
        "timeground/eval/lmms_eval/synth.jsonl",
    ):
        assert data in names
