"""Recipes: a mistake in one is one line."""

from __future__ import annotations

import argparse

import pytest
import yaml
from timeground.data_pipeline import command

from tests.support.pipeline import run


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("colour=red", "unknown key colour"),
        ("stages.0.min_z=2", "unknown key"),
        ("stages.0.stage=wash", "there is no stage 'wash'; there are: "),
        ("input.videos=nowhere", "is not a folder"),
        ("input.rows=nowhere.jsonl", "nowhere.jsonl"),
        ("stages.1.model=big", "asks model 'big'"),
        ("shard_size=0", "shard_size"),
        ("nothing", "name=value"),
    ],
)
def test_mistakes_are_one_line_and_status_2(write_recipe, capsys, change, said):
    recipe = write_recipe([{"stage": "probe", "min_s": 1}, {"stage": "audit", "model": "tiny"}])
    assert run(recipe, change) == 2
    error = capsys.readouterr().err.strip()
    assert said in error and "\n" not in error


@pytest.mark.parametrize(
    ("words", "executor"), [([], "local"), (["--executor", "ray"], "ray"), (["--engine", "ray"], "ray")]
)
def test_the_executor_may_be_given_by_its_old_name(words, executor):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    assert parser.parse_args(["run", "tiny-clean", *words]).executor == executor


def test_a_model_that_is_not_there_is_one_line(write_recipe, capsys):
    recipe = write_recipe([{"stage": "probe", "min_s": 1}, {"stage": "ground", "passes": [{}]}])
    assert run(recipe, "models.tiny.name=/nowhere/model") == 2
    error = capsys.readouterr().err.strip()
    assert "/nowhere/model: there is no such model folder" in error and "\n" not in error


def test_the_recipes_that_ship_are_valid():
    from timeground.data_pipeline.recipe import RECIPES, load_recipe

    for path in RECIPES.glob("*.yaml"):
        assert load_recipe(path.stem).stages
        assert yaml.safe_load(path.read_text())["stages"]
