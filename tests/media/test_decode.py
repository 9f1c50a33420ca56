"""Every frame has its own time: numbered videos of every kind, and every way a file can fail."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.media.conftest import (
    FPS,
    H264,
    HEIGHT,
    MAKERS,
    WIDTH,
    Example,
    ffmpeg,
    numbered_picture,
    read_number,
    render,
)
from timeground.errors import UserError, VideoError
from timeground.media.containers import frame_index
from timeground.media.containers.frame_index import read_index
from timeground.media.decode import decode, probe
from timeground.media.decoders import pyav as read_pyav
from timeground.media.sampling import Sampling

Get = Callable[[str], Example]


def small(fps: float = 2.0, **more: int) -> Sampling:
    return Sampling(fps=fps, min_tokens_per_pair=16, total_tokens=6000, **more)  # type: ignore[arg-type]


def check(example: Example, frames: torch.Tensor, times_s: torch.Tensor) -> list[int]:
    """Each frame shows the number that belongs to its time; gives the numbers."""
    numbers = [read_number(frame) for frame in frames]
    true_s = [example.true_times_s.get(number, -1.0) for number in numbers]
    np.testing.assert_allclose(times_s.numpy(), true_s, atol=1.1e-3)  # mkv counts in milliseconds
    return numbers


# ---- content and time agree


@pytest.mark.parametrize("name", MAKERS)
def test_every_frame_has_its_own_time(examples: Get, name: str) -> None:
    """Many frames, few (with seeks between them), and windows."""
    example = examples(name)
    clip = decode(example.path, small(2.0))
    assert clip.frame_times_s[0] == 0.0
    check(example, clip.frames, clip.frame_times_s)
    last_s = max(example.true_times_s.values())
    assert clip.frame_times_s[-1].item() == pytest.approx(last_s, abs=1.1e-3)
    few = decode(example.path, small(0.25))
    check(example, few.frames, few.frame_times_s)
    for start_s, end_s in ((3.1, 4.2), (0.0, 1.0), (last_s - 1, last_s), (5.55, 7.77)):
        part = decode(example.path, small(8.0), start_s=start_s, end_s=end_s)
        check(example, part.frames, part.frame_times_s)
        assert part.frame_times_s.min() >= start_s - 1e-9 and part.frame_times_s.max() < end_s
        assert (part.start_s, part.end_s) == (start_s, end_s)


@pytest.mark.parametrize("backend", ["torchcodec", "decord"])
@pytest.mark.parametrize("name", MAKERS)
def test_other_readers_are_right_or_refuse(examples: Get, name: str, backend: str) -> None:
    example = examples(name)
    for sampling in (small(2.0), small(0.25), small(25.0)):
        try:
            clip = decode(example.path, sampling, backend=backend)  # type: ignore[arg-type]
        except VideoError as error:
            assert name not in {"cfr.mp4", "vfr.mp4", "vfr.mkv", "ten_bit.mp4"}
            assert str(example.path) in str(error) and "use the reader 'pyav'" in str(error)
        else:
            assert name not in {"edit_list.mp4", "late.ts"}
            check(example, clip.frames, clip.frame_times_s)


def test_decord_refuses_open_groups(examples: Get) -> None:
    with pytest.raises(VideoError, match="open groups of pictures, where decord is a frame late"):
        decode(examples("open_gop.mp4").path, small(), backend="decord")


@pytest.mark.parametrize("name", ["cfr.mp4", "open_gop.mp4", "edit_list.mp4", "late.ts", "vfr.mkv", "h265.mp4"])
def test_any_choice_of_frames_has_the_pixels_of_a_full_decode(examples: Get, name: str) -> None:
    """Leaving out packets and groups of pictures changes nothing in those that are taken."""
    path = examples(name).path
    index = read_index(path)
    truth = read_pyav.read_pyav(path, index, np.arange(index.info.num_frames), (96, 128))

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.sets(st.integers(0, index.info.num_frames - 1), min_size=1, max_size=12))
    def any_choice(numbers: set[int]) -> None:
        chosen = np.array(sorted(numbers))
        assert torch.equal(read_pyav.read_pyav(path, index, chosen, (96, 128)), truth[torch.from_numpy(chosen)])

    any_choice()
    with av.open(str(path)) as container:
        plain = [frame.reformat(128, 96, "gbrp", interpolation="BICUBIC") for frame in container.decode(video=0)]
    shown = torch.stack([torch.from_numpy(frame.to_ndarray()).permute(2, 0, 1) for frame in plain])
    assert torch.equal(shown, truth)


def test_fast_takes_reference_frames_and_reports_their_own_times(examples: Get) -> None:
    example = examples("cfr.mp4")
    index = read_index(example.path)
    clip = decode(example.path, small(2.0), fast=True)
    numbers = check(example, clip.frames, clip.frame_times_s)
    assert not index.packets.is_disposable[index.packet[numbers]].any()
    plain = decode(example.path, small(2.0))
    assert (clip.frame_times_s - plain.frame_times_s).abs().max() <= 0.25 * 0.53
    dense = decode(example.path, small(25.0), fast=True)  # every frame is wanted: nothing can be left out
    assert dense.num_frames == len(example.true_times_s)


def test_unwanted_groups_are_skipped(examples: Get) -> None:
    index = read_index(examples("cfr.mp4").path)
    keys = np.flatnonzero(index.packets.is_key)
    runs = read_pyav.plan_runs(index, index.packet[np.array([3, 120, 290])])
    assert len(keys) >= 6 and [run.first for run in runs] == [0, keys[2], keys[-1]]
    assert sum(run.stop - run.first for run in runs) < 150


def test_leading_frames_are_decoded_from_the_group_before(examples: Get) -> None:
    index = read_index(examples("open_gop.mp4").path)
    assert index.has_open_gops
    keys = np.flatnonzero(index.packets.is_key)
    pts = index.packets.pts
    leading = next(n for n in range(keys[2] + 1, len(pts)) if pts[n] < pts[keys[2]])
    (run,) = read_pyav.plan_runs(index, np.array([leading]))
    assert run.first == keys[1]


def test_a_clip_is_its_own_mirror_image_in_time(examples: Get) -> None:
    clip = decode(examples("cfr.mp4").path, small(2.0))
    torch.testing.assert_close(clip.reversed().frame_times_s, clip.frame_times_s, rtol=0, atol=1e-9)


def test_a_frame_that_stands_still_is_seen_in_a_window_without_new_frames(examples: Get) -> None:
    clip = decode(examples("vfr.mp4").path, small(), start_s=10.0, end_s=12.0)
    assert [read_number(frame) for frame in clip.frames] == [199]
    assert clip.frame_times_s.tolist() == [10.0]


def test_number_of_threads_changes_nothing(examples: Get) -> None:
    path = examples("cfr.mp4").path
    one, four = decode(path, small(), num_threads=1), decode(path, small(), num_threads=4)
    assert torch.equal(one.frames, four.frames)


# ---- what a file says of itself


def test_probe(examples: Get) -> None:
    info = probe(examples("cfr.mp4").path)
    assert (info.num_frames, info.width, info.height, info.codec) == (300, WIDTH, HEIGHT, "h264")
    assert info.duration_s == pytest.approx(12.0) and info.fps == pytest.approx(FPS)
    assert not info.has_audio and info.rotation == 0
    assert probe(examples("late.ts").path).duration_s == pytest.approx(12.0, abs=1e-3)
    assert probe(examples("edit_list.mp4").path).num_frames == 217


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_is_honoured(examples: Get, tmp_path: Path, degrees: int) -> None:
    path = tmp_path / "turned.mp4"
    ffmpeg("-i", examples("cfr.mp4").path, "-c", "copy", "-metadata:s:v", f"rotate={degrees}", path)
    clip = decode(path, small(), end_s=3.0)
    info = probe(path)
    assert info.rotation in (90, 180, 270)
    assert (info.width, info.height) == ((HEIGHT, WIDTH) if degrees != 180 else (WIDTH, HEIGHT))
    height, width = clip.frames.shape[2:]
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-frames:v", "1", "-vf", f"scale={width}:{height}"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    shown = torch.frombuffer(bytearray(raw), dtype=torch.uint8).view(height, width, 3).permute(2, 0, 1)
    first = decode(path, small(25.0), end_s=0.5).frames[0]
    assert (clip.frames[0].float() - shown.float()).abs().mean() < 4
    assert first.shape[0] == 3


def test_sound_that_starts_first_starts_the_clock(tmp_path: Path) -> None:
    """A player's time runs from the start of the sound here, and so does ours."""
    path = tmp_path / "late_picture.mkv"
    tone = ["-f", "lavfi", "-i", "sine=d=4"]
    ffmpeg(
        *tone,
        "-itsoffset",
        "1.0",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=128x96:r=25:d=2",
        *H264,
        "-c:a",
        "aac",
        path,
    )
    info = probe(path)
    assert info.has_audio and info.duration_s == pytest.approx(3.0, abs=0.05)
    assert decode(path, small()).frame_times_s[0].item() == pytest.approx(1.0, abs=0.05)


def test_colours_are_red_green_blue(tmp_path: Path) -> None:
    path = tmp_path / "red.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=c=0xC81E32:s=128x96:r=25:d=1", *H264, path)
    colour = decode(path, small()).frames.float().mean((0, 2, 3))
    torch.testing.assert_close(colour, torch.tensor([200.0, 30.0, 50.0]), atol=4, rtol=0)


# ---- folders of pictures


def write_folder(folder: Path, count: int = 12, suffix: str = "png") -> Path:
    folder.mkdir()
    for number in range(count):
        Image.fromarray(numbered_picture(number)).save(folder / f"frame_{number}.{suffix}", quality=95)
    return folder


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_folder_is_a_video(tmp_path: Path, suffix: str) -> None:
    folder = write_folder(tmp_path / "frames", suffix=suffix)
    clip = decode(folder, small())
    assert [read_number(frame) for frame in clip.frames] == list(range(12))  # frame_10 after frame_2
    assert clip.frame_times_s.tolist() == [number / 2 for number in range(12)]
    assert clip.duration_s == 6.0 and probe(folder).fps == 2.0
    assert decode(folder, small(), folder_fps=4.0).duration_s == 3.0
    part = decode(folder, small(), start_s=2.0, end_s=4.0)
    assert [read_number(frame) for frame in part.frames] == [4, 5, 6, 7]


@pytest.mark.parametrize(
    ("name", "text", "second_s"),
    [
        ("timestamps.json", json.dumps([n * 0.7 for n in range(12)]), 0.7),
        ("timestamps.json", json.dumps({f"frame_{n}.png": n * 0.9 for n in range(12)}), 0.9),
        ("timestamps.json", '{"fps": 8}', 0.125),
        ("timestamps.txt", "\n".join(str(n * 0.3) for n in range(12)), 0.3),
    ],
)
def test_a_folder_can_say_when_its_pictures_are_shown(tmp_path: Path, name: str, text: str, second_s: float) -> None:
    folder = write_folder(tmp_path / "frames")
    (folder / name).write_text(text)
    clip = decode(folder, small(100.0))
    assert clip.frame_times_s[1].item() == pytest.approx(second_s)
    assert clip.duration_s == pytest.approx(12 * second_s)


@pytest.mark.parametrize("text", ["[1, 2]", "{}", "nonsense", "[0,0,1,2,3,4,5,6,7,8,9,10]", '{"fps": 0}', '"x"'])
def test_wrong_timestamps_are_refused(tmp_path: Path, text: str) -> None:
    folder = write_folder(tmp_path / "frames")
    (folder / "timestamps.json").write_text(text)
    with pytest.raises(VideoError, match="frames"):
        decode(folder)


# ---- failures: one VideoError that names the file and says what is wrong


def damage(source: Path, target: Path, start: float) -> Path:
    """The same file with noise over a stretch of its bytes."""
    data = bytearray(source.read_bytes())
    at = int(len(data) * start)
    data[at : at + len(data) // 4] = np.random.default_rng(0).integers(0, 256, len(data) // 4, np.uint8).tobytes()
    target.write_bytes(data)
    return target


def cut(source: Path, target: Path, share: float) -> Path:
    data = source.read_bytes()
    target.write_bytes(data[: int(len(data) * share)])
    return target


@pytest.fixture(scope="session")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with something in every packet, its index in front."""
    path = tmp_path_factory.mktemp("noisy") / "noisy.mp4"
    source = ["-f", "lavfi", "-i", "testsrc2=s=128x96:r=25:d=6,noise=alls=40:allf=t"]
    ffmpeg(*source, *H264, "-movflags", "+faststart", path)
    return path


def bad_file(kind: str, folder: Path, noisy: Path) -> Path:
    """A file or folder that cannot be read, by what is wrong with it."""
    path = folder / f"{kind}.mp4"
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "random":
        path.write_bytes(np.random.default_rng(0).integers(0, 256, 50000, np.uint8).tobytes())
    elif kind == "text":
        path = path.with_suffix(".txt")
        path.write_text("hello\n" * 100)
    elif kind == "web page":
        path.write_text("<!DOCTYPE html><html>404</html>" * 20)
    elif kind == "no moov":
        plain = folder / "plain.mp4"
        ffmpeg("-i", noisy, "-c", "copy", plain)  # the index is at the end here
        cut(plain, path, 0.5)
    elif kind == "truncated":
        cut(noisy, path, 0.5)
    elif kind == "truncated mkv":
        whole = folder / "whole.mkv"
        ffmpeg("-i", noisy, "-c", "copy", whole)
        path = cut(whole, path.with_suffix(".mkv"), 0.5)
    elif kind == "corrupt":
        damage(noisy, path, 0.5)
    elif kind == "audio":
        ffmpeg("-f", "lavfi", "-i", "sine=d=1", path)
    elif kind == "cover":
        picture = folder / "cover.png"
        Image.new("RGB", (64, 64)).save(picture)
        path = path.with_suffix(".mp3")
        sound = ["-f", "lavfi", "-i", "sine=d=1", "-i", picture, "-map", "0", "-map", "1", "-c:v", "copy"]
        ffmpeg(*sound, "-disposition:v:0", "attached_pic", path)
    elif kind == "no frames":
        with av.open(str(path), "w", options={"movflags": "frag_keyframe+empty_moov"}) as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height = 128, 96
            container.start_encoding()
    elif kind == "folder":
        path.mkdir()
    elif kind == "playlist":
        path = path.with_suffix(".m3u8")
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{noisy}\n#EXT-X-ENDLIST\n")
    return path


REASONS = {
    "missing": "no such file",
    "empty": "empty",
    "random": "not a video|no video stream|damaged",
    "text": "not a video",
    "web page": "a web page",
    "no moov": "no moov box",
    "truncated": "cut short",
    "truncated mkv": "cut short",
    "corrupt": "damaged",
    "audio": "only sound",
    "cover": "cover picture|only sound",
    "no frames": "no frames",
    "folder": "without pictures",
    "playlist": "not a video",
}


@pytest.mark.parametrize("backend", ["auto", "torchcodec", "decord"])
@pytest.mark.parametrize("kind", REASONS)
def test_a_bad_file_gives_one_clear_error(kind: str, backend: str, tmp_path: Path, noisy: Path) -> None:
    path = bad_file(kind, tmp_path, noisy)
    with pytest.raises(VideoError) as caught:
        decode(path, small(), backend=backend)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    if backend == "auto":
        assert caught.match(REASONS[kind]), message


@pytest.mark.parametrize("kind", [kind for kind in REASONS if kind not in ("corrupt",)])
def test_probe_refuses_bad_files_too(kind: str, tmp_path: Path, noisy: Path) -> None:
    path = bad_file(kind, tmp_path, noisy)
    with pytest.raises(VideoError, match=REASONS[kind]):
        probe(path)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "frames")
    (folder / "frame_3.png").write_bytes(b"not a picture")
    with pytest.raises(VideoError, match=r"frame_3\.png: the picture cannot be read"):
        decode(folder, small())


def test_an_endless_strip_is_refused(tmp_path: Path) -> None:
    path = render(tmp_path / "strip.mkv", "-c:v", "ffv1", width=2100, height=10, count=4)
    with pytest.raises(VideoError, match="too long and narrow"):
        decode(path)


@pytest.mark.parametrize(("start_s", "end_s"), [(5.0, 5.0), (8.0, 7.0), (-1.0, 3.0), (20.0, 21.0), (1.0, 30.0)])
def test_windows_must_lie_in_the_video(examples: Get, start_s: float, end_s: float) -> None:
    path = examples("cfr.mp4").path
    with pytest.raises(UserError, match=r"cfr\.mp4: the window"):
        decode(path, small(), start_s=start_s, end_s=end_s)


def test_an_unknown_reader_is_refused(examples: Get) -> None:
    with pytest.raises(UserError, match="unknown video reader 'opencv'"):
        decode(examples("cfr.mp4").path, backend="opencv")  # type: ignore[arg-type]


def test_the_time_limit(examples: Get) -> None:
    with pytest.raises(VideoError, match="longer than"):
        decode(examples("cfr.mp4").path, small(25.0), timeout_s=0.0)


def test_a_file_written_anew_is_read_anew(examples: Get, tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    shutil.copy(examples("cfr.mp4").path, path)
    assert probe(path).num_frames == 300
    shutil.copy(examples("edit_list.mp4").path, path)
    assert probe(path).num_frames == 217
    assert frame_index._cached_index.cache_info().maxsize is not None


def test_progress_is_told_from_the_first_frame_to_the_last(examples: Get) -> None:
    told: list[float] = []
    clip = decode(examples("open_gop.mp4").path, small(), on_progress=told.append)
    assert len(told) == len(clip.frames) and told == sorted(told) and told[-1] == 1.0
