"""What cannot be run is one line that says what it is and what to do; a checkpoint's own code runs only when asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file
from timeground.data_pipeline.asking import ModelSettings, open_stage_model

from tests.conftest import noise_clip
from tests.support import tiny_video_models
from timeground.chat.parts import Message
from timeground.cli.main import main
from timeground.errors import UserError
from timeground.models.checkpoint import Checkpoint
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec

OWN_CODE = """
from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

class OwnConfig(LlavaOnevisionConfig):
    model_type = "own_video"

class OwnModel(LlavaOnevisionForConditionalGeneration):
    config_class = OwnConfig
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return Path(tiny_video_models.make("llava_onevision", tmp_path_factory.mktemp("llava")))


@pytest.fixture
def own_code(folder, tmp_path) -> Path:
    """A checkpoint that brings its own classes, of a model type that transformers does not know."""
    made = tmp_path / "own"
    shutil.copytree(folder, made)
    config = json.loads((made / "config.json").read_text())
    config |= {
        "model_type": "own_video",
        "auto_map": {"AutoConfig": "own.OwnConfig", "AutoModelForImageTextToText": "own.OwnModel"},
    }
    (made / "config.json").write_text(json.dumps(config))
    (made / "own.py").write_text(OWN_CODE)
    weights = load_file(
        made / "model.safetensors"
    )  # an own class names them as its modules, transformers' as published
    weights["lm_head.weight"] = weights.pop("language_model.lm_head.weight")
    save_file(weights, made / "model.safetensors", metadata={"format": "pt"})
    return made


def test_own_code_runs_only_when_asked_for(own_code, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    (own_code / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n" + OWN_CODE)
    assert main(["ground", "example", "x", "--model", str(own_code)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "--trust-remote-code" in told and "own_video" in told
    assert not (tmp_path / "ran").exists()
    model = open_model(str(own_code), trust_remote_code=True)
    assert (tmp_path / "ran").exists()
    (turn,) = model.open([Message.of("user", noise_clip(4))]).ask(
        [Message.of("user", "When?")], SampleSpec(max_new_tokens=3)
    )[0]
    assert turn.ids
    staged = open_stage_model(ModelSettings(name=str(own_code), options={"trust_remote_code": True}), "cpu")
    assert staged.model.contents == model.contents
    before = model.contents
    (own_code / "own.py").write_text(OWN_CODE + "\n# another version\n")
    assert model.read_contents(str(own_code)) != before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("model_type", "words"),
    [
        ("llama", "takes text only, no video nor pictures"),
        ("vit", "does not answer questions about video or pictures"),
        ("no_such_thing", "does not know it"),
    ],
)
def test_other_kinds_of_models_are_named(tmp_path, capsys, model_type, words):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    assert main(["ground", "example", "x", "--model", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and repr(model_type) in told and words in told and "Qwen3-VL" in told


def test_training_says_why_it_cannot(folder, tmp_path):
    with pytest.raises(UserError, match=r"'llava_onevision' is not supported.*packed prefix.*others only answer"):
        Checkpoint.open(str(folder))


def test_a_folder_without_a_processor_or_template_is_named(folder, tmp_path, capsys):
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    (copied / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="chat template is missing"):
        open_model(str(copied))
    (copied / "processor_config.json").unlink()
    with pytest.raises(UserError, match=r"cannot be loaded|files of a processor"):
        open_model(str(copied))


def test_damaged_weights_are_named(folder, tmp_path):
    copied = tmp_path / "copy"
    shutil.copytree(folder, copied)
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"model\.safetensors.*download it again"):
        open_model(str(copied))


def test_a_question_cannot_name_a_picture(folder):
    session = open_model(str(folder)).open([Message.of("user", noise_clip(4))])
    with pytest.raises(UserError, match="names a token of the model that stands for pictures"):
        session.ask([Message.of("user", "what is <image> here?")])
