"""A stage of one's own, by its file: the guide's own example, in worker processes."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from timeground.data_pipeline.recipe import load_recipe
from timeground.data_pipeline.shards import make_plan

from tests.support.pipeline import rejected, run, summary
from timeground.errors import UserError

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^As `my_stages.py`:\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """The working folder, with the guide's file in it."""
    (tmp_path / "my_stages.py").write_text(EXAMPLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("my_stages", "others"):
        sys.modules.pop(name, None)


def test_it_drops_with_a_reason_in_workers_and_an_edit_is_another_stage(folder, write_recipe):
    stages = [{"stage": "probe", "min_s": 1}, {"stage": "my_stages.py:Short", "min_s": 3.0}]
    recipe = write_recipe(stages)
    assert run(recipe) == 0
    dropped = [one for one in rejected(folder / "out") if one["stage"] == "my_stages.py:Short"]
    assert dropped and all(one["class"] == "short" and "longest span" in one["reason"] for one in dropped)
    assert "my_stages.py:Short" in [one["stage"] for one in summary(folder / "out")["stages"]]
    loaded = load_recipe(recipe)
    before = make_plan(loaded, []).folders
    (folder / "my_stages.py").write_text(EXAMPLE + "\n# changed\n", encoding="utf-8")
    after = make_plan(loaded, []).folders
    assert before[:2] == after[:2] and before[2] != after[2] and "my_stages_py_Short" in after[2].name


def test_an_import_path_from_the_working_folder(folder, write_recipe):
    assert load_recipe(write_recipe([{"stage": "my_stages:Short"}])).stages[0].min_s == 1.0


@pytest.mark.parametrize(
    ("text", "name", "said"),
    [
        ("", "none.py:Short", "no such file"),
        ("", "others.py:Short", "nothing called 'Short'"),
        ("import nowhere", "others.py:Short", "cannot be imported"),
        ("class Short: pass", "others.py:Short", "is no stage"),
        ("", "my_stages.py:VideoStage", "is no stage"),
        ("", "my_stages.py:Short', min: '2", "unknown key"),
        ("", "short", "there is no stage"),
    ],
)
def test_mistakes_are_one_line(folder, write_recipe, text, name, said):
    (folder / "others.py").write_text(text, encoding="utf-8")
    stage = {"stage": name.split("'")[0], **({"min": 2} if "min" in name else {})}
    with pytest.raises(UserError) as told:
        load_recipe(write_recipe([stage]))
    assert said in str(told.value) and "\n" not in str(told.value)
