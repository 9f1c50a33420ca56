"""Rewards by name or import path, their weighted sum, gates, and what is refused."""

from __future__ import annotations

import doctest
import math
import re
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from timeground.train.rewards import REWARDS, RewardSettings, RewardSum, columns_of, load_reward, tiou

from timeground.errors import UserError

OWN = """
def length(completions, spans, factor=1.0, **columns):
    return [factor * len(text) for text in completions]

length.columns = ("spans", "mood")

def bad(completions, kind="nan", **columns):
    return {"nan": [float("nan")], "long": [1.0, 2.0], "text": ["a"], "number": 3.0, "none": [None]}[kind]

from timeground.train.rewards import reward

@reward("spans")
def first_start(text, row, *, scale: float = 1.0):
    return scale * row.spans[0].start_s

not_callable = 3
"""


@pytest.fixture()
def own(tmp_path, monkeypatch):
    (tmp_path / "my_rewards_for_test.py").write_text(OWN)
    (tmp_path / "needs_something_else.py").write_text("import no_such_module_at_all\n")
    monkeypatch.syspath_prepend(tmp_path)
    return "my_rewards_for_test"


def make(*items: object) -> RewardSum:
    return RewardSum(TypeAdapter(list[RewardSettings]).validate_python(list(items)))


def test_the_sum_is_weighted_and_the_parts_are_not():
    rewards = make("tiou", {"name": "wasserstein", "weight": 0.5, "options": {"beta": 3}}, {"name": "parse_penalty"})
    values = rewards(["32 - 42", "no idea"], spans=[[[30, 40]]] * 2, prompts=["p"] * 2)
    assert values.by_name["tiou"] == [8 / 12, 0] and values.by_name["parse_penalty"] == [0, -1]
    assert values.by_name["wasserstein"] == pytest.approx([math.exp(-0.6), 0])
    assert values.total == pytest.approx([8 / 12 + 0.5 * math.exp(-0.6), -1])
    assert rewards.functions["tiou"] is tiou


def test_gates_shut_by_listed_and_by_unlisted_rewards(own):
    texts = ["<answer>5 - 9</answer>", "<answer>70 - 80</answer>"]
    for listed in ([], ["tiou"]):
        values = make(*listed, {"name": "format_answer", "gate": "tiou"})(texts, spans=[[[5, 9]]] * 2)
        assert values.by_name["format_answer"] == [1, 0]
        assert set(values.by_name) == {*listed, "format_answer"}
    own_gate = make({"name": "format_answer", "gate": f"{own}:length"})
    assert own_gate(["", texts[0]], spans=[[], []]).total == [0, 1]


def test_own_rewards_by_import_path(own):
    settings = {"name": f"{own}:length", "weight": 2.0, "options": {"factor": 10}}
    rewards = make("tiou", settings, f"{own}:first_start")
    values = rewards(["5 - 9"], spans=[[[5, 9]]])
    assert values.by_name == {"tiou": [1], f"{own}:length": [50], f"{own}:first_start": [5]}
    assert values.total == [106]
    assert columns_of(rewards.functions[f"{own}:length"]) == ("spans", "mood")
    assert "first_start" not in REWARDS
    assert load_reward(f"{own}:first_start", {"scale": 2})(["x"], spans=[[[5, 9]]]) == [10]
    assert columns_of(lambda completions, **columns: [0.0]) == ()


def test_columns_are_checked_before_a_run(own):
    rewards = make("tiou", {"name": "format_think", "gate": "time_aware_iou"}, f"{own}:length")
    rewards.check_columns(["spans", "duration", "mood", "id"])
    assert rewards.columns == {"spans", "duration", "mood"}
    for missing in ("spans", "duration", "mood"):
        with pytest.raises(UserError, match=f"needs the column {missing}"):
            rewards.check_columns({"spans", "duration", "mood"} - {missing})


@pytest.mark.parametrize(
    ("kind", "words"),
    [("nan", "returned nan for completion 0"), ("long", "returned 2 numbers for 1 completions"),
     ("text", "return a list of numbers"), ("number", "return a list of numbers")],
)  # fmt: skip
def test_what_a_reward_may_not_return(own, kind, words):
    with pytest.raises(UserError, match=f"reward {own}:bad .*{words}"):
        make({"name": f"{own}:bad", "options": {"kind": kind}})(["5 - 9"])


def test_none_says_that_a_reward_does_not_apply(own):
    assert make({"name": f"{own}:bad", "options": {"kind": "none"}})(["5 - 9"]).total == [0]


@pytest.mark.parametrize(
    ("items", "words"),
    [
        (["iou"], "unknown reward 'iou'; there are choice, direction"),
        (["no_such_module_here:f"], "cannot import 'no_such_module_here'"),
        (["needs_something_else:f"], "no_such_module_at_all"),
        ([":f"], "cannot import ''"),
        (["my_rewards_for_test:none"], "has no function 'none'"),
        (["my_rewards_for_test:not_callable"], "has no function 'not_callable'"),
        (["tiou", "tiou"], "reward tiou is listed twice"),
        ([], "no rewards are listed"),
        ([{"name": "tiou", "gate": "iou"}], "unknown reward 'iou'"),
        ([{"name": "wasserstein", "options": {"gamma": 1}}], "reward wasserstein: unknown option gamma"),
        ([{"name": "wasserstein", "options": {"beta": "much"}}], "option beta is 'much'"),
    ],
)
def test_mistakes_in_a_recipe_are_one_line(own, items, words):
    with pytest.raises(UserError) as error:
        make(*items)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_unknown_keys_of_a_recipe_are_errors():
    for item in ({"name": "tiou", "wieght": 2}, {"weight": 2}, {"name": "tiou", "weight": math.inf}):
        with pytest.raises(ValidationError):
            make(item)


def test_the_page_lists_every_reward_with_its_columns_and_options():
    page = (Path(__file__).parents[2] / "docs" / "rewards.md").read_text(encoding="utf-8")
    for name, reward in REWARDS.items():
        (line,) = re.findall(rf"^\| `{name}` .*$", page, re.MULTILINE)
        for column in reward.columns:
            assert f"`{column}`" in line, (name, column)
        for option in reward._option_names():
            assert f"`{option}" in page, (name, option)


def test_examples_of_the_page_run():
    page = Path(__file__).parents[2] / "docs" / "rewards.md"
    result = doctest.testfile(str(page), module_relative=False)
    assert result.attempted > 5 and result.failed == 0
    (listed,) = re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [item.gate for item in make(*yaml.safe_load(listed)).settings.values()] == [None, None, None, "set_iou"]
