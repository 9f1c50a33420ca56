"""The shipped recipes and `timeground train check`: all load, are estimated offline, and mistakes are told."""

from __future__ import annotations

import json

import pytest
import torch
import yaml
from timeground.train.config import RECIPES, ModelSettings
from timeground.train.config.recipe import kind_of, load_any_recipe
from timeground.train.plan.prompts import Prompts
from timeground.train.plan.shapes import SHAPES, shape_names, shape_of

from timeground.cli.main import main
from timeground.data.rows import Row, write_rows
from timeground.spans import Span

PROMPTS_AN_UPDATE = {
    "timelens-7b": 8,
    "timelens-8b-sft": 128,
    "timelens-8b-grpo": 8,
    "timelens2-4b": 8,
    "arrowgev-7b": 16,
    "cold-start-sft": 8,
    "cold-start-grpo": 16,
}
PROCESSES = {"cold-start-sft": 1}


def check(capsys, *arguments: str) -> dict:
    assert main(["train", "check", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda p: p.stem)
def test_a_recipe_says_its_kind_and_one_of_the_old_form_shows_it(path):
    recipe = load_any_recipe(str(path))
    tree = yaml.safe_load(path.read_text())
    assert path.read_text().startswith("#"), "a recipe says where its numbers come from"
    if "phases" in tree:
        assert [phase.settings.kind for phase in recipe.phases] == [phase["kind"] for phase in tree["phases"]]
        return
    assert recipe.kind == tree.pop("kind") == ("grpo" if "rewards" in tree else "sft")
    assert kind_of(tree, path.stem) is type(recipe.settings), "a recipe of the old form does not say it"


@pytest.mark.parametrize("name", PROMPTS_AN_UPDATE)
def test_published_recipes_are_estimated_offline(name, capsys):
    """The published batch is reached, memory is of a plausible size, and all that is missing is the data."""
    processes = PROCESSES.get(name, 8)
    one_column = ["sampling.max_new_tokens=16"] if load_any_recipe(name).kind == "grpo" else []
    found = check(capsys, name, "--processes", str(processes), *one_column)
    assert found["step"]["questions"] == PROMPTS_AN_UPDATE[name]
    total_tokens = load_any_recipe(name).settings.model.profile["total_tokens"]
    assert all(0.8 * total_tokens < size["visual_tokens"] <= 1.06 * total_tokens for size in found["prompts"])
    (memory, *_) = found["memory"]
    assert 4 * 2**30 < memory["peak_gpu"] < 80e9
    assert memory["with_checkpointing"] < memory["without_checkpointing"] / 5
    assert any("data.rows" in warning for warning in found["warnings"])


def test_a_kept_prompt_is_read_once_and_takes_memory_between(capsys):
    plain, kept = (check(capsys, "tiny-grpo", f"rollout.keep_prefix={on}") for on in ("false", "true"))
    assert (plain["step"]["prompt_passes"], kept["step"]["prompt_passes"]) == (2, 1)
    more = {item["name"]: item["gpu"] for item in kept["memory"][0]["items"]}
    step, rest = (more[f"prompts kept for the update, {which} of the step"] for which in ("all", "the rest"))
    assert step == 2 * rest > 10 * more["states of the vision tower, 8 clips"]
    assert plain["memory"][0]["peak_gpu"] < kept["memory"][0]["peak_gpu"]


def test_figures_of_one_recipe(capsys):
    """TimeLens-8B's second stage on 8 GPUs: its published run was on 8 cards of 96 GB."""
    found = check(capsys, "timelens-8b-grpo", "--processes", "8")
    assert found["sizes"]["parameters"] == 8_767_123_696
    assert found["step"] == {
        "clips": 8, "questions": 8, "answers": 64, "prompt_tokens": pytest.approx(125_000, rel=0.02),
        "answer_tokens": 64 * 512, "prompt_passes": 2,
    }  # fmt: skip
    true_answers, longest = found["memory"]
    assert (true_answers["answer_tokens"], longest["answer_tokens"]) == (18, 512)
    items = {item["name"]: item["gpu"] for item in longest["items"]}
    assert items["weights, 2 bytes each"] == 2 * 8_767_123_696
    assert items["moments of adamw, float32"] == found["sizes"]["trained"]  # 8 bytes each, a part in 8
    kv_per_token = 2 * 36 * 8 * 128 * 2  # keys and values x layers x heads x width x bytes
    longest_prompt = found["step"]["prompt_tokens"] / 8
    with_room = 1.25 * (longest_prompt + 8 * 512)  # for tokens that follow
    assert items["cache of keys and values"] == pytest.approx(kv_per_token * with_room, rel=0.03)
    assert 45e9 < true_answers["peak_gpu"] < longest["peak_gpu"] < 75e9
    assert longest["card_gb"] == 80
    assert "timelens-8b-sft writes it" in found["warnings"][0]


def test_the_table_is_for_people(capsys):
    assert main(["train", "check", "cold-start-sft", "videos_per_micro_batch=2", "--processes", "2"]) == 0
    text = capsys.readouterr().out
    for words in ("LoRA of rank 16", "2 processes", "visual tokens", "32 questions", "in all, forward", "warning: "):
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= 120


def test_an_answer_that_cannot_fit_is_warned_of(capsys):
    """ArrowGEV's script cuts answers off at 20 tokens; the form that it rewards takes more."""
    arrow = load_any_recipe("arrowgev-7b").settings
    assert 20 < Prompts(shape_of(arrow.model), arrow.data).true_answer_tokens(thinking=True) < 200
    found = check(capsys, "tiny-grpo", "model.init=tiny", "sampling.max_new_tokens=5")
    assert any("sampling.max_new_tokens 5" in warning for warning in found["warnings"])


def test_data_that_is_there_is_read(tmp_path, capsys):
    rows = [
        Row(id=str(i), video=f"{i % 2}.mp4", duration=20.0, query="a man runs", spans=[Span(1, 2)]) for i in range(4)
    ]
    write_rows(tmp_path / "rows.jsonl", rows)
    (tmp_path / "0.mp4").touch()
    data = [f"data.rows={tmp_path / 'rows.jsonl'}", f"data.videos={tmp_path}", "data.synth_seed=null"]
    direction = "rewards=[direction]"
    found = check(capsys, "tiny-grpo", "model.init=tiny", *data, direction, "contrasts=[reversed]")
    assert "4 rows in 2 clips" in found["data"]
    assert any("2 of the 2 videos that the run needs cannot be read" in w for w in found["warnings"])
    assert any("says its direction" in w for w in found["warnings"])
    (tmp_path / "rows.jsonl").write_text("{}\n")
    assert main(["train", "check", "tiny-grpo", "model.init=tiny", *data]) == 2
    assert "rows.jsonl:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-recipe"], "shipped are"),
        (["timelens-7b", "optimizer.lrr=1"], "unknown key optimizer.lrr"),
        (["timelens-7b", "rewards=null"], "rewards"),
        (["timelens-7b", "rewards=[tiouu]"], "unknown reward 'tiouu'"),
        (["timelens-7b", "rewards=[direction]"], "reversed_groups in contrasts"),
        (["timelens-7b", "rewards=[shuffle_bonus]"], "shuffled in contrasts"),
        (["timelens-7b", "model.init=/nowhere"], "no such model folder"),
        (["timelens-7b", "model.init=some/model"], "--shape"),
        (["timelens-7b", "model.init=null"], "model.init"),
        (["timelens-7b", "--shape", "qwen9"], "qwen3-vl-8b"),
        (["timelens-7b", "model.profile.time_encoding=native"], "native"),
        (["timelens-7b", "model.profile.total_token=5"], "unknown setting total_token"),
        (["timelens-7b", "data.synth_seed=1"], "data.rows"),
        (["timelens-7b", "--processes", "0"], "--processes 0"),
        (["cold-start-sft", "model.frozen=none"], "model.lora"),
        (["tiny-sft", "engine.zero_stage=1"], "muon"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments, words, capsys):
    assert main(["train", "check", *arguments]) == 2
    captured = capsys.readouterr()
    assert words in captured.err and captured.err.count("\n") == 1 and captured.out == ""


@pytest.mark.parametrize("name", shape_names())
def test_shapes_have_the_published_number_of_parameters(name):
    about = json.loads((SHAPES / f"{name}.json").read_text())["_about"]
    for hub_id in about["hub_ids"]:
        shape = shape_of(ModelSettings(init=hub_id))
        assert shape.name == name
    model = shape.model(torch.bfloat16).model
    assert sum(p.numel() for p in model.parameters()) == about["parameters"]
