"""The clocks of transformers' video processors: known faults are found, and nothing is left out in silence."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from timeground.cli.main import main
from timeground.doctor.processors import building, command
from timeground.doctor.processors.building import build
from timeground.doctor.processors.catalogue import Entry, auto_names, choose, find_entries
from timeground.doctor.processors.check import ProcessorReport, check_processor
from timeground.doctor.processors.clips import LATE, VARIABLE, TimedClip, write_clips
from timeground.doctor.processors.faults import FAULTS
from timeground.doctor.processors.page import COMMAND, page
from timeground.doctor.processors.reading import UNKNOWN, UNTIMED, Told, ask, read_text
from timeground.doctor.processors.verdicts import Finding, find
from timeground.errors import UserError
from timeground.media.containers.frame_index import read_index

DOCS = Path(__file__).parents[2] / "docs"
FEW = ("25 fps", "30 fps", VARIABLE, LATE, "1 h", "1 h at 30 fps")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[TimedClip]:
    return write_clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="module")
def few(clips: list[TimedClip]) -> list[TimedClip]:
    return [clip for clip in clips if clip.name in FEW]


@pytest.fixture(scope="module")
def reports(few: list[TimedClip]) -> dict[str, ProcessorReport]:
    entries = choose("qwen3_vl,glm4v,nemotron_h_omni")
    return {entry.name: check_processor(entry, few) for entry in entries}


def finding(report: ProcessorReport, way: str, clip: str) -> Finding:
    return next(f for f in report.findings if (f.way, f.clip) == (way, clip))


def told(times_s: list[float], clip: TimedClip, unit_s: float = 0.1) -> Told:
    return Told("as text", tuple(times_s), unit_s, tuple(clip.times_s.tolist()))


# The clips


def test_files_have_the_times_that_are_taken_for_the_truth(clips: list[TimedClip]) -> None:
    for clip in clips:
        if clip.path is not None:
            index = read_index(clip.path)
            np.testing.assert_allclose(index.times_s, clip.file_times_s, atol=1e-3)


# The verdicts


def test_each_kind_of_wrong_has_its_name(few: list[TimedClip]) -> None:
    even, late, variable = (next(c for c in few if c.name == name) for name in ("30 fps", LATE, VARIABLE))
    true = even.times_s
    said = {
        "ok": [round(t, 1) for t in true],
        "drift": [0.984 * t for t in true],
        "wrong default": [k / 24 for k in range(len(true))],
        "wrong": [0.0],
    }
    for verdict, times in said.items():
        claim = told(times, even) if verdict != "wrong" else replace(told(times, even), block=0)
        assert find("path", even, claim).verdict == verdict
    assert find("path", even, told([float(int(t)) for t in true], even, 1.0)).verdict == "rounding"
    assert find("path", even, Told(UNTIMED)).verdict == "no time"
    assert find("path", even, Told(UNKNOWN)).verdict == "not known"
    assert find("path", late, told([t - 5 for t in late.times_s], late)).verdict == "late"
    counted = variable.counted_s(variable.times_s)
    assert max(np.abs(np.array(counted) - variable.times_s)) > 2
    assert find("path", variable, told(counted, variable)).verdict == "uneven"


@pytest.mark.parametrize(
    ("text", "times", "unit"),
    [
        ("<0.3 seconds><|vision_start|><|video_pad|><|vision_end|><62.0 seconds>", [0.3, 62.0], 0.1),
        ("Frame 1 sampled at 0.00 seconds and frame 2 sampled at 3541.42 seconds: <img>", [0.0, 3541.42], 0.01),
        ("<|begin_of_image|><|image|><|end_of_image|>0<|begin_of_image|><|end_of_image|>61", [0.0, 61.0], 1.0),
        ("00:59 <boi><|video|><eoi> 61:01 <boi>", [59.0, 3661.0], 1.0),
        ("01:00:02.250<|media_begin|>video", [3602.25], 0.001),
        ("four frames from a 0:00:10 [H:MM:SS] video.\nFrame from 00:07:<image>", [7.0], 1.0),
        ("0.0 <frame_start><im_patch><frame_end> 0.5 <frame_start>", [0.0, 0.5], 0.1),
    ],
)
def test_times_are_read_in_each_way_of_writing_them(text: str, times: list[float], unit: float) -> None:
    _, found, digit = read_text(text)
    assert found == times and digit == pytest.approx(unit)


def test_numbers_of_frames_are_no_times_and_other_numbers_are_not_known() -> None:
    assert read_text("Frame1: <img>\nFrame2: <img>")[0] == UNTIMED
    assert read_text("at 7 <img>")[0] == UNKNOWN


# The processors


def test_known_clocks(reports: dict[str, ProcessorReport]) -> None:
    qwen, glm, nemotron = (reports[name] for name in ("qwen3_vl", "glm4v", "nemotron_h_omni"))
    given = "frames, metadata"
    assert "qwen3_5" in qwen.also
    assert finding(qwen, given, "30 fps").verdict == finding(qwen, given, "1 h at 30 fps").verdict == "ok"
    assert finding(qwen, given, "30 fps").told_s[:2] == (0.2, 1.0)  # the means of 0 and 0.4, of 0.8 and 1.2
    assert finding(qwen, given, VARIABLE).verdict == "uneven"
    assert finding(qwen, given, LATE).verdict == "late"
    assert finding(qwen, "frames, fps", "30 fps").verdict == "wrong default"
    rounded = finding(glm, given, "30 fps")
    assert rounded.verdict == "rounding" and 0.5 < (rounded.error_s or 0) <= 1
    assert finding(nemotron, given, "25 fps").verdict == "ok"
    drifting = finding(nemotron, given, "1 h at 30 fps")
    assert drifting.verdict == "drift" and drifting.error_s == pytest.approx(0.01 * 3543.75, abs=0.1)


def test_paths_are_read_with_torchcodec_or_the_processor_says_why_not(reports: dict[str, ProcessorReport]) -> None:
    from transformers.utils import is_torchcodec_available

    found = finding(reports["qwen3_vl"], "path", "30 fps")
    if found.verdict == "refused":
        assert "torchcodec" in found.note
    else:
        assert is_torchcodec_available() and found.verdict == "ok" and len(found.told_s) == 10
        assert finding(reports["qwen3_vl"], "path", LATE).verdict == "late"


def test_every_model_type_that_transformers_names_is_listed() -> None:
    listed = {name for entry in find_entries() for name in (entry.name, *entry.also)}
    assert set(auto_names("video_processing")) <= listed
    assert "glm4v_moe" in listed  # has a processor for videos, and no video processor in the mapping


def test_one_that_raises_is_named_with_its_message_and_the_rest_goes_on(
    few: list[TimedClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Lfm3VlProcessor

    def broken(self: Any, *args: Any, **kwargs: Any) -> str:
        raise ZeroDivisionError("no frames at all")

    monkeypatch.setattr(Lfm3VlProcessor, "replace_video_token", broken)
    monkeypatch.setattr("timeground.doctor.processors.clips.write_clips", lambda folder: few)
    broken_report, sound = command.check_processors("lfm3_vl,internvl", _quiet_console())
    assert {f.verdict for f in broken_report.findings} == {"refused"}
    assert "no frames at all" in finding(broken_report, "frames, metadata", "30 fps").note
    assert finding(sound, "frames, metadata", "30 fps").verdict == "no time" and sound.how == UNTIMED


def test_a_new_one_is_listed_as_not_known(few: list[TimedClip], monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers
    from transformers.models.auto import processing_auto, video_processing_auto

    class NovelProcessor(transformers.Qwen3VLProcessor):  # type: ignore[misc, name-defined]
        def replace_video_token(self, *args: Any, **kwargs: Any) -> str:
            return "at 7 ticks" + self.video_token

    monkeypatch.setattr(transformers, "NovelProcessor", NovelProcessor, raising=False)
    monkeypatch.setitem(processing_auto.PROCESSOR_MAPPING_NAMES, "novel", "NovelProcessor")
    names = video_processing_auto.VIDEO_PROCESSOR_MAPPING_NAMES
    monkeypatch.setitem(names, "novel", {"torchvision": "Qwen3VLVideoProcessor"})
    (entry,) = choose("novel")
    assert entry == Entry("novel", (), "NovelProcessor", "Qwen3VLVideoProcessor")
    report = check_processor(entry, few)
    assert report.how == UNKNOWN and finding(report, "frames, metadata", "30 fps").verdict == "not known"


@pytest.mark.realdata
def test_a_real_tokenizer_is_told_the_same_times(few: list[TimedClip], monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    (entry,) = choose("qwen3_vl")
    clip = next(clip for clip in few if clip.name == "30 fps")
    made = ask(build(entry), clip, "frames, metadata", {})
    folder = Path(os.environ["TIMEGROUND_REALDATA"]) / "qwen3-tokenizer"
    monkeypatch.setattr(building, "new_tokenizer", lambda: AutoTokenizer.from_pretrained(folder))
    real = ask(build(entry), clip, "frames, metadata", {})
    assert made == real and real.times_s[0] == 0.2


# The command


def _quiet_console() -> Any:
    from rich.console import Console

    return Console(quiet=True)


def test_an_unknown_name_is_one_line_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--processors", "qwen3_vl,nope"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "nope" in line and "kimi_k25" in line
    with pytest.raises(UserError, match="no processor is named"):
        choose(",")
    assert main(["doctor", "--processors", "all", "--model", "tiny"]) == 2
    assert main(["doctor", "--markdown", "page.md"]) == 2


def test_json_and_page_say_what_was_told(
    few: list[TimedClip], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("timeground.doctor.processors.clips.write_clips", lambda folder: few)
    monkeypatch.setattr("timeground.doctor.processors.faults.Fault.seen", lambda fault: "seen")
    written = tmp_path / "clocks.md"
    assert main(["doctor", "--processors", "kimi_k25", "--json", "--markdown", str(written)]) == 0
    (report,) = json.loads(capsys.readouterr().out)["processors"]
    found = next(f for f in report["findings"] if (f["way"], f["clip"]) == ("frames, metadata", "30 fps"))
    assert found["told_s"][:2] == [0.0, 1.6] and found["shown_s"][0] == [0.0, pytest.approx(1.2)]
    text = written.read_text()
    assert "| `kimi_k25` |" in text and "VideoMetadata" in text and "Nemotron" not in text


def test_the_page_is_of_the_processors_that_there_are() -> None:
    text = (DOCS / "clocks.md").read_text(encoding="utf-8")
    assert COMMAND in text
    import transformers

    if f"transformers {transformers.__version__}," in text:
        assert all(f"`{entry.name}`" in text for entry in find_entries())


def test_a_page_without_faults_has_no_reports(few: list[TimedClip]) -> None:
    report = ProcessorReport("sound", (), "A", "B", "`<2.0 seconds>`", findings=[Finding("path", "30 fps", "ok", 0.0)])
    assert "<details><summary>Nemotron" not in page([report])


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.title[:40])
def test_reports_print_what_the_page_says(fault: Any) -> None:
    text = (DOCS / "clocks.md").read_text(encoding="utf-8")
    assert fault.code.strip() in text
    assert f"```\n{fault.seen()}\n```" in text


def test_frames_are_the_clocks_own(few: list[TimedClip]) -> None:
    from timeground.doctor.pattern import shown_times_s

    for clip in few:
        shown = shown_times_s(torch.as_tensor(clip.frames_TCHW)) * clip.slowness
        np.testing.assert_allclose(shown, clip.times_s, atol=5e-4 * clip.slowness + 1e-9)
