"""A checkpoint's profile: saved and loaded, known ids, overrides, and mistakes said in one line."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from timeground.chat.confidence import RAW, Calibration, Scale
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import FILE_NAME, KNOWN, Profile, load_profile, named_profile, profile_for
from timeground.chat.prompts import PROMPTS, choice_prompt, get_prompts, ground_prompt, row_answer
from timeground.data.rows import Row
from timeground.errors import UserError
from timeground.grammar.answers import parse_spans
from timeground.models.families import FAMILIES
from timeground.spans import Span


def test_round_trip_through_a_folder(tmp_path):
    profile = Profile(prompt="short", time_encoding=TimeEncoding.NATIVE, fps=1.5, max_tokens_per_pair=80)
    profile.save(tmp_path)
    assert load_profile(tmp_path / FILE_NAME) == profile
    assert profile_for(str(tmp_path), FAMILIES["qwen3_vl"]) == profile


@pytest.mark.parametrize("name", PROMPTS)
def test_answers_that_are_trained_are_read_back(name):
    """Times have one decimal, so true spans of one decimal come back as they were."""
    prompts, spans = get_prompts(name), [Span(1.0, 2.5), Span(10.0, 12.3)]
    row = Row(id="r", video="v.mp4", duration=20.0, query="it falls", spans=spans)
    assert list(parse_spans(row_answer(prompts, row)).spans) == spans
    assert parse_spans(row_answer(prompts, replace(row, spans=[]))).absent


def test_known_ids_and_family_defaults():
    assert profile_for("TencentARC/TimeLens-8B", FAMILIES["qwen3_vl"]).time_encoding is TimeEncoding.NATIVE
    assert "frame indicate" in profile_for("TencentARC/TimeLens-7B", FAMILIES["qwen2_5_vl"]).prompts().ground
    assert profile_for("Qwen/Qwen2.5-VL-7B-Instruct", FAMILIES["qwen2_5_vl"]) == FAMILIES["qwen2_5_vl"].default_profile
    assert all(
        p.prompt in PROMPTS for p in (*KNOWN.values(), *(family.default_profile for family in FAMILIES.values()))
    )
    assert named_profile("arrowgev").text_first
    with pytest.raises(UserError, match="unknown profile"):
        named_profile("nope")
    time_r1 = KNOWN["Boshenxx/Time-R1-7B"]
    assert (time_r1.text_first, time_r1.total_tokens, time_r1.min_tokens_per_pair) == (True, 3584, 16)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"fpss": 2}, "unknown setting fpss"),
        ({"time_encoding": "sundial"}, "sundial"),
        ({"fps": "two"}, "fps is 'two'"),
        ({"fps": 0}, "fps is 0"),
        ({"fps": float("nan")}, "fps is nan"),
        ({"fps": True}, "fps is True"),
        ({"min_tokens_per_pair": 2.5}, "min_tokens_per_pair is 2.5, expected a whole number"),
        ({"min_tokens_per_pair": -4}, "min_tokens_per_pair"),
        ({"max_tokens_per_pair": 2}, "below min_tokens_per_pair"),
        ({"max_tokens_per_pair": "many"}, "max_tokens_per_pair"),
        ({"total_tokens": 0}, "total_tokens"),
        ({"total_tokens": 10**12}, "total_tokens"),
        ({"max_new_tokens": None}, "max_new_tokens"),
        ({"prompt": 5}, "prompt is 5"),
        ({"prompt": "nope"}, "nope"),
        ({"knows": ["x"]}, "knows"),
        ({"stamp": 7}, "stamp is 7"),
        ({"stamp": "{seconds:999999999.1f}"}, "stamp template"),
        ({"stamp": "{seconds:.999999f}"}, "stamp template"),
        ({"stamp": "{seconds.__class__}"}, "stamp template"),
        ({"stamp": "{minutes}"}, "stamp template"),
        ({"stamp": "{seconds"}, "stamp template"),
        ({"stamp": "{seconds:d}"}, "stamp template"),
        ({"stamp": "x" * 500}, "stamp template"),
        ({"text_first": 1}, "text_first"),
        ({"calibration": 5}, "calibration is 5, expected an object"),
        ({"calibration": []}, "calibration is .., expected an object"),
        ({"calibration": {"events": {}}}, "no kind of answer events; there are: spans, absent, choice, yes_no"),
        ({"calibration": {"spans": [1, 0]}}, "calibration of spans is .1, 0., expected slope and shift"),
        ({"calibration": {"spans": {"slope": 1}}}, "expected slope and shift"),
        ({"calibration": {"spans": {"slope": 1, "shift": 0, "lift": 1}}}, "expected slope and shift"),
        ({"calibration": {"absent": {"slope": -1, "shift": 0}}}, "calibration of absent: slope is -1, expected a num"),
        ({"calibration": {"absent": {"slope": 1, "shift": float("nan")}}}, "shift is nan"),
        ({"calibration": {"absent": {"slope": float("inf"), "shift": 0}}}, "slope is inf"),
        ({"calibration": {"choice": {"slope": True, "shift": 0}}}, "slope is True"),
        ({"calibration": {"choice": {"slope": "1", "shift": 0}}}, "slope is '1'"),
        ([1], "expected an object"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(fields, message, tmp_path):
    (tmp_path / FILE_NAME).write_text(json.dumps(fields))
    with pytest.raises(UserError, match=message) as error:
        load_profile(tmp_path / FILE_NAME)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


CALIBRATION = Calibration(spans=Scale(2.0, -0.5), yes_no=Scale(0.0, 1.0))


def test_a_calibration_travels_with_the_profile(tmp_path):
    plain = Profile(fps=3.0)
    plain.save(tmp_path)
    before = (tmp_path / FILE_NAME).read_text()
    assert "calibration" not in before
    profile = replace(plain, calibration=CALIBRATION)
    profile.save(tmp_path)
    held = json.loads((tmp_path / FILE_NAME).read_text())
    assert held["calibration"] == {"spans": {"slope": 2.0, "shift": -0.5}, "yes_no": {"slope": 0.0, "shift": 1.0}}
    assert held == {**json.loads(before), "calibration": held["calibration"]} == profile.to_json()
    assert load_profile(tmp_path / FILE_NAME) == profile == named_profile(str(tmp_path / FILE_NAME))
    assert profile.with_changes({"fps": 1.0}).calibration == CALIBRATION
    assert profile.with_changes({"calibration": None, "fps": 3.0}) == plain
    assert plain.with_changes({"calibration": held["calibration"]}) == profile
    with pytest.raises(UserError, match="expected an object"):
        plain.with_changes({"calibration": "yes"})
    with pytest.raises(UserError, match="expected a Calibration"):
        Profile(calibration={})


def test_a_profile_says_what_a_confidence_is():
    profile = Profile(calibration=CALIBRATION)
    assert profile.confidence("spans", 0.5) == pytest.approx(1 / (1 + math.exp(0.5)))
    assert profile.confidence("absent", 0.5) == profile.confidence(None, 0.5) == 0.5
    assert profile.confidence("yes_no", 0.0) == profile.confidence("yes_no", 1.0)
    assert [profile.confidence_means(kind) for kind in ("spans", "yes_no", "absent", None)] == [
        "P(IoU >= 0.5)", "P(right)", RAW, RAW,
    ]  # fmt: skip
    assert Profile().confidence("spans", 0.3) == 0.3 and Profile().confidence_means("spans") == RAW
    for scale in (Scale(1e6, 1e6), Scale(1e6, -1e6), Scale(0.0, -1e6)):
        assert 0 <= scale(0.0) <= scale(0.5) <= scale(1.0) <= 1


def test_a_profile_of_a_file_does_not_make_a_model_know_more(tmp_path):
    Profile(fps=3.0).save(tmp_path)
    assert named_profile(str(tmp_path / FILE_NAME), "SynthMoments") == Profile(fps=3.0, knows="SynthMoments")
    Profile(knows="SynthMoments").save(tmp_path)
    assert named_profile(str(tmp_path / FILE_NAME)).knows == "SynthMoments"
    with pytest.raises(UserError, match="or any grounding_config"):
        named_profile(str(tmp_path / "gone.json"))


def test_a_profile_that_the_family_cannot_carry_is_refused(tmp_path):
    Profile(time_encoding=TimeEncoding.NATIVE).save(tmp_path)
    with pytest.raises(UserError, match="interleaved-seconds"):
        profile_for(str(tmp_path), FAMILIES["qwen2_5_vl"])


def test_queries_are_tidied_and_empty_ones_refused():
    prompts = get_prompts("short")
    assert ground_prompt(prompts, "  the red\n circle  blinks. ") == "When does this happen: the red circle blinks?"
    for empty in ("", "  ", ".", "\n"):
        with pytest.raises(UserError, match="empty"):
            ground_prompt(prompts, empty)
    with pytest.raises(UserError, match="unknown prompt set"):
        get_prompts("nope")


def test_options_are_lettered_in_order():
    text = choice_prompt(get_prompts("short"), "Which?", ["red", "blue"])
    assert "A. red\nB. blue" in text
    with pytest.raises(UserError, match="2 to"):
        choice_prompt(get_prompts("short"), "Which?", ["red"])
