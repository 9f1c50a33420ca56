"""Recipes, overrides and options are understood in any order, by `train` and by `data` alike."""

from __future__ import annotations

import argparse

import pytest
from timeground.data_pipeline import command as data
from timeground.train import __main__ as train


def parsed(module, line: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(line.split())


@pytest.mark.parametrize(
    "line",
    [
        "run clean a=1 b=-2 --workers 2 --quiet",
        "run --workers 2 clean --quiet a=1 b=-2",
        "run clean a=1 --workers 2 b=-2 --quiet",
        "run a=1 --quiet b=-2 --workers 2 clean",
    ],
)
def test_data_takes_words_in_any_order(line):
    found = parsed(data, line)
    assert (found.recipe, found.overrides, found.workers, found.quiet) == ("clean", ["a=1", "b=-2"], 2, True)


@pytest.mark.parametrize("line", ["sft x a=1 --processes 2 b=[1,2]", "sft a=1 --processes 2 b=[1,2] x"])
def test_train_takes_words_in_any_order(line):
    found = parsed(train, line)
    assert (found.recipe, found.overrides, found.processes) == ("x", ["a=1", "b=[1,2]"], 2)


def test_a_word_that_is_no_override_stays_one_and_an_unknown_option_is_refused(capsys):
    assert parsed(train, "check x nonsense --json").overrides == ["nonsense"]
    with pytest.raises(SystemExit):
        parsed(train, "sft x --nonsense 3")
    assert "--nonsense" in capsys.readouterr().err
