"""Rewards by name or import path, their weighted sum, gates, and what is refused."""

from __future__ import annotations

import doctest
import math
import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from timeground.train.rewards import FUNCTIONS, REWARDS, Question, RewardSettings, RewardSum, as_trl
from timeground.train.rewards.columns import trajectory_of

from timeground.cli.main import main
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.spans import Span

OWN = """
def length(completions, spans, factor=1.0, **columns):
    return [factor * len(text) for text in completions]

length.columns = ("spans", "mood")

def bad(completions, kind="nan", **columns):
    return {"nan": [float("nan")], "long": [1.0, 2.0], "text": ["a"], "number": 3.0, "none": [None]}[kind]

def first_start(row, *, scale: float = 1.0):
    return scale * row.spans[0].start_s if row.spans else 0.0

def share_of_best(trajectory, group):
    return len(trajectory.text) / max(len(other.text) for other in group)

not_callable = 3
"""


@pytest.fixture()
def own(tmp_path, monkeypatch):
    (tmp_path / "my_rewards_for_test.py").write_text(OWN)
    (tmp_path / "needs_something_else.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "my_rewards_for_test"


def asked(*answers: str, spans: list | None = None) -> list[Question]:
    """One question with a group of answers."""
    row = Row("r", "v.mp4", 100.0, "it turns", [Span(*pair) for pair in spans or []])
    return [Question(row, [trajectory_of(text) for text in answers], prompt="when?")]


def make(*items: object) -> RewardSum:
    return RewardSum(TypeAdapter(list[RewardSettings]).validate_python(list(items)))


def test_the_sum_is_weighted_and_the_parts_are_not():
    rewards = make("tiou", {"name": "wasserstein", "weight": 0.5, "options": {"beta": 3}}, {"name": "parse_penalty"})
    values = rewards(asked("32 - 42", "no idea", spans=[[30, 40]]))
    assert values.by_name["tiou"] == [8 / 12, 0] and values.by_name["parse_penalty"] == [0, -1]
    assert values.by_name["wasserstein"] == pytest.approx([math.exp(-0.6), 0])
    assert values.total == pytest.approx([8 / 12 + 0.5 * math.exp(-0.6), -1])


def test_gates_shut_by_listed_and_by_unlisted_rewards(own):
    texts = ["<answer>5 - 9</answer>", "<answer>70 - 80</answer>"]
    for listed in ([], ["tiou"]):
        values = make(*listed, {"name": "format_answer", "gate": "tiou"})(asked(*texts, spans=[[5, 9]]))
        assert values.by_name["format_answer"] == [1, 0]
        assert set(values.by_name) == {*listed, "format_answer"}
    own_gate = make({"name": "format_answer", "gate": f"{own}:length"})
    assert own_gate(asked("", texts[0])).total == [0, 1]


def test_own_rewards_by_import_path(own):
    settings = {"name": f"{own}:length", "weight": 2.0, "options": {"factor": 10}}
    rewards = make("tiou", settings, {"name": f"{own}:first_start", "options": {"scale": 2}})
    values = rewards(asked("5 - 9", spans=[[5, 9]]))
    assert values.by_name == {"tiou": [1], f"{own}:length": [50], f"{own}:first_start": [10]}
    assert values.total == [111]
    assert "first_start" not in FUNCTIONS


def test_a_reward_is_given_only_what_it_names(own):
    values = make(f"{own}:share_of_best", f"{own}:first_start")(asked("abcd", "ab", spans=[[3, 9]]))
    assert values.by_name == {f"{own}:share_of_best": [1.0, 0.5], f"{own}:first_start": [3.0, 3.0]}


def test_a_reward_of_ours_is_a_function_for_trl(own):
    import importlib

    module = importlib.import_module(own)
    assert as_trl(module.first_start, scale=2.0)(["x", "y"], spans=[[[5, 9]], []]) == [10, 0]
    assert as_trl(module.share_of_best)(["abcd", "ab", "abc"], group=[0, 0, 1]) == [1.0, 0.5, 1.0]


def test_what_a_reward_needs_is_missed_before_a_run(own):
    rewards = make("tiou", {"name": "format_think", "gate": "direction"}, f"{own}:first_start")
    rewards.check(["reversed"])
    with pytest.raises(UserError, match="reward direction compares with a changed clip; list one of reversed, "):
        rewards.check(["shuffled"])
    with pytest.raises(UserError, match="needs the column mood"):
        make(f"{own}:length").check([])


@pytest.mark.parametrize(
    ("kind", "words"),
    [("nan", "returned nan for completion 0"), ("long", "returned 2 numbers for 1 completions"),
     ("text", "return a list of numbers"), ("number", "return a list of numbers")],
)  # fmt: skip
def test_what_a_reward_may_not_return(own, kind, words):
    with pytest.raises(UserError, match=f"reward {own}:bad .*{words}"):
        make({"name": f"{own}:bad", "options": {"kind": kind}})(asked("5 - 9"))


def test_none_says_that_a_reward_does_not_apply(own):
    assert make({"name": f"{own}:bad", "options": {"kind": "none"}})(asked("5 - 9")).total == [0]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["iou"], "unknown reward 'iou'; there are choice, direction"),
        (["no_such_module_here:f"], "cannot import 'no_such_module_here'"),
        (["needs_something_else:f"], "no_such_module_at_all"),
        ([":f"], "cannot import ''"),
        (["my_rewards_for_test:none"], "has nothing called 'none'"),
        (["my_rewards_for_test:not_callable"], "that is no function"),
        (
            ["tiou", "tiou"],
            "reward tiou is listed twice; list it once, its weight says how much it counts, or give each",
        ),
        (["tiou", {"name": "set_iou", "label": "tiou"}], "reward tiou is listed twice"),
        ([], "no rewards are listed"),
        ([{"name": "tiou", "gate": "iou"}], "unknown reward 'iou'"),
        ([{"name": "wasserstein", "options": {"gamma": 1}}], "reward wasserstein: unknown option gamma"),
        ([{"name": "wasserstein", "options": {"beta": "much"}}], "option beta is 'much'"),
        (
            [{"name": "set_iou", "options": {"protocol": "kind"}}],
            "reward set_iou: option protocol: unknown protocol 'kind'; there are: strict, timelens, timelens2, lenient",
        ),
    ],
)
def test_mistakes_in_a_recipe_are_one_line(own, items, words):
    with pytest.raises(UserError) as error:
        make(*items)
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("command", ["check", "grpo"])
def test_an_unknown_protocol_is_told_before_training(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("timeground.train.runtime.run.load_model", lambda *_: pytest.fail("a model was loaded"))
    rewards = "rewards=[{name: tiou, options: {protocol: kind}}]"
    assert main(["train", command, "tiny-grpo", "model.init=tiny", rewards, f"output={tmp_path / 'run'}"]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert "reward tiou: option protocol: unknown protocol 'kind'; there are: strict, timelens" in said


def test_unknown_keys_of_a_recipe_are_errors():
    for item in ({"name": "tiou", "wieght": 2}, {"weight": 2}, {"name": "tiou", "weight": math.inf}):
        with pytest.raises(ValidationError):
            make(item)


def test_the_page_lists_every_reward_with_its_contrasts_and_options():
    page = (Path(__file__).parents[3] / "docs" / "rewards.md").read_text(encoding="utf-8")
    for name, reward in REWARDS.items():
        (line,) = re.findall(rf"^\| `{name}` .*$", page, re.MULTILINE)
        for contrast in reward.reward.contrasts:
            assert f"`{contrast}`" in line, (name, contrast)
        for option in reward.reward.known:
            assert f"`{option}" in page, (name, option)


def test_examples_of_the_page_run():
    page = Path(__file__).parents[3] / "docs" / "rewards.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 5 and result.failed == 0
    lists = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    listed, by_rows = (make(*yaml.safe_load(text)).settings for text in lists)
    assert [item.gate for item in listed.values()] == [None, None, None, "set_iou"]
    assert {"set_iou", "of_several"} < set(by_rows) and by_rows["format_plain"].gate == "of_several"
