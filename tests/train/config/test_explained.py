"""Every key of a recipe is explained, in the words of its settings class."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from timeground.train.config import RECIPES, GrpoSettings, SftSettings
from timeground.train.config.explained import entries, explain, explain_all
from timeground.train.config.page import page

from timeground.cli.main import main


def keys_of(tree: object, before: str = "") -> set[str]:
    found = set()
    for part in tree if isinstance(tree, list) else ():
        found |= keys_of(part, before)
    for name, value in tree.items() if isinstance(tree, dict) else ():
        found |= {before + name}
        if name not in ("options", "kind_weights", "calibration", "search", "look_tool"):
            found |= keys_of(value, f"{before}{name}.")
    return found


def test_every_key_has_a_meaning_and_a_type():
    for entry in entries().values():
        assert entry.meaning and entry.type and entry.default and entry.kinds, entry.key
        assert "Annotated" not in entry.type and "typing" not in entry.type, entry
    assert set(entries()) >= set(SftSettings.model_fields) | set(GrpoSettings.model_fields)
    assert explain_all().count("\n") == len(entries()) - 1


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_all_that_shipped_recipes_say_is_known(path):
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    found = keys_of({key: value for key, value in tree.items() if key != "phases"})
    for phase in tree.get("phases", []):
        found |= keys_of({key: value for key, value in phase.items() if key != "name"})
    assert {key for key in found if key not in entries()} == set()


def test_what_is_told():
    rate = explain("optimizer.lr")
    assert "number, above 0" in rate and "1e-05" in rate and "sft, grpo" in rate and "learning rate" in rate
    assert "one of none, tower, vision" in explain("model.frozen")
    assert "whole number, from 1 or null" in explain("sampling.max_new_tokens")
    assert "none, it has to be given" in explain("steps") and "kinds    grpo" in explain("rewards")
    assert explain("data.synth_stages.0.level") == explain("data.synth_stages.level")
    group = explain("model.lora")
    assert "dropout" in group and "Adapters" in group and "targets" in group
    assert '"sft" or "grpo"' in explain("kind")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("optimizer.learning_rate", "in optimizer there are name, lr, betas"),
        ("lr", "did you mean optimizer.lr?"),
        ("model.lora.rnak", "model.lora.rank"),
        ("model.profil", "model.profile"),
        ("qqqq", "there are seed, output"),
    ],
)
def test_unknown_keys_name_near_ones(key, said, capsys):
    assert main(["train", "explain", key]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1, error


def test_the_page_of_settings_is_current():
    file = Path(__file__).parents[3] / "docs" / "settings.md"
    written = file.read_text(encoding="utf-8")
    assert written == page(), "python -m timeground.train.config.page docs/settings.md"
    for entry in entries().values():
        assert f"| `{entry.key.rpartition('.')[2]}` |" in written
