"""What a checkpoint's chat template writes between messages, and what it is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.models.checkpoint import Checkpoint
from timeground.models.families.qwen_vl import CHAT_TEMPLATE

ENDING = "{{ '<|im_start|>assistant\n' }}{%- endif -%}"
THINKING = (
    "{{ '<|im_start|>assistant\n' }}{%- if enable_thinking is defined and enable_thinking is false -%}"
    "{{ '<think>\n\n</think>\n\n' }}{%- else -%}{{ '<think>\n' }}{%- endif -%}{%- endif -%}"
)
"""Qwen3.5's ending, on our own template."""


@pytest.fixture
def thinker(qwen3_5_folder, tmp_path) -> Checkpoint:
    """A model whose template opens a thought unless it is told not to."""
    assert CHAT_TEMPLATE.endswith(ENDING)
    folder = tmp_path / "thinker"
    shutil.copytree(qwen3_5_folder, folder)
    template = CHAT_TEMPLATE.removesuffix(ENDING) + THINKING
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return Checkpoint.open(str(folder))


@pytest.mark.parametrize("thinks", [False, True])
def test_a_model_thinks_only_if_its_profile_says_so(thinker, thinks):
    """The prompt's tokens are those of the processor's own template, told the same."""
    checkpoint = thinker.asked_as(None, {"enable_thinking": True}) if thinks else thinker
    question = Message.of("user", "When does it move?")
    ours = checkpoint.transcript().question(question)
    messages = [{"role": "user", "content": [{"type": "text", "text": question.text}]}]
    text = checkpoint.processor.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=thinks
    )
    assert ours.ids_L.tolist() == checkpoint.processor.tokenizer.encode(text, add_special_tokens=False)
    assert text.endswith("<think>\n" if thinks else "</think>\n\n")


def test_the_setting_is_kept_in_the_file_of_a_profile(tmp_path: Path):
    from timeground.chat.profile import load_profile

    Profile(enable_thinking=True).save(tmp_path)
    (file,) = tmp_path.iterdir()
    assert load_profile(file).enable_thinking
    assert "enable_thinking" not in Profile().to_json()
    with pytest.raises(UserError, match="enable_thinking is 1, expected true or false"):
        Profile(enable_thinking=1)  # type: ignore[arg-type]
