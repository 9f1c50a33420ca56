"""What differs between model families stands in their files, and a new family is one more file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from tests.conftest import noise_clip
from tests.support.asking import ask, show
from tests.support.tiny_models import asked_as
from tests.support.toy_family import Qwen2VL, make_qwen2
from timeground.chat.layout import TimeEncoding, encode_time
from timeground.chat.profile import Profile
from timeground.cli.main import main
from timeground.errors import UserError
from timeground.methods.grounder import Grounder
from timeground.models.families import FAMILIES
from timeground.models.loading import load
from timeground.models.sampling import SampleSpec

ROOT = Path(__file__).resolve().parents[3]
FAMILY_FILES = ROOT / "timeground" / "models" / "families"
QUESTION = "When does this happen: the red circle moves left?"


def test_no_family_is_named_outside_its_file():
    """Neither a comparison with a model type nor a special token of a chat."""
    named = re.compile(r"""["'](?:qwen\w*_vl\w*)["']|<\|\w+\|>""")
    found = []
    for folder in ("timeground", "train", "eval", "demo", "data_pipeline"):
        for path in (ROOT / folder).rglob("*.py"):
            lines = path.read_text(encoding="utf-8").splitlines()
            if not path.is_relative_to(FAMILY_FILES):
                found += [
                    f"{path.relative_to(ROOT)}:{n}: {line}" for n, line in enumerate(lines, 1) if named.search(line)
                ]
    assert found == []


@pytest.fixture
def third(monkeypatch, tmp_path_factory) -> str:
    monkeypatch.setitem(FAMILIES, Qwen2VL.model_type, Qwen2VL)
    return make_qwen2(tmp_path_factory.mktemp("qwen2"))


def test_a_third_family_answers_as_transformers_does(third):
    """Greedy tokens from the shared prefix are those of its own processor and class."""
    loaded = load(third)
    clip, _ = encode_time(noise_clip(8, 56, 84), TimeEncoding.DRAWN)
    messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": QUESTION}]}]
    text = loaded.checkpoint.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    inputs = loaded.checkpoint.processor(
        text=[text], videos=[clip.frames], do_sample_frames=False, do_resize=False, return_tensors="pt"
    )
    from transformers import Qwen2VLForConditionalGeneration

    plain = Qwen2VLForConditionalGeneration.from_pretrained(third, dtype=torch.float32).eval()
    with torch.no_grad():
        out = plain.generate(
            **inputs, max_new_tokens=10, do_sample=False, eos_token_id=loaded.checkpoint.builder.end_id, pad_token_id=0,
            bad_words_ids=[[i] for i in loaded.checkpoint.family.forbidden_ids],
        )  # fmt: skip
    expected = out[0, inputs["input_ids"].shape[1] :].tolist()
    model = asked_as(loaded, Profile(prompt="short", time_encoding=TimeEncoding.DRAWN))
    prefix = show(model, noise_clip(8, 56, 84))
    ((turn,),) = ask(prefix, [QUESTION], SampleSpec(max_new_tokens=10))
    assert list(turn.ids) == expected and len(set(expected)) > 1


def test_a_third_family_reaches_the_programs(third, synth_folder, capsys):
    """The public API, the command line and the doctor know it by its registration alone."""
    answer = Grounder.from_pretrained(third, overrides={"total_tokens": 480}).ground(noise_clip(8, 56, 56), "it moves")
    assert isinstance(answer.text, str)
    video = next((synth_folder / "videos").glob("*.mp4"))
    assert main(["ground", str(video), "the red circle moves left", "--model", third, "--json"]) == 0
    assert main(["doctor", "--model", third, "--json"]) in (0, 1)
    assert "interleaved-seconds" in capsys.readouterr().out
    with pytest.raises(UserError, match="carries no seconds in Qwen2-VL"):
        Grounder.from_pretrained(third, overrides={"time_encoding": "mrope"})


def test_an_unknown_family_names_those_there_are(third, monkeypatch):
    monkeypatch.delitem(FAMILIES, Qwen2VL.model_type)
    with pytest.raises(UserError, match=r"'qwen2_vl' is not supported; there are Qwen3\.5, .*Qwen3-VL"):
        load(third)
