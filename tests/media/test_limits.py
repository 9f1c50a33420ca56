"""Sizes are looked at before any pixel is made; names and times of any kind end in one line."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.media.conftest import ffmpeg, render
from timeground.errors import UserError, VideoError
from timeground.media.containers.container import check_file
from timeground.media.crew import DecodeRequest, decode_many
from timeground.media.decode import decode, probe
from timeground.media.limits import check_clip
from timeground.media.sampling import Sampling


def gif(path: Path, width: int, height: int) -> Path:
    """A GIF of a few bytes whose screen is of any size."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    picture = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\x00"
    path.write_bytes(screen + (b"!\xf9\x04\x00\x0a\x00\x00\x00" + picture) * 2 + b";")
    return path


def png(path: Path, width: int, height: int) -> Path:
    """A PNG that says that it is of any size; its pixels are missing."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    path.write_bytes(data + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")))
    return path


@pytest.mark.parametrize("look", [probe, decode])
def test_a_bomb_is_refused_before_its_pixels(look, tmp_path):
    bomb = gif(tmp_path / "bomb.gif", 16000, 16000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(VideoError, match=r"16000 x 16000 pixels, more than 100 million.*TIMEGROUND_SIZE_LIMIT"):
        look(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB


def test_workers_and_picture_folders_refuse_too(tmp_path):
    bomb = gif(tmp_path / "bomb.gif", 16000, 16000)
    ((_, found),) = decode_many([DecodeRequest(bomb)], 1)
    assert isinstance(found, VideoError) and "TIMEGROUND_SIZE_LIMIT" in str(found)
    for name, side in (("large", 10_500), ("huge", 30_000)):  # PIL itself refuses the second
        (tmp_path / name).mkdir()
        png(tmp_path / name / "1.png", side, side)
        with pytest.raises(VideoError, match="million"):
            probe(tmp_path / name)
    (tmp_path / "mixed").mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "mixed" / "1.png")
    png(tmp_path / "mixed" / "2.png", 10_500, 10_500)
    with pytest.raises(VideoError, match=r"2\.png.*million"):
        decode(tmp_path / "mixed")


def test_the_setting_moves_both_limits(tmp_path, monkeypatch):
    bomb = gif(tmp_path / "bomb.gif", 16000, 16000)
    monkeypatch.setenv("TIMEGROUND_SIZE_LIMIT", "0.00001")
    with pytest.raises(VideoError, match=r"more than 0\.001 million"):
        probe(gif(tmp_path / "small.gif", 64, 64))
    for wrong in ("many", "0", "-1", "nan"):
        monkeypatch.setenv("TIMEGROUND_SIZE_LIMIT", wrong)
        with pytest.raises(UserError, match="give a positive number"):
            probe(bomb)
    monkeypatch.delenv("TIMEGROUND_SIZE_LIMIT")
    with pytest.raises(VideoError, match=r"take 2\.4 GB, more than 2\.1"):
        check_clip("x.mp4", 1000, 1000, 800)


def test_a_clip_is_counted_before_it_is_decoded(tmp_path, monkeypatch):
    video = render(tmp_path / "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", count=50)
    monkeypatch.setenv("TIMEGROUND_SIZE_LIMIT", "0.001")
    large = Sampling(fps=25.0, min_tokens_per_pair=256, total_tokens=10**6)
    with pytest.raises(VideoError, match=r"frames of .* pixels take"):
        decode(video, large)


def test_names_that_ffmpeg_or_the_system_take_otherwise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    render(Path("plain.mp4"), "-c:v", "libx264", "-pix_fmt", "yuv420p", count=25)
    for name in ("a:b 12:30.mp4", "http:x.mp4", "-x.mp4", "%03d.mp4"):
        os.link("plain.mp4", name)
        for backend in ("auto", "torchcodec", "decord"):
            assert decode(name, backend=backend).num_frames > 0, (name, backend)
    with pytest.raises(VideoError, match="cannot be opened"):
        check_file("x" * 300 + ".mp4")
    with pytest.raises(VideoError, match="cannot be opened"):
        check_file("a\0b.mp4")
    Path("._plain.mp4").write_bytes(b"\0\5\26\7\0\2\0\0" + bytes(100))
    with pytest.raises(VideoError, match="AppleDouble"):
        decode("._plain.mp4")
    os.mkfifo("fifo.mp4")
    with pytest.raises(VideoError, match="not a file"):
        decode("fifo.mp4")


def test_a_null_character_in_a_name():
    with pytest.raises(VideoError, match="cannot be opened"):
        decode("x\0.mp4")


def test_a_folder_with_a_fifo_and_odd_digits(tmp_path):
    for name in ("x²", "x2", "x10", "x١"):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{name}.png")
    os.mkfifo(tmp_path / "y.jpg")
    os.mkfifo(tmp_path / "made_by.txt")
    (tmp_path / "z.png").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "._x.jpg").write_bytes(b"\0\5\26\7")
    assert probe(tmp_path).num_frames == 4
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"from timeground.media.decode import decode; print(decode({str(tmp_path)!r}).num_frames)",
        ],
        capture_output=True,
        timeout=60,
    )
    assert done.stdout.split() == [b"4"]


@pytest.mark.parametrize(
    "text",
    [
        "[NaN, 1]", "[0, Infinity]", "[0, 1e300]", "[0, -1]", '["0", "1"]', "[[0], [1]]", "[true, false]", "[0]", "{}",
        "[0, " + "9" * 5000 + "]", "[" * 5000, '{"fps": 0}', '{"fps": "2"}', '{"fps": 1e-300}', '{"fps": 1e300}',
        '{"fps": true}', '{"fps": null}', '{"fps": [2]}', "null", "5", '"x"', "[0, 0]", "[1, 0]", '{"1.png": 0}',
        '{"1.png": [0], "2.png": 1}', "[0, {}]", "\ud800",
    ],
)  # fmt: skip
def test_absurd_times_are_one_line(text, tmp_path):
    for number in (1, 2):
        Image.new("RGB", (32, 32)).save(tmp_path / f"{number}.png")
    (tmp_path / "timestamps.json").write_bytes(text.encode(errors="surrogatepass"))
    with pytest.raises(VideoError) as error:
        probe(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_file_of_times_of_any_size_is_not_read(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "1.png")
    with (tmp_path / "timestamps.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(VideoError, match="up to 64 MB"):
        probe(tmp_path)


def test_metadata_that_is_not_utf_8(tmp_path):
    render(tmp_path / "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-metadata", "title=CAFxxx", count=25)
    content = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "lat.mp4").write_bytes(content.replace(b"CAFxxx", b"CAF\xc9\xff\xfe"))
    assert probe(tmp_path / "lat.mp4").num_frames == 25 and decode(tmp_path / "lat.mp4").num_frames > 0


@pytest.mark.parametrize(
    "matrix", [(-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0), (0, 1, -1, 0), (-1, 0, 0, -1)]
)
def test_a_display_matrix_is_followed_as_ffmpeg_does(matrix, tmp_path):
    render(tmp_path / "a.mp4", "-c:v", "libx264", "-crf", "1", "-pix_fmt", "yuv420p", count=10)
    content = (tmp_path / "a.mp4").read_bytes()
    track = content.index(b"tkhd")
    a, b, c, d = (value * 65536 for value in matrix)
    place = content.index(struct.pack(">iiiiiiiii", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), track)
    written = struct.pack(">iiiiiiiii", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "m.mp4").write_bytes(content[:place] + written + content[place + 36 :])
    pick = ["-vf", "select=eq(n\\,7)", "-frames:v", "1"]
    ffmpeg("-i", tmp_path / "m.mp4", *pick, "-pix_fmt", "rgb24", "-f", "rawvideo", tmp_path / "raw")
    info = probe(tmp_path / "m.mp4")
    shown = np.fromfile(tmp_path / "raw", np.uint8).reshape(info.height, info.width, 3).astype(int)
    full = Sampling(fps=25.0, min_tokens_per_pair=48, total_tokens=10**6, max_tokens_per_pair=48, factor=16)
    frame = decode(tmp_path / "m.mp4", full).frames[7].permute(1, 2, 0).numpy().astype(int)
    assert frame.shape == shown.shape and np.abs(frame - shown).mean() < 6
    for backend in ("torchcodec", "decord"):
        try:
            other = decode(tmp_path / "m.mp4", full, backend=backend).frames[7].permute(1, 2, 0).numpy().astype(int)
        except VideoError as error:
            assert "cannot be trusted" in str(error)
        else:
            assert np.abs(other - shown).mean() < 6


def test_a_cut_is_shown_as_its_source(tmp_path):
    from timeground.media.cut import cut

    render(tmp_path / "a.mp4", "-c:v", "libx264", "-crf", "1", "-pix_fmt", "yuv420p", count=50)
    content = (tmp_path / "a.mp4").read_bytes()
    plain, mirrored = (struct.pack(">iiiii", s * 65536, 0, 0, 0, 65536) for s in (1, -1))
    place = content.index(plain, content.index(b"tkhd"))
    (tmp_path / "m.mp4").write_bytes(content[:place] + mirrored + content[place + 20 :])
    cut(tmp_path / "m.mp4", 0.0, 1.0, tmp_path / "cut.mp4")
    every = Sampling(fps=25.0, min_tokens_per_pair=4, total_tokens=10**5)
    source, made = (
        clip.frames[int((clip.frame_times_s - 0.72).abs().argmin())].float()
        for clip in (decode(tmp_path / "m.mp4", every), decode(tmp_path / "cut.mp4", every))
    )
    assert (source - made).abs().mean() < 10 and (source.flip(2) - made).abs().mean() > 30
    assert probe(tmp_path / "m.mp4").is_mirrored and not probe(tmp_path / "cut.mp4").is_mirrored
