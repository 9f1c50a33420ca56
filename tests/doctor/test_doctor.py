"""The doctor passes a sound installation, and catches each way of breaking the times that is tried here."""

from __future__ import annotations

import io
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from tests.support.tiny_models import PROFILE
from timeground.chat import layout
from timeground.chat.layout import TimeEncoding
from timeground.cli.main import main
from timeground.doctor import command as doctor
from timeground.doctor import installation
from timeground.doctor import models as model_clock
from timeground.doctor.diagnosis import CLOCK_SLACK_S, Readings, Report, Row, as_json, attempt, judge
from timeground.doctor.inputs import join_patches, last_numbers
from timeground.doctor.pattern import TIME_BITS, ClockClip, clock_picture, shown_times_s, write_clock_clips
from timeground.errors import UserError
from timeground.media import decode as decode_module
from timeground.media.containers.frame_index import read_index
from timeground.media.decoders.pyav import read_pyav
from timeground.models import inputs as prompt
from timeground.models.local.towers import cut_patches

SMALL = replace(PROFILE, min_tokens_per_pair=4, max_tokens_per_pair=9)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ClockClip]:
    return {clip.name: clip for clip in write_clock_clips(tmp_path_factory.mktemp("clocks"))}


@pytest.fixture(autouse=True)
def rendered_once(monkeypatch: pytest.MonkeyPatch, clips: dict[str, ClockClip]) -> None:
    monkeypatch.setattr("timeground.doctor.pattern.write_clock_clips", lambda folder: list(clips.values()))


@pytest.fixture(scope="module")
def folders(qwen3_folder: str, qwen2_5_folder: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each family, without weights: the doctor must not need them."""
    made = {}
    encodings = {"qwen3_vl": TimeEncoding.NATIVE, "qwen2_5_vl": TimeEncoding.MROPE}
    for family, source in (("qwen3_vl", qwen3_folder), ("qwen2_5_vl", qwen2_5_folder)):
        made[family] = tmp_path_factory.mktemp("models") / family
        shutil.copytree(source, made[family], ignore=shutil.ignore_patterns("*.safetensors"))
        replace(SMALL, time_encoding=encodings[family]).save(made[family])
    return made


def failed(rows: list[Row]) -> set[str]:
    return {f"{row.part}: {row.what}" for row in rows if row.verdict == "FAIL"}


def picture(time_s: float) -> torch.Tensor:
    return torch.from_numpy(clock_picture(time_s)).permute(2, 0, 1)


# The clock


@pytest.mark.parametrize("size", [(28, 28), (56, 56), (64, 64), (28, 84), (96, 64), (223, 301)])
def test_clock_is_read_at_any_size(size: tuple[int, int]) -> None:
    times = np.random.default_rng(0).integers(0, 1 << TIME_BITS, 40) / 1000
    frames = torch.stack([picture(t) for t in times])
    small = torch.nn.functional.interpolate(frames, size=size, mode="bicubic", antialias=True)
    assert shown_times_s(small).tolist() == times.tolist()


def test_clock_that_is_mangled_is_unreadable_not_wrong() -> None:
    times = np.random.default_rng(1).integers(0, 1 << TIME_BITS, 200) / 1000
    frames = torch.stack([picture(t) for t in times]).float()
    assert np.isnan(shown_times_s((frames + frames.roll(1, 0)) / 2)).all()
    upside_down = shown_times_s(frames.flip(2))
    assert np.isnan(upside_down).mean() > 0.9
    with pytest.raises(ValueError, match="the clock goes from 0"):
        clock_picture(1000.0)


def test_clips_hold_what_index_over_fps_gets_wrong(clips: dict[str, ClockClip]) -> None:
    index = read_index(clips["variable rate"].path)
    by_rate = np.arange(index.info.num_frames) / index.info.fps
    assert np.abs(by_rate - index.times_s).max() > 2.0
    assert read_index(clips["cut"].path).packets.is_hidden.sum() > 10


def test_join_patches_undoes_cut_patches(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        subject = model_clock.open_checkpoint(str(folder))
        side = subject.family.factor
        frames = torch.randint(0, 256, (6, 3, 2 * side, 3 * side), dtype=torch.uint8)
        blocks = [layout.VisionSegment(0, 6)]
        pixels = cut_patches(frames, blocks, subject.family, subject.norm, torch.float32)
        joined = join_patches(pixels.values_NP, pixels.grids[0], subject.family, subject.norm)
        assert torch.allclose(joined, frames.float(), atol=1e-3)


# Verdicts


@pytest.mark.parametrize(
    ("said", "shown", "lost", "verdict"),
    [
        ([1.0, 2.0], [1.04, 2.0], 0.0, "ok"),
        ([1.0, 2.0], [1.06, 2.0], 0.0, "FAIL"),
        ([1.0, 2.0], [1.3, 2.0], 0.5, "warning"),
        ([1.0, 2.0], [1.6, 2.0], 0.5, "FAIL"),
        ([1.0, 2.0], [1.0, float("nan")], 0.0, "FAIL"),
        ([float("nan")], [1.0], 0.0, "FAIL"),
        ([1.0], [1.0, 2.0], 0.0, "FAIL"),
        ([], [], 0.0, "FAIL"),
    ],
)
def test_judge(said: list[float], shown: list[float], lost: float, verdict: str) -> None:
    row = judge("part", "what", Readings(said, shown, 0.05, lost))
    assert row.verdict == verdict
    assert row.allowed_s == pytest.approx(0.05 + CLOCK_SLACK_S)
    json.dumps(as_json(Report({}, {}, rows=[row])), allow_nan=False)


def test_a_stamp_may_be_off_by_half_of_its_last_digit() -> None:
    assert last_numbers(["7 <2.0 seconds>", "12.5s", "none"])[0][:2] == [2.0, 12.5]
    assert last_numbers(["2.0s"])[1] == pytest.approx(0.05)
    assert last_numbers(["2.00"])[1] == pytest.approx(0.005)
    assert last_numbers(["2 s"])[1] == pytest.approx(0.5)


def test_a_check_that_breaks_is_a_failed_row() -> None:
    def broken() -> Row:
        raise RuntimeError("first line\nsecond line")

    (row,) = attempt("part", "what", broken)
    assert (row.verdict, row.note) == ("FAIL", "broke with RuntimeError: first line")


# A sound installation


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl"])
def test_sound_installation(family: str, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--model", str(folders[family]), "--no-answer", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] and report["model"] == str(folders[family])
    assert report["versions"]["torch"] == torch.__version__ and "CPU cores" in report["hardware"]
    verdicts = {f"{row['part']}: {row['what']}": row["verdict"] for row in report["rows"]}
    for reader in ("auto", "pyav", "torchcodec", "decord"):
        for clip in ("constant rate", "variable rate"):
            assert verdicts[f"readers: {reader}, {clip}"] in ("ok", "absent")
    assert verdicts["readers: pyav, cut"] == "ok"
    assert verdicts["readers: decord, cut"] in ("refused", "absent")
    own = "native" if family == "qwen3_vl" else "mrope"
    others = ("interleaved-seconds", "interleaved-index", "listed-seconds", "stamped-images", "drawn")
    assert {verdicts[f"time encoding: {e}, constant rate"] for e in (own, *others)} == {"ok"}
    assert verdicts["processor: constant rate"] == "ok"
    even_only = {"interleaved-index"} | ({"mrope"} if own == "mrope" else set())
    for encoding in (own, *others):
        expected = "warning" if encoding in even_only else "ok"
        assert verdicts[f"time encoding: {encoding}, variable rate"] == expected
    assert verdicts["processor: variable rate"] == ("ok" if own == "native" else "warning")
    users_way = verdicts["qwen-vl-utils: fetch_video + processor, variable rate"]
    assert users_way in ("warning", "absent")  # it numbers frames by the average rate


def test_table_names_every_check(folders: dict[str, Path]) -> None:
    rows = [Row("readers", "auto, [cut]", "ok", 0.001), Row("model", "tiny", "skipped", note="not there")]
    out = Console(file=io.StringIO(), width=100)
    doctor.show(Report({"python": "3"}, {"GPUs": "none"}, None, rows), out)
    text = out.file.getvalue()  # type: ignore[attr-defined]
    assert "readers: auto, [cut]" in text and "0.001 s" in text and "2 checks: 1 ok, 1 skipped" in text
    doctor.show(Report({}, {}, None, [Row("model", "stamps", "FAIL", 2.0)]), out)
    assert "do not trust the times" in out.file.getvalue()  # type: ignore[attr-defined]


def test_no_model_named_and_none_bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise UserError(f"no {name} here")

    monkeypatch.setattr(model_clock, "open_checkpoint", missing)
    monkeypatch.setattr(doctor, "check_readers", lambda clip: [])
    report = doctor.run_doctor(None, Console(quiet=True))
    assert report.ok and [row.verdict for row in report.rows] == ["skipped"]
    with pytest.raises(UserError, match="no other here"):
        doctor.run_doctor("other", Console(quiet=True))


def test_a_model_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--model", "/nowhere/model"]) == 2
    assert "there is no such model folder" in capsys.readouterr().err


def test_what_is_not_installed_is_absent(monkeypatch: pytest.MonkeyPatch, clips: dict[str, ClockClip]) -> None:
    monkeypatch.setattr(installation, "PACKAGES", ("torch", "no-such-package"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    found = installation.versions()
    assert found["no-such-package"] == found["ffmpeg program"] == "not installed" != found["torch"]
    monkeypatch.setitem(sys.modules, "decord", None)
    rows = {row.what: row for row in doctor.check_readers(clips["constant rate"])}
    assert rows["decord, constant rate"].verdict == "absent"
    assert rows["auto, constant rate"].verdict == "ok"


def test_memory_of_a_container(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1073741824\n")
    assert installation.memory_bytes(limit) == 1 << 30
    limit.write_text("max\n")
    assert installation.memory_bytes(limit) == installation.memory_bytes(tmp_path / "absent")


# Broken ones


def index_over_fps(path: Any, by_decoding: bool = False) -> Any:
    """The frames of a file with times as most loaders have them."""
    index = read_index(path, by_decoding)
    return replace(index, times_s=np.arange(index.info.num_frames) / index.info.fps)


def test_times_by_index_over_fps(monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path], capsys: Any) -> None:
    monkeypatch.setattr(decode_module, "read_index", index_over_fps)
    assert main(["doctor", "--model", str(folders["qwen3_vl"]), "--no-answer", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    rows = [Row(**row) for row in report["rows"]]
    assert {"readers: auto, variable rate", "readers: pyav, variable rate"} <= failed(rows)
    assert "time encoding: native, variable rate" in failed(rows)
    assert not any("constant" in name for name in failed(rows))
    worst = next(row.error_s for row in rows if row.what == "pyav, variable rate")
    assert worst is not None and worst > 2.0


def test_a_reader_that_gives_other_frames(monkeypatch: pytest.MonkeyPatch, clips: dict[str, ClockClip]) -> None:
    def late(path: Any, index: Any, chosen: Any, *rest: Any) -> torch.Tensor:
        return read_pyav(path, index, np.minimum(chosen + 1, len(index.times_s) - 1), *rest)

    monkeypatch.setattr(decode_module, "read_pyav", late)
    rows = doctor.check_readers(clips["constant rate"])
    assert {"readers: auto, constant rate", "readers: pyav, constant rate"} <= failed(rows)
    assert rows[0].error_s == pytest.approx(1001 / 30000, abs=1e-3)


def test_a_reader_that_crashes(monkeypatch: pytest.MonkeyPatch, clips: dict[str, ClockClip]) -> None:
    def crash(*_: Any) -> torch.Tensor:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(decode_module, "read_torchcodec", crash)
    rows = {row.what: row for row in doctor.check_readers(clips["constant rate"])}
    assert rows["torchcodec, constant rate"].verdict == "FAIL"
    assert rows["torchcodec, constant rate"].note == "broke with ZeroDivisionError: oh"


def test_a_stamp_template_with_the_wrong_time(folders: dict[str, Path], tmp_path: Path, capsys: Any) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["qwen3_vl"], folder)
    replace(SMALL, stamp="<{index}.0 seconds>").save(folder)
    assert main(["doctor", "--model", str(folder), "--no-answer", "--json"]) == 1
    rows = [Row(**row) for row in json.loads(capsys.readouterr().out)["rows"]]
    own = {"time encoding: native, constant rate", "time encoding: native, variable rate"}
    assert failed(rows) == own


def test_a_window_told_by_positions_is_told_in_seconds_of_the_file(
    folders: dict[str, Path], clips: dict[str, ClockClip], monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = model_clock.open_checkpoint(str(folders["qwen2_5_vl"]))
    own = {"time encoding: mrope, constant rate from 3 s on", "time encoding: mrope, variable rate from 3 s on"}
    rows = model_clock.check_model(subject, list(clips.values()))
    assert own <= {f"{row.part}: {row.what}" for row in rows} and not failed(rows) & own
    monkeypatch.setattr(model_clock, "origin_s", lambda encoding, start_s: 0.0)
    assert own <= failed(model_clock.check_model(subject, list(clips.values())))


@pytest.mark.parametrize("family", ["qwen3_vl", "qwen2_5_vl"])
def test_a_processor_that_is_not_told_the_times(
    family: str, monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path], clips: dict[str, ClockClip]
) -> None:
    subject = model_clock.open_checkpoint(str(folders[family]))
    heard = subject.processor.__call__

    class Deaf:
        """What many scripts do: a frame rate, no metadata. transformers then assumes 24 frames a second."""

        tokenizer = subject.processor.tokenizer

        def __call__(self, video_metadata: Any, **given: Any) -> Any:
            return heard(fps=2.0, **given)

    _ = subject.norm  # of the real one
    vars(subject)["processor"] = Deaf()
    monkeypatch.setattr(model_clock, "open_checkpoint", lambda name: subject)
    monkeypatch.setattr(doctor, "check_readers", lambda clip: [])
    report = doctor.run_doctor("deaf", Console(quiet=True))
    assert not report.ok
    assert failed(report.rows) == {"processor: constant rate", "processor: variable rate"}
    worst = next(row for row in report.rows if row.part == "processor")
    assert worst.error_s is not None and worst.error_s > 5.0


def encoding_row(folder: Path, clip: ClockClip, encoding: TimeEncoding) -> Row:
    subject = model_clock.open_checkpoint(str(folder))
    read = decode_module.decode(clip.path, model_clock.sampling_of(subject), num_threads=1).paired()
    return model_clock.check_input(subject, read, encoding, encoding.value)


def test_positions_that_ignore_the_spacing(
    monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path], clips: dict[str, ClockClip]
) -> None:
    whole = prompt._grid_positions
    monkeypatch.setattr(prompt, "_grid_positions", lambda t, h, w, interval: whole(t, h, w, 1.0))
    row = encoding_row(folders["qwen2_5_vl"], clips["constant rate"], TimeEncoding.MROPE)
    assert row.verdict == "FAIL" and row.error_s is not None and row.error_s > 5


def test_drawn_stamps_that_are_wrong(
    monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path], clips: dict[str, ClockClip]
) -> None:
    sound = layout.draw_times
    monkeypatch.setattr(layout, "draw_times", lambda clip: sound(replace(clip, frame_times_s=clip.frame_times_s + 0.3)))
    row = encoding_row(folders["qwen3_vl"], clips["constant rate"], TimeEncoding.DRAWN)
    assert row.verdict == "FAIL" and row.error_s == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("encoding", ["native", "interleaved-seconds", "listed-seconds", "stamped-images"])
def test_frames_in_another_order_than_their_stamps(
    encoding: str, monkeypatch: pytest.MonkeyPatch, folders: dict[str, Path], clips: dict[str, ClockClip]
) -> None:
    def turned(frames: torch.Tensor, *rest: Any) -> Any:
        return cut_patches(frames.flip(0), *rest)

    monkeypatch.setattr(model_clock, "cut_patches", turned)
    row = encoding_row(folders["qwen3_vl"], clips["constant rate"], TimeEncoding(encoding))
    assert row.verdict == "FAIL" and row.error_s is not None and row.error_s > 5
