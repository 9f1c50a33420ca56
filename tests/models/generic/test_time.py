"""What each processor writes of time is measured on it, and decides how its model is shown a clip."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import noise_clip
from tests.support import tiny_untimed_models, tiny_video_models
from tests.support.generic_asking import FAMILIES, GREEDY, QUESTIONS, clip, shown
from timeground.chat.layout import TimeEncoding
from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.models.opening import open_model


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
