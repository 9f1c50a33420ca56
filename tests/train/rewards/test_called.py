"""Reward functions that were written for TRL run unchanged, in a run and in the sum of rewards."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter
from timeground.train.grpo.scoring import make_rewards
from timeground.train.rewards import Question, RewardSettings, RewardSum

from tests.support.runs import grpo_settings as settings
from tests.support.runs import lines
from tests.support.runs import run_grpo as run
from timeground.chat.parts import Message
from timeground.chat.trajectory import Trajectory, Turn
from timeground.data.rows import Row
from timeground.errors import UserError

HERE = "tests.support.trl_rewards"
ROWS = [Row("a", "v.mp4", 10.0, "when?"), Row("b", "v.mp4", 10.0, "where?")]


def rewards(*items: object) -> RewardSum:
    return RewardSum(TypeAdapter(list[RewardSettings]).validate_python(list(items)))


def questions(*texts: str) -> list[Question]:
    """A question for each text, which is its only answer; its tokens are as many as it stands at."""
    return [
        Question(row, [Trajectory((Turn(Message.of("assistant", text), tuple(range(2 - n))),))], prompt=row.query)
        for n, (row, text) in enumerate(zip(ROWS, texts, strict=True))
    ]


def test_a_function_is_given_what_it_names(tmp_path):
    values = rewards(f"{HERE}:longer", f"{HERE}:awaited", {"name": f"{HERE}:of_messages", "messages": True})
    found = values(questions("5 - 9", "no")).by_name
    assert found == {f"{HERE}:longer": [1.0, 2 / 6], f"{HERE}:awaited": [0.5, 0.5], f"{HERE}:of_messages": [5.0, 2.0]}


def test_trls_own_rewards_run_unchanged():
    pytest.importorskip("trl")
    name = "trl.rewards:think_format_reward"
    values = rewards({"name": name, "messages": True})(questions("<think>so</think>5 - 9", "5 - 9"))
    assert values.by_name[name] == [1.0, 0.0]


def test_a_column_that_no_row_has_is_missed_before_the_run():
    with pytest.raises(UserError, match="needs the column solution"):
        make_rewards(settings(rewards=[f"{HERE}:with_a_column_of_its_own"]))
    make_rewards(settings(rewards=[f"{HERE}:everything", f"{HERE}:longer"]))


def test_a_run_hands_over_prompts_ids_and_the_rows_own_fields(tmp_path):
    done = run(tmp_path / "run", "steps=1", f"rewards=['{HERE}:everything', '{HERE}:longer']")
    assert done.returncode == 0, done.stderr
    (metrics,) = lines(tmp_path / "run")
    assert metrics["tokens_said"] > 0 and metrics[f"reward/{HERE}:everything"] == pytest.approx(
        metrics["answer_tokens"]
    )
