"""A checkpoint that is not whole must not answer: every damage is one line with the file's name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from timeground.cli.main import main
from timeground.errors import UserError
from timeground.models.checkpoint import Checkpoint
from timeground.models.loading import load
from timeground.models.names import resolve
from timeground.models.torchvision_repair import repair_torchvision

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resolve("tiny"), tmp_path / "model"))


def change_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    state = load_file(folder / WEIGHTS)
    change(state)
    save_file(state, folder / WEIGHTS, {"format": "pt"})


def drop(state: dict[str, torch.Tensor], count: int) -> None:
    for name in [n for n in state if "layers" in n][:count]:
        del state[name]


def misshape(state: dict[str, torch.Tensor]) -> None:
    name = next(n for n in state if n.endswith("q_proj.weight"))
    state[name] = state[name][:64].clone()


def rewrite(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing tensors": (lambda f: change_weights(f, lambda s: drop(s, 11)), "11 weights are missing"),
    "one missing tensor": (lambda f: change_weights(f, lambda s: drop(s, 1)), "1 weights are missing"),
    "misshapen tensor": (lambda f: change_weights(f, misshape), "another shape"),
    "truncated": (rewrite(WEIGHTS, lambda b: b[: len(b) // 2]), "model.safetensors: cut short"),
    "cut in the header": (rewrite(WEIGHTS, lambda b: b[:100]), "model.safetensors: cut short"),
    "LFS pointer": (rewrite(WEIGHTS, lambda b: b"version https://git-lfs.github.com/spec/v1\noid x\n"), "Git LFS"),
    "web page": (rewrite(WEIGHTS, lambda b: b"<!DOCTYPE html><html>no</html>"), "a web page"),
    "empty": (rewrite(WEIGHTS, lambda b: b""), "an empty file"),
    "noise": (rewrite(WEIGHTS, lambda b: bytes(range(256)) * 10), "damaged weights"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "no weights"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "the tokenizer is missing"),
    "broken tokenizer": (rewrite("tokenizer.json", lambda b: b[:1000]), "tokenizer.json: not valid JSON"),
    "no processor": (lambda f: (f / "processor_config.json").unlink(), "the processor is missing"),
    "no chat template": (lambda f: (f / "chat_template.jinja").unlink(), "the chat template is missing"),
    "broken config": (rewrite("config.json", lambda b: b"{"), "config.json: not valid JSON"),
    "config of another kind": (rewrite("config.json", lambda b: b"[]"), "config.json: holds a list"),
    "a shard that is gone": (
        lambda f: (f / "model.safetensors.index.json").write_text(
            json.dumps({"weight_map": {"a": "gone.safetensors"}})
        ),
        "1 of 1 weights files are missing (gone.safetensors)",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_checkpoint_is_refused_in_one_line(kind, folder, capsys):
    damage, words = DAMAGE[kind]
    damage(folder)
    assert main(["ground", "example", "--model", str(folder)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert words in lines[-1] and str(folder) in lines[-1] and "Traceback" not in "".join(lines)


def test_unexpected_tensors_are_named_and_the_run_goes_on(folder, capsys):
    change_weights(folder, lambda s: s.update({"extra.weight": torch.zeros(3)}))
    load(str(folder), device="cpu")
    assert "1 weights are not used (extra.weight)" in capsys.readouterr().err


def test_tied_weights_may_be_missing(folder):
    change_weights(folder, lambda s: s.pop("lm_head.weight"))
    whole, loaded = load("tiny", device="cpu"), load(str(folder), device="cpu")
    assert torch.equal(whole.model.lm_head.weight, loaded.model.lm_head.weight)


def test_a_processor_needs_no_weights(folder):
    (folder / WEIGHTS).unlink()
    assert Checkpoint.open(str(folder)).processor.tokenizer
    with pytest.raises(UserError, match="no weights"):
        load(str(folder))


def test_several_files_of_weights_are_read(folder, qwen3_folder, tmp_path):
    repair_torchvision()
    loaded = load(qwen3_folder, device="cpu")
    shutil.copytree(qwen3_folder, tmp_path / "shards")
    (tmp_path / "shards" / WEIGHTS).unlink()
    loaded.model.save_pretrained(tmp_path / "shards", max_shard_size="200KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    again = load(str(tmp_path / "shards"), device="cpu")
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, again.model.state_dict()[name]), name
