"""A conversation of several turns, with frames that come in late, is what it would be prefilled in one go."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoModelForImageTextToText

from tests.conftest import noise_clip
from tests.support.tiny_models import asked_as
from tests.support.written_out import row_logits
from timeground.chat.layout import TimeEncoding, encode_time
from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.models.loading import load
from timeground.models.local.model import LocalModel
from timeground.models.local.tree import ROOT
from timeground.models.sampling import SampleSpec
from timeground.models.transcript import Shown

ASKED = Message.of("user", "When does it move?")
AGAIN = Message.of("user", "And the blue ring?")


@pytest.fixture(params=["qwen3", "qwen3_5", "qwen2_5", "qwen2_5-stamped"])
def model(request) -> LocalModel:
    name, _, stamped = request.param.partition("-")
    encoding = TimeEncoding.NATIVE if name.startswith("qwen3") else TimeEncoding.MROPE
    profile = Profile(
        prompt="short", time_encoding=TimeEncoding.INTERLEAVED_SECONDS if stamped else encoding, max_new_tokens=10
    )
    return asked_as(load(request.getfixturevalue(f"{name}_folder")), profile)


def clip(model: LocalModel, frames: int = 8, seed: int = 0):
    side = 2 * model.checkpoint.family.factor
    return noise_clip(frames, side, side, seed=seed)


def logits(session) -> torch.Tensor:
    """What the conversation says next, as log-probabilities of some answers."""
    return torch.tensor(session.score([ASKED], [["A", "yes", "3.0 - 4.5 seconds"]])[0])


def test_frames_that_come_in_late_are_as_if_they_had_been_there(model):
    """Video, question, answer, more frames, question: grown turn by turn, and prefilled in one go."""
    grown = model.open([Message.of("user", clip(model))])
    ((answer,),) = grown.ask([ASKED])
    grown.extend(ASKED)
    grown.extend(answer)
    late = Message.of("user", "Look here: ", clip(model, 4, seed=1), " now?")
    grown.extend(late)
    whole = model.open([Message.of("user", clip(model)), ASKED, *_as_given(model, answer), late])
    assert grown.cache.prompt.ids_L.tolist() == whole.cache.prompt.ids_L.tolist()
    assert (grown.cache.prompt.positions_3L == whole.cache.prompt.positions_3L).all()
    torch.testing.assert_close(logits(grown), logits(whole), atol=1e-4, rtol=1e-4)
    assert grown.ask([AGAIN])[0][0].ids == whole.ask([AGAIN])[0][0].ids


def _as_given(model, answer):
    """The answer as it would come from a file: its tokens, without where they are from."""
    return [type(answer)(Message.of("assistant", answer.text), answer.ids, is_sampled=False)]


def test_late_frames_give_the_logits_of_transformers_over_the_same_tokens(model):
    """One plain pass of the reference class over all that was said and shown."""
    shown = [clip(model), clip(model, 4, seed=2)]
    session = model.open([Message.of("user", shown[0]), ASKED, Message.of("assistant", "3.0 - 4.0 seconds")])
    session.extend(Message.of("user", "Then: ", shown[1]))
    question = model.builder.question("?", session.cache.prompt.next_position)
    tree = session.cache.tree()
    tree.add(ROOT, len(question))
    with torch.inference_mode():
        ours = session.cache.extend(question.ids_L, question.positions_3L, tree)[-1]
    whole = session.cache.prompt.joined(question)
    reference = AutoModelForImageTextToText.from_pretrained(model.checkpoint.path, dtype=torch.float32).eval()
    fed = [Shown(*encode_time(one, model.profile.time_encoding, model.profile.stamp)) for one in shown]
    pixels = [model.pixels(one) for one in fed]
    with torch.no_grad():
        theirs = row_logits(reference, whole, pixels, model.checkpoint.family)[-1]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_text_of_a_conversation_is_the_templates(qwen3_folder):
    """System, user, assistant, user: token for token what the checkpoint's chat template writes."""
    model = LocalModel.from_pretrained(qwen3_folder)
    said = [("system", "Be brief."), ("user", "When?"), ("assistant", "3 - 4 seconds"), ("user", "Sure?")]
    session = model.open([Message.of(role, text) for role, text in said])
    messages = [{"role": role, "content": text} for role, text in said]
    text = model.checkpoint.processor.apply_chat_template(messages, tokenize=False)
    expected = model.checkpoint.processor.tokenizer.encode(text, add_special_tokens=False)
    ours = session.cache.prompt.ids_L.tolist()
    assert ours == expected[: len(ours)] and model.builder.decode(expected[len(ours) :]).strip() == ""


def test_asking_leaves_the_conversation_as_it_is_and_forks_go_apart(model):
    session = model.open([Message.of("user", clip(model))])
    before = session.ask([ASKED, AGAIN])
    other = session.fork()
    other.extend(Message.of("user", "What else? ", clip(model, 4, seed=3)))
    assert [g[0].ids for g in session.ask([ASKED, AGAIN])] == [g[0].ids for g in before]
    assert len(other.cache.prompt) > len(session.cache.prompt)
    apart = model.open([Message.of("user", clip(model)), Message.of("user", "What else? ", clip(model, 4, seed=3))])
    assert other.ask([AGAIN])[0][0].ids == apart.ask([AGAIN])[0][0].ids
    other.close()
    assert session.ask([ASKED])[0][0].ids == before[0][0].ids
    with pytest.raises(UserError, match="closed"):
        other.ask([ASKED])


def test_what_cannot_be_said_is_one_line(model, qwen2_5_folder):
    with pytest.raises(UserError, match="begins with"):
        model.open([Message.of("assistant", "yes")])
    session = model.open([Message.of("user", clip(model))])
    with pytest.raises(UserError, match="shown by `extend`"):
        session.ask([Message.of("user", clip(model))])
    first = asked_as(load(qwen2_5_folder), Profile(prompt="short", time_encoding=TimeEncoding.MROPE, text_first=True))
    opened = first.open([Message.of("user", noise_clip(4, 56, 56))])
    assert opened.ask([ASKED], SampleSpec(max_new_tokens=2))[0][0].ids
    assert len(opened.score([ASKED, AGAIN], [["A", "B"], ["yes"]])[0]) == 2
    with pytest.raises(UserError, match="one video and one question"):
        opened.extend(ASKED)
