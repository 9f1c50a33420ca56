"""SynthMoments: what the rows say is what the frames show, in memory and in the files."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from timeground.chat.prompts import get_prompts, row_answer
from timeground.data.rows import check_rows, read_rows
from timeground.grammar.answers import parse_events, parse_option, parse_spans, parse_yes_no
from timeground.media.decode import decode, probe
from timeground.media.sampling import Sampling
from timeground.spans import Span, mirror_all
from timeground.synth.files import dataset_videos, write_annotations, write_video
from timeground.synth.frames import SPLITS, scene_clip, scene_seed
from timeground.synth.language import PHRASES, mirrored_sentence, sentence
from timeground.synth.render import render
from timeground.synth.rows import events_of, make_rows
from timeground.synth.scene import ACTIONS, COLOURS, SHAPES, Act, Actor, Background, Scene, is_unseen
from timeground.synth.world import sample_scene

SAMPLING = Sampling(fps=2.0, min_tokens_per_pair=4, max_tokens_per_pair=8, total_tokens=960, factor=32)
SCENES = [sample_scene(scene_seed("train", 3, i)) for i in range(120)]


def plain_scene(actors: list[Actor], duration_s: float = 10.0) -> Scene:
    background = Background(low=0.2, high=0.2, angle=0.0, waves=0.0, drift_per_s=0.0, noise=0.0)
    return Scene(0, duration_s, 192, 192, 25.0, False, background, actors)


def reds(scene: Scene, times_s: list[float]) -> np.ndarray:
    """For each time, the mask of pixels in which red stands out."""
    frames = render(scene, np.array(times_s)).astype(int)
    return frames[:, 0] - frames[:, 1] > 80


def test_an_actor_is_drawn_exactly_while_it_is_visible():
    actor = Actor("red", "circle", [Span(2.0, 5.0)], [], [0.0], [0.5], [0.5], [0.2], [0.0])
    shown = reds(plain_scene([actor]), [1.99, 2.0, 4.99, 5.0]).any(axis=(1, 2))
    assert shown.tolist() == [False, True, True, False]
    area = reds(plain_scene([actor]), [3.0]).sum() / 192**2
    assert area == pytest.approx(np.pi * 0.2**2, rel=0.03)


@pytest.mark.parametrize("action", ["left", "right", "up", "down", "grow", "shrink"])
def test_an_act_moves_the_pixels_during_its_span_and_only_then(action):
    scene = next(s for s in SCENES for a in s.actors for act in a.acts if act.action == action)
    actor = next(a for a in scene.actors if any(act.action == action for act in a.acts))
    act = next(act for act in actor.acts if act.action == action)
    start, end = act.span.start_s, act.span.end_s
    x, y, radius, _, _ = actor.at(np.array([start - 0.5, start, end, end + 0.5]))
    value, sign = {
        "left": (x, -1),
        "right": (x, 1),
        "up": (y, -1),
        "down": (y, 1),
        "grow": (radius, 1),
        "shrink": (radius, -1),
    }[action]
    assert value[0] == value[1] and value[2] == value[3]
    assert sign * (value[2] - value[1]) > 0.02


def test_blinking_and_turning_can_be_seen_at_two_frames_a_second():
    actor = Actor("red", "square", [Span(0, 10)], [Act("blink", Span(2, 8))], [0.0], [0.5], [0.5], [0.2], [0.0], 0.8)
    shown = reds(plain_scene([actor]), list(np.arange(0, 10, 0.5))).any(axis=(1, 2))
    assert shown[:4].all() and shown[16:].all()
    assert np.count_nonzero(np.diff(shown.astype(int))) >= 3


DOINGS = [sentence(action, 0, "#").removeprefix("the # ") for action in ACTIONS]


def test_rows_of_many_scenes_are_valid_and_their_answers_parse_back():
    prompts = get_prompts("short")
    kinds = set()
    for scene in SCENES:
        events = {(e.action, e.a, e.b): e.spans for e in events_of(scene)}
        for row in make_rows(scene, "videos/x.mp4"):
            kinds.add(row.meta["kind"])
            text = row_answer(prompts, row)
            assert all(0 <= s.start_s < s.end_s <= scene.duration_s for s in row.spans)
            if row.task == "choice":
                assert parse_option(text, row.options).letter == row.answer and len(set(row.options)) == 4
            elif row.task == "yes_no":
                assert parse_yes_no(text).value is (row.answer == "yes")
            elif row.meta["kind"] == "doing":
                assert text in (*DOINGS, "stands still", "is not there")
            elif row.task == "open":
                assert text == row.answer and set(text.split(", ")) <= {a.name for a in scene.actors} | {"nothing"}
            elif row.task == "events":
                assert [t for t, _ in parse_events(text)] == [e["query"] for e in row.meta["events"]]
            else:
                parsed = parse_spans(text)
                assert parsed.parsed and parsed.absent is (not row.spans)
                for said, true in zip(parsed.spans, row.spans, strict=True):
                    assert (said.start_s, said.end_s) == pytest.approx((true.start_s, true.end_s), abs=0.051)
        assert len(events) == len(events_of(scene))
    assert kinds == {"single", "multi", "ordered", "absent", "choice", "yes_no", "events", "moment", "doing", "who"}


def test_the_mirrored_sentence_is_true_of_the_reversed_scene():
    """Reverse a scene's actors in time by hand: the mirrored query then has the mirrored spans."""
    for scene in SCENES[:40]:
        rows = [r for r in make_rows(scene, "x.mp4") if r.meta["kind"] in ("single", "multi", "ordered")]
        truth = {}
        for event in events_of(reversed_scene(scene)):
            for phrasing in range(len(PHRASES[event.action])):
                truth[sentence(event.action, phrasing, event.a, event.b)] = event.spans
        for row in rows:
            if row.meta["kind"] == "ordered":
                continue
            expected = sorted(mirror_all(row.spans, 0.0, scene.duration_s))
            found = sorted(truth[row.mirrored_query])
            assert [s.to_list() for s in found] == [pytest.approx(s.to_list()) for s in expected]
            changed = row.mirrored_query != row.query
            assert changed == (row.direction == "sensitive")


def reversed_scene(scene: Scene) -> Scene:
    from dataclasses import replace

    from timeground.synth.scene import MIRRORED

    def turn(actor: Actor) -> Actor:
        acts = [
            Act(MIRRORED.get(a.action, a.action), mirror_all([a.span], 0, scene.duration_s)[0], a.other)
            for a in actor.acts
        ]
        return replace(actor, visible=mirror_all(actor.visible, 0, scene.duration_s), acts=acts)

    return replace(scene, actors=[turn(a) for a in scene.actors])


def test_ordered_sentences_mirror_to_their_opposites():
    args = ("left", 0, "red circle", "", "after_leaving", "blue square")
    assert sentence(*args) == "after the blue square disappears, the red circle moves left"
    assert mirrored_sentence(*args) == "before the blue square appears, the red circle moves right"


def test_held_out_pairs_are_never_shown_or_named_elsewhere():
    unseen = {f"{c} {s}" for c in COLOURS for s in SHAPES if is_unseen(c, s)}
    assert 3 <= len(unseen) <= 6
    for scene in SCENES:
        assert not unseen & {a.name for a in scene.actors}
        for row in make_rows(scene, "x.mp4"):
            assert not any(name in (row.query + str(row.options)) for name in unseen)
    held = sample_scene(scene_seed("held_out", 0, 1), unseen=True)
    assert held.actors[0].name in unseen


def test_splits_and_seeds_do_not_share_scenes():
    seeds = {scene_seed(split, seed, i) for split in SPLITS for seed in (0, 1) for i in range(50)}
    assert len(seeds) == len(SPLITS) * 2 * 50


def test_scenes_vary_as_promised():
    assert {s.variable_frame_rate for s in SCENES} == {True, False}
    assert len({s.fps for s in SCENES}) >= 4
    assert min(s.duration_s for s in SCENES) < 12 and max(s.duration_s for s in SCENES) > 45
    actions = {a.action for s in SCENES for actor in s.actors for a in actor.acts}
    assert actions == set(PHRASES) - {"visible"}


@pytest.mark.parametrize("variable", [False, True])
def test_file_and_frames_agree(variable, tmp_path):
    """Decoding the mp4 gives the times and, but for compression, the pixels of the frames made in memory."""
    scenes = (s for s in SCENES if s.variable_frame_rate is variable and s.duration_s < 16)
    scene = next(s for s in scenes if not s.background.noise)  # compression changes noise most
    write_video(scene, tmp_path / "x.mp4")
    info = probe(tmp_path / "x.mp4")
    assert info.num_frames == len(scene.frame_times_s())
    assert info.duration_s == pytest.approx(scene.duration_s, abs=0.1)
    ours, theirs = scene_clip(scene, SAMPLING), decode(tmp_path / "x.mp4", SAMPLING)
    torch.testing.assert_close(theirs.frame_times_s, ours.frame_times_s, atol=1e-4, rtol=0)
    assert theirs.frames.shape == ours.frames.shape
    assert (theirs.frames.float() - ours.frames.float()).abs().mean() < 2


def test_the_same_seed_gives_the_same_bytes_and_a_killed_run_goes_on(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    for out in (first, second):
        list(dataset_videos(out, 2, seed=11))
        write_annotations(out, 2, seed=11)
    names = sorted(p.name for p in (first / "videos").iterdir())
    assert names == ["train-11-00000.mp4", "train-11-00001.mp4"]
    for name in names:
        assert (first / "videos" / name).read_bytes() == (second / "videos" / name).read_bytes()
    kept = (first / "videos" / names[0]).stat().st_mtime_ns
    (first / "videos" / names[1]).unlink()
    list(dataset_videos(first, 2, seed=11))
    assert (first / "videos" / names[0]).stat().st_mtime_ns == kept
    assert (first / "videos" / names[1]).read_bytes() == (second / "videos" / names[1]).read_bytes()


def test_command_writes_videos_and_valid_rows(tmp_path):
    command = [
        sys.executable,
        "-m",
        "timeground",
        "synth",
        str(tmp_path / "s"),
        "--videos",
        "2",
        "--seed",
        "7",
    ]
    subprocess.run([*command, "--split", "held_out"], check=True, capture_output=True)
    rows = tmp_path / "s" / "annotations.jsonl"
    assert check_rows(rows) == []
    assert {r.video for r in read_rows(rows)} == {f"videos/held_out-7-0000{i}.mp4" for i in (0, 1)}
    bad = subprocess.run([*command[:4], str(tmp_path / "t"), "--videos", "0"], capture_output=True, text=True)
    assert bad.returncode == 2 and bad.stderr.count("\n") == 1


@pytest.mark.parametrize("level", ["still", "coming", "acting"])
def test_easier_levels_hold_what_they_say(level):
    """`still` and `acting` show their actors all the time; only in `acting` does anything happen to them."""
    for index in range(40):
        scene = sample_scene(scene_seed("train", 1, index), durations_s=(3.0, 8.0), level=level)
        whole = [Span(0.0, scene.duration_s)]
        assert all((actor.visible == whole) is (level != "coming") for actor in scene.actors)
        assert all(len(actor.acts) == (level == "acting") for actor in scene.actors)
        assert level == "coming" or len(scene.actors) <= (1 if level == "still" else 2)
