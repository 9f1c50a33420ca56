"""Any video model of transformers: its own classes with random weights, against its own ``generate``."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import noise_clip
from tests.support import tiny_untimed_models, tiny_video_models
from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.media.clip import Clip
from timeground.models.generic.messages import metadata_of
from timeground.models.generic.model import GenericModel
from timeground.models.generic.prefix import Runner, Sharing, State, measured_sharing, with_tail
from timeground.models.opening import open_model
from timeground.models.sampling import SampleSpec

SHORT = ("llava_onevision", "glm46v", "gemma4")
FAMILIES = [name if name in SHORT else pytest.param(name, marks=pytest.mark.long) for name in tiny_video_models.MODELS]
QUESTIONS = ["When does it blink?", "Is it red, or is it blue there?", "What?"]
GREEDY = SampleSpec(max_new_tokens=6)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Any:
    """A folder for each family, written when it is first asked for."""
    made: dict[str, str] = {}

    def folder(name: str) -> str:
        if name == "smolvlm":
            pytest.importorskip("num2words")
        if name not in made:
            made[name] = tiny_video_models.make(name, tmp_path_factory.mktemp(name))
        return made[name]

    return folder


@pytest.fixture(scope="module")
def opened(folders) -> Any:
    """A family's model, as `open_model` opens its folder; asked by video, through its own processor."""
    models: dict[str, GenericModel] = {}

    def model(name: str) -> GenericModel:
        if name not in models:
            found = open_model(folders(name), overrides={"time_encoding": "native"})
            assert isinstance(found, GenericModel)
            models[name] = found
        return models[name]

    return model


def clip() -> Clip:
    """Frames at uneven times."""
    uneven = torch.tensor([0.04, 0.97, 2.31, 2.9, 4.25, 6.02], dtype=torch.float64)
    return replace(noise_clip(6, step_s=1.2), frame_times_s=uneven)


def shown(model: GenericModel) -> Any:
    return model.open([Message.of("user", clip())])


def asked(session: Any, spec: SampleSpec = GREEDY) -> list[Any]:
    return session.ask([Message.of("user", question) for question in QUESTIONS], spec)


def generated(model: GenericModel, question: str) -> tuple[list[int], list[float]]:
    """What transformers' own processor, chat template and ``generate`` give for one question."""
    processor, module, frames = model.writer.processor, model.module, clip()
    said = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": question}]}]
    inputs = processor(
        text=[processor.apply_chat_template(said, add_generation_prompt=True)],
        videos=[frames.frames],
        videos_kwargs={"video_metadata": [metadata_of(frames)], "do_sample_frames": False},
        return_tensors="pt",
    )
    heads = module.get_output_embeddings().weight.shape[0]
    barred = [i for i in sorted(model.writer.media_ids) if i < heads]
    out = module.generate(
        **inputs, max_new_tokens=6, do_sample=False, suppress_tokens=barred, output_scores=True,
        return_dict_in_generate=True, eos_token_id=list(model.writer.end_ids),
    )  # fmt: skip
    ids = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    told = [scores[0].float().log_softmax(-1)[i].item() for scores, i in zip(out.scores, ids, strict=True)]
    return ids, told


@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_answers_are_those_of_generate(opened, name):
    """Three questions from one prefix: tokens and log-probabilities of transformers' own pass for each alone."""
    model = opened(name)
    assert model.sharing is not Sharing.ALONE
    for question, (turn,) in zip(QUESTIONS, asked(shown(model)), strict=True):
        ids, told = generated(model, question)
        assert list(turn.ids) == ids
        assert turn.logprobs == pytest.approx(told, abs=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_shared_prefix_changes_nothing(opened, name):
    """Every way of sharing gives the answers of questions that are asked one at a time."""
    model = opened(name)
    ways = {Sharing.ALONE, Sharing.STEPWISE, Sharing.COPIED, model.sharing}
    spec = SampleSpec(max_new_tokens=5, num_answers=3, temperature=1.0, seed=3, top_k=50)
    found, scores = {}, {}
    for way in ways:
        model.__dict__["sharing"], before = way, model.sharing
        session = shown(model)
        found[way] = [*asked(session), *asked(session, spec)]
        scores[way] = session.score([Message.of("user", QUESTIONS[1])], [["A", "No, it is not"]])[0]
        assert bool(session.size_bytes) is (way is not Sharing.ALONE)
        model.__dict__["sharing"] = before
    for way in ways - {Sharing.ALONE}:
        assert scores[way] == pytest.approx(scores[Sharing.ALONE], abs=1e-4)
        for group, alone in zip(found[way], found[Sharing.ALONE], strict=True):
            assert [turn.ids for turn in group] == [turn.ids for turn in alone]
            for turn, other in zip(group, alone, strict=True):
                assert turn.logprobs == pytest.approx(other.logprobs, abs=1e-4)
    assert len({turn.ids for turn in found[model.sharing][3]}) > 1  # sampled answers differ


@pytest.mark.parametrize("name", FAMILIES)
def test_the_processor_writes_the_true_times(opened, name):
    """What was measured is what its class writes, and the odd times of the frames are in the prompt where it writes."""
    model = opened(name)
    expected = tiny_video_models.MODELS[name].resolution_s
    assert model.measured.times(TimeEncoding.NATIVE).resolution_s == expected
    head = model.writer.head([Message.of("user", clip())], model.profile)
    text = model.writer.tokenizer.decode([i for i in head.ids_L.tolist() if i not in model.writer.media_ids])
    pairs = model.measured.times(TimeEncoding.NATIVE).frames_per_stamp == 2
    if expected == 0.1:
        stamps = ["0.0", "2.3", "4.2"] if pairs and name != "lfm3_vl" else ["0.5", "2.6", "5.1"] if pairs else ["1.0"]
        assert all(stamp in text for stamp in stamps), text
    elif expected == 1.0:
        assert "00:02" in text and "00:06" in text
    else:
        assert model.sees_no_times and "NO TIMES" in (model.notice or "")


@pytest.mark.parametrize("name", FAMILIES)
def test_the_usual_way_shows_times(folders, name, capsys):
    """A processor that writes no times is given images after our stamps, and one line says so."""
    model = open_model(folders(name))
    told, resolution_s = capsys.readouterr().err, tiny_video_models.MODELS[name].resolution_s
    assert (model.notice or "") in told
    if resolution_s is None:
        assert model.profile.time_encoding is TimeEncoding.STAMPED_IMAGES and "writes no times" in told
        (turn,) = shown(model).ask([Message.of("user", QUESTIONS[0])], GREEDY)[0]
        assert len(turn.ids) >= 1
        head = model.writer.head([Message.of("user", clip())], model.profile)
        text = model.writer.tokenizer.decode(head.ids_L.tolist()) + head.before
        places = [text.index(stamp) for stamp in ("<0.0 seconds>", "<2.3 seconds>", "<4.2 seconds>")]
        between = text[places[0] : places[1]], text[places[1] : places[2]]
        assert all(model.writer.processor.image_token in part for part in between)
    else:
        assert model.profile.time_encoding is TimeEncoding.NATIVE
        assert ("whole seconds" in told) is (resolution_s == 1.0)
    assert not model.sees_no_times
    sampling = model.sampling()
    frames = noise_clip(sampling.frame_limit if sampling.frame_limit < 40 else 40, 56, 56)
    assert model.writer.head([Message.of("user", frames)], model.profile).num_media >= 1


@pytest.mark.parametrize("name", FAMILIES)
def test_a_conversation_goes_on(opened, name):
    """What is extended by an answer and asked again answers as one that was opened with all of it; forks part."""
    model = opened(name)
    session = shown(model)
    question, more = Message.of("user", QUESTIONS[0]), Message.of("user", QUESTIONS[2])
    (said,) = session.ask([question], GREEDY)[0]
    other = session.fork()
    other.extend(question)
    other.extend(said)
    (later,) = other.ask([more], GREEDY)[0]
    whole = model.open([Message.of("user", clip()), question, said.message])
    assert whole.ask([more], GREEDY)[0][0].ids == later.ids
    assert session.ask([question], GREEDY)[0][0].ids == said.ids
    with pytest.raises(UserError, match="begins with a message of the system or the user"):
        model.open([said.message])


def test_sampling_is_the_choosers(opened):
    """Seeds, narrowing, stops and penalties are those of all our models; scores add up to one answer's tokens."""
    model = opened("glm46v")
    session, question = shown(model), Message.of("user", QUESTIONS[0])
    (greedy,) = session.ask([question], GREEDY)[0]
    (one,) = session.ask([question], replace(GREEDY, temperature=1.0, top_k=1))[0]
    assert one.ids == greedy.ids
    drawn = [session.ask([question], replace(GREEDY, temperature=1.0, seed=seed))[0][0].ids for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    text = model.writer.tokenizer.decode(greedy.ids[:3])
    stop = text[1:]
    (cut,) = session.ask([question], replace(GREEDY, stop=(stop,)))[0]
    assert stop not in cut.text and cut.finished and len(cut.ids) <= len(greedy.ids)
    (penalised,) = session.ask([question], replace(GREEDY, repetition_penalty=5.0))[0]
    assert penalised.ids != greedy.ids
    assert not model.writer.media_ids & set(greedy.ids)
    (score,) = session.score([question], [["No"]])[0:1]
    ids = model.writer.answer_ids("No")
    head = model.writer.head([Message.of("user", clip())], model.profile)
    whole = with_tail(head.inputs, [*model.writer.tail(head, QUESTIONS[0]), *ids])
    with torch.inference_mode():
        told = model.module(**whole).logits[0, -len(ids) - 1 : -1].log_softmax(-1)
    assert score[0] == pytest.approx(sum(told[at, i].item() for at, i in enumerate(ids)), abs=1e-4)


def test_a_question_before_the_video_is_asked_alone(opened):
    """A profile that asks first gets the same answer as the processor's own prompt in that order."""
    model = opened("glm46v")
    before, model.profile = model.profile, replace(model.profile, text_first=True)
    try:
        session = shown(model)
        (turn,) = session.ask([Message.of("user", QUESTIONS[0])], GREEDY)[0]
        made = model.writer.whole([Message.of("user", clip())], QUESTIONS[0], model.profile)
        text = model.writer.tokenizer.decode(made["input_ids"][0])
        assert text.index(QUESTIONS[0]) < text.index("seconds")
        out = model.module.generate(**made, max_new_tokens=6, do_sample=False)
        assert list(turn.ids) == out[0, made["input_ids"].shape[1] :].tolist()
    finally:
        model.profile = before


class Forgetful(Runner):
    """A model whose cache is no use for several tokens at once, or for any."""

    def __init__(self, module: Any, for_one: bool) -> None:
        super().__init__(module, "forgetful")
        self.for_one = for_one

    def proceed(self, state: State, ids: Any, one_by_one: bool = False) -> torch.Tensor:
        if (len(ids) > 1 and not one_by_one) or self.for_one:
            lost = self.prefill({"input_ids": torch.tensor([list(ids)])})
            state.last = lost.last
            return lost.last[None]
        return super().proceed(state, ids, one_by_one)


def test_a_cache_that_forgets_is_found_out(opened):
    model = opened("llava_onevision")
    head = model.writer.head([Message.of("user", clip())], model.profile)
    tail = model.writer.tail(head, QUESTIONS[1])
    for for_one, way in ((False, Sharing.STEPWISE), (True, Sharing.ALONE)):
        assert measured_sharing(Forgetful(model.module, for_one), head.inputs, tail) is way


def test_what_a_processor_refuses_is_said_in_its_words(folders):
    """Two videos are more than Molmo2's processor takes; the line names the model."""
    model = open_model(folders("molmo2"))
    with pytest.raises(UserError, match=r"molmo2.*Molmo2Processor refuses.*At most one video"):
        model.open([Message.of("user", clip(), "and then", clip())])


def test_other_encodings_are_refused(folders):
    with pytest.raises(UserError, match=r"'interleaved-seconds' is written by our own input only"):
        open_model(folders("glm46v"), overrides={"time_encoding": "interleaved-seconds"})


def test_a_model_of_pictures_alone(tmp_path):
    """It is shown images after our stamps, whatever its template does with them, and answers as ``generate`` does."""
    model = open_model(tiny_untimed_models.gemma3(tmp_path))
    assert model.profile.time_encoding is TimeEncoding.STAMPED_IMAGES and model.notice is None
    session = shown(model)
    stamps, times = ["<0.0 seconds>", "<2.3 seconds>", "<4.2 seconds>"], clip().thinned()
    said = "".join(stamp + "<start_of_image>" for stamp in stamps) + QUESTIONS[0]
    processor = model.writer.processor
    prompt = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "text", "text": said}]}], add_generation_prompt=True
    )
    inputs = processor(text=[prompt], images=[list(times.frames)], return_tensors="pt")
    barred = sorted(model.writer.media_ids)
    out = model.module.generate(**inputs, max_new_tokens=6, do_sample=False, suppress_tokens=barred)
    (turn,) = session.ask([Message.of("user", QUESTIONS[0])], GREEDY)[0]
    assert list(turn.ids) == out[0, inputs["input_ids"].shape[1] :].tolist()
    with pytest.raises(UserError, match="it takes stamped-images"):
        open_model(model.name, overrides={"time_encoding": "native"})
    with pytest.raises(UserError, match="lower fps or total_tokens"):
        model.check_length(10**6)


def test_a_template_without_a_place_for_video(folders, tmp_path):
    """It is shown images, though its processor would take video."""
    copied = tmp_path / "copy"
    shutil.copytree(folders("glm46v"), copied)
    template = copied / "chat_template.jinja"
    template.write_text(template.read_text().replace("<|begin_of_video|><|video|><|end_of_video|>", ""))
    model = open_model(str(copied))
    assert model.profile.time_encoding is TimeEncoding.STAMPED_IMAGES and model.notice is None
    assert shown(model).ask([Message.of("user", QUESTIONS[0])], GREEDY)[0][0].ids
    template.write_text(template.read_text().replace("<|begin_of_image|><|image|><|end_of_image|>", ""))
    with pytest.raises(UserError, match=r"Glm46VProcessor refuses the prompt: .*images"):
        open_model(str(copied))


def test_a_profile_of_its_own_is_kept(folders, tmp_path):
    """A grounding_config.json beside the weights says how it is asked, and drawn times are none in the text."""
    folder = Path(folders("internvl"))
    copied = tmp_path / "copy"
    copied.mkdir()
    for file in folder.iterdir():
        (copied / file.name).symlink_to(file)
    Profile(prompt="short", time_encoding=TimeEncoding.DRAWN, fps=1.5).save(copied)
    model = open_model(str(copied))
    assert (model.profile.fps, model.profile.prompt) == (1.5, "short") and not model.sees_no_times
    assert "drawn on the frames" in (model.notice or "")
    session = model.open([Message.of("user", clip())])
    assert session.read is not None and session.read.head.num_media == 1
