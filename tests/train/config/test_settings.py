"""Settings that no run can have are refused in one line, or put right with one."""

from __future__ import annotations

import pytest
from timeground.data_pipeline.recipe import load_recipe as load_pipeline
from timeground.train.config import GrpoSettings, OptimizerSettings, SftSettings, load_recipe, remarks
from timeground.train.rewards import load_reward
from timeground.train.schedule import learning_rate

from timeground.cli.main import main
from timeground.errors import UserError


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optimizer.lr=-1", "optimizer.lr"),
        ("optimizer.lr=0", "optimizer.lr"),
        ("optimizer.lr=.nan", "optimizer.lr"),
        ("optimizer.lr=.inf", "optimizer.lr"),
        ("optimizer.weight_decay=-0.1", "optimizer.weight_decay"),
        ("optimizer.weight_decay=.nan", "optimizer.weight_decay"),
        ("optimizer.betas=[0.9, 1.0]", "optimizer.betas.1"),
        ("optimizer.betas=[-0.1, 0.9]", "optimizer.betas.0"),
        ("optimizer.max_grad_norm=-1", "optimizer.max_grad_norm"),
        ("optimizer.max_grad_norm=.nan", "optimizer.max_grad_norm"),
        ("optimizer.final_lr_ratio=-0.5", "optimizer.final_lr_ratio"),
        ("optimizer.final_lr_ratio=.nan", "optimizer.final_lr_ratio"),
        ("data.synth_stages=[]", "data.synth_stages"),
        ("data.synth_stages=[{durations_s: []}]", "durations_s"),
        ("data.synth_stages=[{durations_s: [[9, 8]]}]", "durations_s"),
        ("data.synth_stages=[{durations_s: [[0, 8]]}]", "durations_s"),
        ("data.synth_stages=[{durations_s: [[8, .inf]]}]", "durations_s"),
        ("data.synth_stages=[{kind_weights: {single: -1}}]", "kind_weights"),
        ("data.synth_stages=[{kind_weights: {single: .nan}}]", "kind_weights"),
        ("data.synth_stages=[{kind_weights: {single: 0}}]", "kind_weights"),
        ("data.synth_stages=[{jitter_s: [1, 0, 0, 1]}]", "jitter_s"),
        ("data.synth_stages=[{level: full}, {level: full}]", "synth_stages.0.micro_batches"),
        ("data.validation_scenes.durations_s=[-8, 9]", "validation_scenes"),
        ("data.image_share=.nan", "data.image_share"),
        ("data.synth_seed=-1", "data.synth_seed"),
        ("seed=-1", "seed"),
        ("output=''", "output"),
        ("validate_videos=0", "validate_videos"),
        ("model.lora={rank: 4, alpha: 0}", "model.lora.alpha"),
        ("model.lora={rank: 4, targets: []}", "model.lora.targets"),
        ("model.fresh.num_layers=0", "num_layers"),
        ("model.fresh.num_key_value_heads=3", "num_key_value_heads"),
        ("optimizer={lr: 1, lr: 2}", "the key lr stands there twice"),
    ],
)
def test_supervised_settings(override, words, capsys):
    assert main(["train", "sft", "tiny-sft", override]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sampling.group_size=0", "sampling.group_size"),
        ("sampling.temperature=.inf", "sampling.temperature"),
        ("loss.kl=.nan", "loss.kl"),
        ("loss.clip_high=.inf", "loss.clip_high"),
        ("loss.difficulty_tau=.inf", "loss.difficulty_tau"),
        ("rollout.timeout_s=.nan", "rollout.timeout_s"),
        ("plateau={min_gain: .nan}", "plateau.min_gain"),
        ("refilter={every: 2, low: 0.7, high: 0.3}", "refilter"),
        ("refilter={every: 2, high: .nan}", "refilter.high"),
        ("rewards=[]", "rewards"),
        ("rewards=[{name: tiou, weight: 0}]", "rewards"),
        ("rewards=[{name: tiou, weight: .nan}]", "rewards.0.weight"),
    ],
)
def test_reinforcement_settings(override, words):
    with pytest.raises(UserError, match=words):
        load_recipe(GrpoSettings, "tiny-grpo", [override])


@pytest.mark.parametrize("kind", ["grpo", "check"])
def test_a_group_of_one(kind, tmp_path, capsys):
    changes = ["model.init=tiny", "sampling.group_size=1", f"output={tmp_path / 'run'}"]
    assert main(["train", kind, "tiny-grpo", *changes]) == 2
    assert "sampling.group_size 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("wasserstein", {"beta": float("nan")}),
        ("wasserstein", {"beta": float("inf")}),
        ("wasserstein", {"beta": -1.0}),
        ("grounded_choice", {"iou_weight": -1.0}),
        ("direction", {"alpha": float("nan")}),
        ("shuffle_bonus", {"bonus": float("inf")}),
    ],
)
def test_options_of_rewards(name, options):
    with pytest.raises(UserError, match=f"reward {name}: option {next(iter(options))}"):
        load_reward(name, options)


@pytest.mark.parametrize(
    "stage",
    [
        "{stage: probe, min_s: 9, max_s: 5}",
        "{stage: probe, min_s: .nan}",
        "{stage: shots, segment_s: [60, 20]}",
        "{stage: shots, threshold: .inf}",
        "{stage: ground, passes: []}",
        "{stage: export, formats: []}",
    ],
)
def test_stages_of_the_pipeline(stage):
    changes = ["input.videos=x", f"stages=[{stage}]"]
    with pytest.raises(UserError, match=r"stages\.0"):
        load_pipeline("tiny-clean", changes)


@pytest.mark.parametrize("kind", ["sft", "grpo", "check"])
def test_no_processes_at_all(kind, capsys):
    assert main(["train", kind, "tiny-grpo" if kind == "grpo" else "tiny-sft", "--processes", "0"]) == 2
    assert "--processes 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("steps: 1\nsteps: 2\n", "steps"),
        ("steps: 1\nmodel:\n  fresh:\n    num_layers: 2\n    num_layers: 3\n", "num_layers"),
        ("data:\n  synth_stages:\n    - {level: still, level: full}\n", "level"),
        ("rewards:\n  - {name: tiou, options: {a: 1, a: 2}}\n", "a"),
    ],
)
def test_a_repeated_key_is_refused_with_its_place(text, key, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    for load in (lambda: load_recipe(SftSettings, str(file)), lambda: load_pipeline(str(file))):
        with pytest.raises(UserError, match=rf"mine.yaml.*the key {key} stands there twice.*line \d"):
            load()


def test_a_merged_key_may_be_changed(tmp_path):
    """What YAML's own merge key brings along is there to be overruled."""
    text = "base: &base {lr: 1.0, schedule: linear}\noutput: x\nsteps: 1\nmodel: {init: tiny}\ndata: {synth_seed: 1}\n"
    (tmp_path / "mine.yaml").write_text(text + "optimizer: {<<: *base, lr: 2.0}\n")
    with pytest.raises(UserError, match=r"unknown key base$"):
        load_recipe(SftSettings, str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("decay_steps", [None, 1, 10])
def test_the_last_step_learns_something(schedule, decay_steps):
    settings = OptimizerSettings(lr=1.0, warmup_steps=5, schedule=schedule, decay_steps=decay_steps)
    rates = [learning_rate(settings, step, 40) for step in range(1, 41)]
    assert rates[4] == 1.0 and rates[-1] > 0 and rates[4:] == sorted(rates[4:], reverse=True)
    assert learning_rate(settings, 1, 1) > 0
    to_a_tenth = settings.model_copy(update={"final_lr_ratio": 0.1})
    assert learning_rate(to_a_tenth, 40, 40) == pytest.approx(0.1)


def test_a_rate_that_would_end_at_0_is_put_right_with_a_line():
    changes = ["optimizer.final_lr_ratio=0", "optimizer.warmup_steps=0"]
    assert any("final_lr_ratio 0" in line for line in remarks(load_recipe(SftSettings, "tiny-sft", changes)))
    assert remarks(load_recipe(SftSettings, "tiny-sft")) == []
