"""A model behind a URL answers as the same model in this process."""

from __future__ import annotations

import pytest

from tests.conftest import noise_clip
from tests.support.asking import ask, option_scores, show
from tests.support.openai_server import serve
from timeground.chat.parts import Message
from timeground.errors import UserError
from timeground.methods.grounder import Grounder
from timeground.models.local.model import LocalModel
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec
from timeground.models.served import http as http_client
from timeground.models.served.chat_session import UNTOLD_LOGPROB
from timeground.models.served.openai import EndpointModel

TEXTS = ["When does this happen: the red circle moves left?", "What can be seen in the video?"]


@pytest.fixture(scope="module")
def served(qwen3_folder):
    with serve(qwen3_folder) as found:
        yield found


def test_answers_equal_the_local_models(served, qwen3_folder):
    url, _ = served
    remote = open_model(url)
    assert remote.profile.prompt == "short"  # read from the folder that the server names
    local = LocalModel.from_pretrained(qwen3_folder, overrides={"time_encoding": "stamped-images"})
    clip = noise_clip(8, 64, 96)
    request = SampleSpec(max_new_tokens=8)
    there = ask(show(remote, clip), TEXTS, request)
    here = ask(show(local, clip.thinned()), TEXTS, request)
    for (a,), (b,) in zip(there, here, strict=True):
        assert (a.text, a.num_tokens, a.finished) == (b.text, b.num_tokens, b.finished)
        assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=1e-4)


def test_options_are_scored_by_the_first_token(served):
    url, _ = served
    endpoint = EndpointModel.connect(url)
    prefix = show(endpoint, noise_clip(4, 64, 64))
    likely = ask(prefix, TEXTS[:1], SampleSpec(max_new_tokens=1))[0][0].text
    scores = option_scores(prefix, TEXTS[0], [likely, "surely not among the likely ones"])
    assert scores[0] > scores[1] == UNTOLD_LOGPROB


def test_settings_beyond_the_protocol_are_refused_by_name_or_sent(served):
    """What a server is not known to take would be dropped in silence."""
    url, model = served
    endpoint = EndpointModel.connect(url)
    prefix = show(endpoint, noise_clip(4, 64, 64))
    spec = SampleSpec(temperature=1.0, max_new_tokens=1, top_p=0.9, top_k=3, repetition_penalty=1.1, stop=("x",))
    with pytest.raises(UserError, match="not known to take top_k, repetition_penalty"):
        ask(prefix, TEXTS[:1], spec)
    endpoint.extended = True
    ask(prefix, TEXTS[:1], spec)
    sent = model.requests[-1]
    assert (sent["top_p"], sent["top_k"], sent["repetition_penalty"], sent["stop"]) == (0.9, 3, 1.1, ["x"])
    assert "min_p" not in sent


def test_a_conversation_grows_by_answers_and_forks(served):
    """What one role says in a row is one message; an answer is the assistant's."""
    url, model = served
    endpoint = EndpointModel.connect(url)
    session = endpoint.open([Message.of("user", noise_clip(4, 64, 64))])
    other = session.fork()
    session.extend(Message.of("user", TEXTS[0]))
    ((answer,),) = session.ask([Message.of("user", " Now?")], SampleSpec(max_new_tokens=4))
    session.extend(answer)
    session.extend(Message.of("user", "Sure?"))
    assert [m["role"] for m in session.messages] == ["user", "assistant", "user"]
    assert [p["type"] for p in session.messages[0]["content"]] == ["text", "image_url"] * 2 + ["text"]
    assert session.messages[1]["content"] == [{"type": "text", "text": answer.text}]
    assert len(other.messages) == 1 and len(other.messages[0]["content"]) == 4
    assert model.requests[-1]["messages"][0]["content"][-2:] == [
        {"type": "text", "text": TEXTS[0]},
        {"type": "text", "text": " Now?"},
    ]


def test_a_busy_server_is_asked_again_and_answers_are_kept(served, tmp_path, monkeypatch):
    url, model = served
    monkeypatch.setattr(http_client.time, "sleep", lambda _: None)
    endpoint = EndpointModel.connect(f"{url}#tiny", cache=tmp_path)
    prefix = show(endpoint, noise_clip(4, 64, 64))
    model.fail_next = 2
    before = len(model.requests)
    first = ask(prefix, TEXTS, SampleSpec(max_new_tokens=4))
    assert len(model.requests) - before == len(TEXTS) + 2
    assert ask(prefix, TEXTS, SampleSpec(max_new_tokens=4)) == first
    assert len(model.requests) - before == len(TEXTS) + 2  # the second time nobody was asked
    other = EndpointModel.connect(f"{url}#tiny", cache=tmp_path)
    other.contents = "other weights in the folder that the server serves"
    assert ask(show(other, noise_clip(4, 64, 64)), TEXTS, SampleSpec(max_new_tokens=4)) == first
    assert len(model.requests) - before == 2 * len(TEXTS) + 2
    assert not list(tmp_path.rglob("*.part"))


def test_what_goes_wrong_is_one_line(served, monkeypatch):
    url, _ = served
    monkeypatch.setattr(http_client.time, "sleep", lambda _: None)
    with pytest.raises(UserError, match="serves tiny; name one of them"):
        open_model(f"{url}#other")
    with pytest.raises(UserError, match=r"does not answer .*2 tries.*start the server"):
        open_model("http://127.0.0.1:9/v1")
    endpoint = EndpointModel.connect(url)
    endpoint.model_id = "gone"
    with pytest.raises(UserError, match=r"refused the request .status 404.: no model gone"):
        ask(show(endpoint, noise_clip(4, 64, 64)), TEXTS)


def test_a_grounder_takes_a_url(served):
    url, _ = served
    answer = Grounder.from_pretrained(url, overrides={"max_new_tokens": 4}).ground(noise_clip(4, 64, 64), "it turns")
    assert answer.query == "it turns"
