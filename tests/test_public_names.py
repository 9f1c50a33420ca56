"""What `from timeground import ...` offers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import timeground


def test_every_public_name_is_there_and_is_the_one_of_its_module():
    for module, names in timeground._PLACES.items():
        for name in names:
            found = getattr(timeground, name)
            assert found is getattr(sys.modules[f"timeground.{module}"], name)
    assert {n for names in timeground._PLACES.values() for n in names} | {"__version__"} == set(timeground.__all__)
    assert set(timeground.__all__) == set(dir(timeground))
    with pytest.raises(AttributeError, match="no attribute 'Grounderr'"):
        _ = timeground.Grounderr


def test_the_import_is_quick_and_loads_nothing_heavy():
    said = "import timeground, sys; print(sorted({'torch', 'numpy', 'transformers', 'pydantic'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.long
def test_type_checkers_see_the_types(tmp_path):
    """A program that uses a name wrongly is told."""
    program = tmp_path / "program.py"
    program.write_text("from timeground import Span\nlength: str = Span(1.0, 2.0).length_s\n")
    environment = {**os.environ, "MYPYPATH": str(Path(timeground.__path__[0]).parent)}
    command = [sys.executable, "-m", "mypy", "--no-incremental", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert 'expression has type "float"' in done.stdout, done.stdout + done.stderr
