"""The public API and the ground command, on real files, with a small model of the real class."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import noise_clip
from tests.support.says import Says
from timeground.chat.confidence import Calibration, Scale
from timeground.chat.profile import Profile
from timeground.cli.main import main
from timeground.data.rows import Row
from timeground.errors import UserError, VideoError
from timeground.media.video import Video
from timeground.methods.direct import Direct
from timeground.methods.grounder import Grounder, GroundingAnswer
from timeground.report.timeline import save_timeline, text_timeline
from timeground.spans import Span


@pytest.fixture(scope="module")
def grounder(qwen3_folder) -> Grounder:
    return Grounder.from_pretrained(qwen3_folder)


@pytest.fixture(scope="module")
def video(synth_folder) -> Path:
    return sorted((synth_folder / "videos").glob("*.mp4"))[0]


def test_many_queries_answer_as_one_at_a_time(grounder, video):
    queries = ["the red circle moves left", "the blue ring blinks", "the white cross is visible"]
    together = grounder.ground(video, queries)
    assert [a.query for a in together] == queries
    for query, answer in zip(queries, together, strict=True):
        alone = grounder.ground(str(video), query)
        assert (alone.text, alone.spans) == (answer.text, answer.spans)
        assert alone.confidence == pytest.approx(answer.confidence, rel=1e-3) and 0 < alone.confidence <= 1
        assert bool(alone.spans) or alone.absent or ": " in alone.rule


def test_a_calibrated_model_says_probabilities_and_which():
    """Its raw confidence stays beside it; a kind without a scale stays the mean token probability."""
    raw, scale = math.exp(-0.1), Scale(2.0, -1.0)
    plain, calibrated = Profile(), Profile(calibration=Calibration(spans=scale))
    told = {}
    for name, profile in {"plain": plain, "calibrated": calibrated}.items():
        for text in ("1.0 - 2.0 seconds", "It does not happen.", "no idea"):
            grounder = Grounder(Says(text, profile))
            (outcome,) = Direct.answer(grounder.model, Video.of(noise_clip()), [Row("r", "v.mp4", 4.0, "it rings")])
            answer = grounder.ground(noise_clip(), "it rings")
            assert outcome.raw_confidence == pytest.approx(raw) and answer.confidence == outcome.confidence
            assert answer.to_json()["confidence_means"] == answer.confidence_means
            told[name, text[:2]] = (pytest.approx(answer.confidence), answer.confidence_means, answer.certainty)
    assert told["calibrated", "1."] == (scale(raw), "P(IoU >= 0.5)", f"P(IoU >= 0.5) {scale(raw):.2f}")
    for key in set(told) - {("calibrated", "1.")}:
        assert told[key] == (raw, "mean token probability", "confidence 0.90")


def test_a_window_reads_only_its_frames_and_keeps_the_files_clock(grounder, video):
    whole, part = grounder.read(video), grounder.read(video, start_s=2.0, end_s=6.0)
    assert part.frame_times_s.min() >= 2.0 and part.frame_times_s.max() < 6.0
    assert part.duration_s == pytest.approx(whole.duration_s)
    assert grounder.watch(video, start_s=2.0, end_s=6.0).clip.end_s == 6.0


def test_a_clip_can_be_given_instead_of_a_file(grounder, video):
    clip = grounder.read(video)
    assert grounder.ground(clip, "the ring turns").text == grounder.ground(video, "the ring turns").text


def test_asking_gives_shares_that_sum_to_one_and_need_real_options(grounder, video):
    answer = grounder.ask(video, "Which shape moves?", ["red circle", "blue ring", "white cross"])
    assert sum(answer.shares) == pytest.approx(1.0) and len(answer.shares) == 3
    assert answer.letter is None or answer.option in ("red circle", "blue ring", "white cross")
    with pytest.raises(UserError, match="2 to"):
        grounder.ask(video, "Which?", ["one"])
    with pytest.raises(UserError, match="question is empty"):
        grounder.ask(video, " ", ["a", "b"])


def test_mistakes_are_told_in_one_line(grounder, video, tmp_path):
    with pytest.raises(UserError, match="empty"):
        grounder.ground(video, ["fine", "  "])
    with pytest.raises(VideoError, match=r"missing\.mp4"):
        grounder.ground(tmp_path / "missing.mp4", "x")
    for name, words in (("/no/such/folder", "no such model folder"), (str(tmp_path), r"config\.json")):
        with pytest.raises(UserError, match=words):
            Grounder.from_pretrained(name)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="'bert' is not supported"):
        Grounder.from_pretrained(str(tmp_path))
    with pytest.raises(UserError, match="unknown setting fpz"):
        Grounder.from_pretrained("tiny", overrides={"fpz": 1})


def test_command_prints_answers_as_text_and_as_json(qwen3_folder, video, tmp_path, capsys):
    queries = tmp_path / "queries.txt"
    queries.write_text("the ring turns\n\nthe cross grows\n")
    base = ["ground", str(video), "the red circle moves left", "--queries-file", str(queries), "--model", qwen3_folder]
    assert main([*base, "--json", "--plot", str(tmp_path / "a.png"), "--start", "1", "--end", "7"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [a["query"] for a in printed["answers"]] == [
        "the red circle moves left",
        "the ring turns",
        "the cross grows",
    ]
    assert printed["window"] == [1.0, 7.0]
    assert Image.open(tmp_path / "a.png").size[0] > 800
    assert main(base) == 0
    assert "the cross grows" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ground", "VIDEO"], "no query"),
        (["ground", "nowhere.mp4", "x"], "no such file"),
        (["ground", "VIDEO", "x", "--model", "/nowhere"], "no such model folder"),
        (["ground", "VIDEO", "x", "--model", "http://localhost:1/v1#m"], "does not answer"),
        (["ground", "VIDEO", "x", "--queries-file", "/nowhere.txt"], "cannot be read"),
        (["ground", "VIDEO", "x", "--model", "MODEL", "--start", "5", "--end", "2"], "start"),
        (["ground", "VIDEO", "", "--model", "MODEL"], "empty"),
        (["ground", "VIDEO", "x", "--model", "MODEL", "--fps", "0"], "fps"),
    ],
)
def test_command_mistakes_are_one_line_and_status_2(arguments, words, video, qwen3_folder, capsys):
    replaced = [{"VIDEO": str(video), "MODEL": qwen3_folder}.get(a, a) for a in arguments]
    assert main(replaced) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("timeground: ") and words in error


def test_help_is_quick_and_imports_nothing_heavy():
    code = "import sys, timeground.cli.main as c\ntry: c.main(['--help'])\n"
    code += "except SystemExit: print('torch' in sys.modules)"
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip().endswith("False") and "ground" in done.stdout
    assert time.perf_counter() - began < 10  # a guard against heavy imports, not a benchmark


def test_text_timeline_marks_spans():
    assert text_timeline([Span(2, 4)], 0, 10, 10) == "··██······"
    assert text_timeline([Span(9.99, 10)], 0, 10, 10).count("█") == 1
    assert text_timeline([], 0, 10, 10) == "·" * 10


def test_picture_shows_prediction_and_truth(grounder, video, tmp_path):
    clip = grounder.read(video)
    save_timeline(tmp_path / "deep" / "p.png", clip, [("a", [Span(1, 3)]), ("b", [])], truth=[Span(1.5, 3.5)])
    colours = Image.open(tmp_path / "deep" / "p.png").convert("RGB").getcolors(1 << 24)
    assert {(0x2A, 0x78, 0xD6), (0x8A, 0x8A, 0x8A)} <= {c for _, c in colours}


def test_one_string_is_one_query_everywhere(grounder, video):
    watched = grounder.watch(video)
    assert [a.query for a in watched.ground("jumping")] == ["jumping"]
    with pytest.raises(UserError, match="1 options given"):
        watched.ask("Which?", "red circle")


def test_several_videos_are_asked_each(qwen3_folder, synth_folder, tmp_path, capsys):
    first, second, _ = sorted((synth_folder / "videos").glob("*.mp4"))
    base = ["ground", str(first), str(second), "the ring turns", "--model", qwen3_folder]
    assert main([*base, "--json", "--plot", str(tmp_path / "p.png")]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["video"] for one in told] == [str(first), str(second)]
    assert all([a["query"] for a in one["answers"]] == ["the ring turns"] for one in told)
    assert {p.name for p in tmp_path.glob("*.png")} == {f"p-{first.stem}.png", f"p-{second.stem}.png"}
    gone = ["ground", str(first), "gone.mp4", str(second), "the ring turns", "--model", qwen3_folder, "--json"]
    assert main(gone) == 2
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 2 and "gone.mp4: no such file" in captured.err
    assert "1 of 3 videos could not be asked" in captured.err.splitlines()[-1]


def test_a_folder_of_videos_is_refused_and_a_folder_of_pictures_is_named(qwen3_folder, video, tmp_path, capsys):
    shots = tmp_path / "shots"
    shots.mkdir()
    for number in range(4):
        Image.new("RGB", (64, 64), (60 * number, 0, 0)).save(shots / f"{number}.png")
    assert main(["ground", str(shots), "it reddens", "--model", qwen3_folder]) == 0
    assert capsys.readouterr().out.startswith("folder of pictures shots: 0.0 to 2.0 s")
    (shots / "holiday.MP4").write_bytes(video.read_bytes())
    assert main(["ground", str(shots), "it reddens", "--model", qwen3_folder]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "1 videos and 4 pictures" in error and "holiday.MP4" in error
    (shots / "timestamps.json").write_text('{"fps": 2}')
    assert main(["ground", str(shots), "it reddens", "--model", qwen3_folder]) == 0


def test_a_picture_tells_unreadable_from_absent(grounder, video, tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    written: list[str] = []
    plain = Axes.text
    monkeypatch.setattr(Axes, "text", lambda self, x, y, s, **more: written.append(s) or plain(self, x, y, s, **more))
    save_timeline(tmp_path / "p.png", grounder.read(video), [("absent", []), ("unreadable", None)])
    said = [text.strip() for text in written if text.strip() and not text.endswith(" s")]
    assert said == ["does not happen", "no readable answer"]
    answer = GroundingAnswer("q", [], "hm", "none: no time in the answer", False, 0.5)
    assert answer.readable_spans is None
    assert replace(answer, absent=True).readable_spans == []
