"""Stages say what they need and give; an order that cannot work is refused before the first video."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import yaml
from timeground.data_pipeline import notes
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.recipe import RECIPES, Recipe, load_recipe
from timeground.data_pipeline.stage import STAGES, VideoStage
from timeground.data_pipeline.tools import Tools

from tests.support.pipeline import answered, make_row, run
from timeground.data.rows import read_rows, write_rows
from timeground.errors import UserError

NEEDED = {
    "reannotate": [("probe", "duplicates"), ("ground", "agree")],
    "tiny-annotate": [
        ("probe", "duplicates"),
        ("propose", "ground"),
        ("ground", "agree"),
        ("difficulty", "select"),
        ("samples", "export"),
    ],
    "tiny-clean": [("probe", "duplicates"), ("ground", "agree")],
}
"""By shipped recipe: a stage, and the first stage after it that cannot work without."""


def shipped(recipe: str, tmp_path: Path) -> dict:
    """The recipe as data. Where it takes rows, they carry nothing that a stage gives."""
    tree = yaml.safe_load((RECIPES / f"{recipe}.yaml").read_text())
    if "rows" in tree["input"]:
        (tmp_path / "data").mkdir()
        write_rows(tmp_path / "rows.jsonl", [make_row()])
        tree["input"] = {"videos": str(tmp_path / "data"), "rows": str(tmp_path / "rows.jsonl")}
    return tree


def load(tree: dict, tmp_path: Path) -> Recipe:
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(tree))
    return load_recipe(str(tmp_path / "recipe.yaml"))


def without(tree: dict, stage: str) -> dict:
    return tree | {"stages": [one for one in tree["stages"] if one["stage"] != stage]}


@pytest.mark.parametrize(("recipe", "giver", "user"), [(name, *pair) for name in NEEDED for pair in NEEDED[name]])
def test_a_shipped_recipe_without_a_stage_that_gives_is_refused(recipe, giver, user, tmp_path):
    tree = shipped(recipe, tmp_path)
    assert load(tree, tmp_path).stages
    with pytest.raises(UserError) as refused:
        load(without(tree, giver), tmp_path)
    line = str(refused.value)
    assert f"({user}) needs " in line and f"put stage {giver} before it" in line and "\n" not in line


def test_every_stage_of_a_shipped_recipe_that_another_needs_is_among_those():
    for name in NEEDED:
        stages = load_recipe(name, ["input.videos=x"]).stages
        firsts: dict[str, str] = {}
        for number, stage in enumerate(stages):
            new = set(stage.given()) - {key for one in stages[:number] for key in one.given()}
            users = [user.stage for user in stages[number + 1 :] if set(user.needed()) & new]
            if users:
                firsts[stage.stage] = users[0]
        assert firsts == dict(NEEDED[name])


def test_two_stages_that_changed_places_are_refused(write_recipe, tmp_path, capsys):
    """No video is opened: nothing is written at all."""
    recipe = write_recipe([{"stage": "probe"}, {"stage": "agree"}, {"stage": "ground"}])
    assert run(recipe) == 2
    line = capsys.readouterr().err.strip()
    assert "stages.1 (agree) needs quality.passes, which no stage before it gives; put stage ground before it" in line
    assert "\n" not in line and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("stages", "line"),
    [
        ([{"stage": "probe", "fingerprint": False}, {"stage": "duplicates"}], "set fingerprint: true in stage probe"),
        ([{"stage": "propose", "within": "segments"}], "needs facts.segments, .* put stage shots or events before it"),
        ([{"stage": "select", "min_iou": 0.1}], "needs difficulty.mean_iou, .* put stage difficulty before it"),
        ([{"stage": "select", "method": "variance"}], "needs difficulty.mean_iou"),
        (
            [{"stage": "difficulty", "blind": False}, {"stage": "select", "drop_blind": True}],
            "needs difficulty.blind_solvable, .* set blind: true in stage difficulty before it",
        ),
        ([{"stage": "export", "formats": ["samples"]}], "needs facts.samples, .* put stage samples before it"),
    ],
)
def test_what_is_needed_and_given_depends_on_settings(write_recipe, stages, line):
    with pytest.raises(UserError, match=line):
        load_recipe(write_recipe(stages))


def test_stages_that_ask_about_rows_need_some(write_recipe, pile):
    with pytest.raises(UserError, match=r"\(ground\) needs rows, .* put stage propose before it"):
        load_recipe(write_recipe([{"stage": "ground"}], input={"videos": str(pile)}))


def test_rows_of_an_earlier_run_bring_what_they_carry(write_recipe, tmp_path, pile):
    """`agree` alone works on rows with passes; a video whose rows have none fails, as one video among others."""
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video != "videos/bad.mp4" and row.task == "ground"]
    for row in rows:
        if row.video != "videos/copy.mp4":
            answered(row, [span.to_list() for span in row.spans])
    write_rows(tmp_path / "passed.jsonl", rows)
    recipe = write_recipe([{"stage": "agree"}, {"stage": "audit", "questions": []}])
    assert run(recipe, f"input.rows={tmp_path / 'passed.jsonl'}") == 0
    left = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    assert left and all(row.quality["agreement"]["agreed"] for row in left)
    assert "videos/copy.mp4" not in {row.video for row in left}


def test_keys_are_those_that_the_notes_name():
    groups = {"quality": notes.Quality, "difficulty": notes.Difficulty, "facts": notes.Facts}
    keys = {f"{name}.{key}" for name, group in groups.items() for key in group.__annotations__} | {"rows", "meta.rough"}
    assert len(STAGES) >= 13
    for name, stage in STAGES.items():
        assert {*stage.needs, *stage.gives} <= keys, name
        assert set(stage.gives_if) <= set(stage.gives) and set(stage.gives_if.values()) <= set(stage.model_fields)


@pytest.fixture
def loudness():
    """A stage of one's own: a class in one file, which enters itself under its name."""

    class Loudness(VideoStage):
        needs = ("rows", "quality.passes")
        gives = ("quality.loudness",)
        stage: Literal["loudness"] = "loudness"
        least: int = 1

        def run(self, item: Item, tools: Tools) -> None:
            for row in item.rows:
                row.quality["loudness"] = len(row.query) * self.least

    yield Loudness
    del STAGES["loudness"]


def test_a_stage_of_ones_own_is_one_class(loudness, no_workers, write_recipe, three, tmp_path):
    with pytest.raises(UserError, match=r"stages.0 \(loudness\) needs quality.passes, .* put stage ground before it"):
        load_recipe(write_recipe([{"stage": "loudness"}]))
    rows = [answered(row, [[1, 3]]) for row in read_rows(three)]
    write_rows(tmp_path / "passed.jsonl", rows)
    recipe = write_recipe([{"stage": "agree"}, {"stage": "loudness", "least": 2}])
    assert run(recipe, f"input.rows={tmp_path / 'passed.jsonl'}") == 0
    left = list(read_rows(tmp_path / "out" / "rows.jsonl"))
    assert [row.quality["loudness"] for row in left] == [2 * len(row.query) for row in rows]
