"""Rewards that count on some kinds of rows alone: what they pay, what is logged of them, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from timeground.train.config import load_any_recipe
from timeground.train.data.inventory import look_at_data
from timeground.train.data.scenes import ROW_KINDS, all_rows
from timeground.train.rewards import Question, RewardSettings, RewardSum
from timeground.train.rewards.columns import trajectory_of

from tests.support.runs import lines, run_grpo
from timeground.cli.main import main
from timeground.data.rows import Row, write_rows
from timeground.errors import UserError
from timeground.spans import Span
from timeground.synth.frames import scene_seed
from timeground.synth.world import sample_scene

HERE = "tests.train.rewards.test_rows"
WHEN = Row("a", "v.mp4", 60.0, "it turns", [Span(5, 10)], meta={"kind": "single"})
TWICE = Row("b", "v.mp4", 60.0, "it turns", [Span(5, 10), Span(20, 25)], meta={"kind": "multi"})
WHICH = Row("c", "v.mp4", 60.0, question="which?", options=["x", "y"], answer="B", meta={"kind": "choice"})
OWN = Row("d", "v.mp4", 60.0, question="what?", answer="a dog", meta={"kind": ["odd"]})


def only_on_choices(row) -> float:
    assert row.task == "choice"
    return 1.0


def for_trl(completions, task=None, **columns) -> list[float]:
    assert set(columns["answer"]) == {"B"}
    return [0.5] * len(completions)


def make(*items: object) -> RewardSum:
    return RewardSum(TypeAdapter(list[RewardSettings]).validate_python(list(items)))


def asked(*rows: Row, said: tuple[str, ...] = ("5 - 10", "B")) -> list[Question]:
    return [Question(row, [trajectory_of(text) for text in said]) for row in rows]


def test_a_reward_counts_on_the_rows_that_it_names_by_task_or_by_kind():
    rewards = make({"name": "tiou", "rows": ["single"]}, {"name": "set_iou", "rows": ["ground"], "weight": 2}, "choice")
    values = rewards(asked(WHEN, TWICE, WHICH, OWN))
    assert values.by_name["tiou"] == [1, 0, 0, 0, 0, 0, 0, 0]
    assert values.by_name["set_iou"] == [1, 0, 0.5, 0, 0, 0, 0, 0]
    assert values.total == [3, 0, 1, 0, 0, 1, 0, 0]
    assert rewards.counts([WHEN, TWICE, WHICH, OWN]) == {
        "tiou": [True, False, False, False],
        "set_iou": [True, True, False, False],
        "choice": [True] * 4,
    }


def test_it_is_not_asked_about_others():
    """Of ours and of TRL's form; where none of the rows is its own it is not called at all."""
    listed = [{"name": f"{HERE}:{name}", "rows": ["choice"]} for name in ("only_on_choices", "for_trl")]
    values = make(*listed)(asked(WHEN, WHICH, OWN))
    assert list(values.by_name.values()) == [[0, 0, 1, 1, 0, 0], [0, 0, 0.5, 0.5, 0, 0]]
    assert make(*listed)(asked(WHEN, OWN)).total == [0] * 4


def test_one_reward_twice_under_two_labels_with_gates_that_name_them():
    rewards = make(
        {"name": "tiou", "rows": ["single"]},
        {"name": "tiou", "label": "several", "rows": ["multi"], "weight": 0.5},
        {"name": "format_plain", "label": "plain", "gate": "several"},
        {"name": "format_plain", "label": "anywhere", "gate": "set_iou"},  # not listed: on all rows
    )
    values = rewards(asked(WHEN, TWICE))
    assert values.by_name == {
        "tiou": [1, 0, 0, 0],
        "several": [0, 0, 1, 0],
        "plain": [0, 0, 1, 0],
        "anywhere": [1, 0, 1, 0],
    }
    assert values.total == [2, 0, 2.5, 0]


@pytest.mark.parametrize("wrong", [{"rows": []}, {"rows": "choice"}, {"label": ""}])
def test_forms_that_are_refused(wrong):
    with pytest.raises(ValidationError):
        make({"name": "tiou", **wrong})


def test_an_error_names_the_label():
    wrong = Row("e", "v.mp4", 60.0, question="which?", options=["x", "y"], answer="Q", meta={"kind": "choice"})
    with pytest.raises(UserError, match="reward letters: column answer holds 'Q'"):
        make({"name": "choice", "label": "letters"})(asked(wrong))


def test_the_kinds_of_scenes_are_those_that_are_listed():
    scenes = [sample_scene(scene_seed("train", 3, index)) for index in range(40)]
    assert {row.meta["kind"] for scene in scenes for row in all_rows(scene, "v.mp4")} == set(ROW_KINDS)


def test_a_name_that_no_row_has_is_remarked_on(tmp_path, capsys):
    listed = "rewards=[{name: tiou, rows: [single, sinlge, yes_no]}, {name: exact, label: words, rows: [open]}]"
    found = look_at_data(load_any_recipe("tiny-grpo", [listed]).settings, 1)
    (line,) = found.remarks
    assert line.startswith("reward tiou: no row of SynthMoments is of task or kind 'sinlge'; there are absent, ")
    (tmp_path / "v.mp4").touch()
    write_rows(tmp_path / "rows.jsonl", [WHEN, TWICE])
    data = [f"data.rows={tmp_path / 'rows.jsonl'}", f"data.videos={tmp_path}", "data.synth_seed=null"]
    assert main(["train", "check", "tiny-grpo", "model.init=tiny", *data, listed]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for name, title in (("sinlge", "tiou"), ("yes_no", "tiou"), ("open", "words")):
        assert f"reward {title}: no row of" in told and f"is of task or kind '{name}'" in told


def test_the_log_has_means_over_the_rows_on_which_each_counts(tmp_path):
    """A reward that pays 1 wherever it counts has the mean 1 whatever else is asked; in steps without, none."""
    names = [
        (kind, f"{{name: '{HERE}:one', label: of_{kind}, rows: [{kind}]}}") for kind in ("single", "choice", "none")
    ]
    listed = ", ".join(["tiou", *(entry for _, entry in names)])
    stages = "data.synth_stages=[{durations_s: [[8, 10]], kind_weights: {single: 1.0, choice: 1.0}}]"
    done = run_grpo(tmp_path / "run", "steps=3", f"rewards=[{listed}]", stages, "data.questions_per_video=4")
    assert done.returncode == 0, done.stderr
    assert "reward of_none: no row of SynthMoments is of task or kind 'none'" in done.stdout
    told = [
        {kind: metrics[f"reward/of_{kind}"] for kind, _ in names if f"reward/of_{kind}" in metrics}
        for metrics in lines(tmp_path / "run")
    ]
    assert {kind for means in told for kind in means} == {"single", "choice"}
    assert all(value == 1 for means in told for value in means.values())
    for metrics in lines(tmp_path / "run"):
        assert metrics["reward"] == pytest.approx(metrics["reward/tiou"] + 1)


def one(trajectory) -> float:
    return 1.0
