"""Seconds that are missing are said, in every container; no frame stands at a time that is not its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media.conftest import render
from timeground.errors import VideoError
from timeground.media.containers.completeness import first_break
from timeground.media.decode import decode, probe

H264 = ["-c:v", "libx264", "-g", "20", "-pix_fmt", "yuv420p"]
CODECS = {
    "gif": [],
    "flv": ["-c:v", "flv1", "-g", "20"],
    "ogv": ["-c:v", "libtheora"],
    "avi": ["-c:v", "mpeg4", "-g", "20"],
    "wmv": ["-c:v", "wmv2", "-g", "20"],
    "mkv": ["-c:v", "libx264", "-g", "20", "-pix_fmt", "yuv420p", "-cluster_time_limit", "1000"],
    "webm": ["-c:v", "libvpx", "-deadline", "realtime", "-g", "20", "-cluster_time_limit", "1000"],
    "mp4": ["-c:v", "libx264", "-g", "20", "-pix_fmt", "yuv420p", "-movflags", "+faststart"],
    "mov": ["-c:v", "mpeg4", "-g", "20", "-movflags", "+faststart"],
    "m4v": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "frag_keyframe+empty_moov", "-g", "20"],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory):
    folder, made = tmp_path_factory.mktemp("whole"), {}

    def get(kind: str) -> Path:
        if kind not in made:
            more = ["-f", "mp4"] if kind == "m4v" else []
            made[kind] = render(folder / f"a.{kind}", *CODECS.get(kind, H264), *more, count=100)
        return made[kind]

    return get


@pytest.mark.parametrize("kind", CODECS)
def test_a_whole_file_is_whole(whole, kind):
    assert probe(whole(kind)).duration_s == pytest.approx(4.0, abs=0.3)
    assert decode(whole(kind)).num_frames >= 8


@pytest.mark.parametrize("kind", CODECS)
@pytest.mark.parametrize("share", [0.35, 0.6, 0.9, 0.999])
def test_a_file_cut_short_is_refused_with_the_seconds(whole, kind, share, tmp_path):
    content = whole(kind).read_bytes()
    cut = tmp_path / f"cut.{kind}"
    cut.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(VideoError) as error:
        clip = decode(cut)
        assert clip.duration_s == pytest.approx(4.0, abs=0.3) and share > 0.99, "nothing of the pictures is missing"
        raise VideoError(f"{cut}: what comes after {clip.duration_s} s is whole")
    assert str(cut) in str(error.value)
    assert "what comes after" in str(error.value) or "no frames" in str(error.value) or "FFmpeg" in str(error.value)


def test_a_hole_in_the_middle_is_told_by_its_seconds(whole, tmp_path):
    content = bytearray(whole("mkv").read_bytes())
    clusters = [at for at in range(len(content)) if content[at : at + 4] == b"\x1f\x43\xb6\x75"]
    assert len(clusters) >= 4
    content[clusters[1] : clusters[2]] = bytes(clusters[2] - clusters[1])
    hole = tmp_path / "hole.mkv"
    hole.write_bytes(content)
    assert first_break(hole) == clusters[1]
    with pytest.raises(VideoError, match=r"from \d\.\d s to \d\.\d s it cannot be read"):
        decode(hole)


def test_a_missing_page_of_ogg_is_a_hole(whole, tmp_path):
    content = whole("ogv").read_bytes()
    pages = [at for at in range(len(content)) if content[at : at + 4] == b"OggS"]
    middle = len(pages) // 2
    hole = tmp_path / "hole.ogv"
    hole.write_bytes(content[: pages[middle]] + content[pages[middle + 1] :])
    assert first_break(hole) == pages[middle]
    with pytest.raises(VideoError, match=r"cannot be read|is not there"):
        decode(hole)


def test_only_a_file_without_its_index_is_said_to_lack_it(whole, tmp_path):
    content = whole("mp4").read_bytes()
    moov = content.index(b"moov") - 4
    size = int.from_bytes(content[moov : moov + 4], "big")
    (tmp_path / "no-moov.mp4").write_bytes(content[:moov] + content[moov + size :])
    with pytest.raises(VideoError, match="no moov box"):
        probe(tmp_path / "no-moov.mp4")
    damaged = bytearray(content)
    damaged[moov + 8 : moov + size] = bytes(size - 8)
    (tmp_path / "damaged.mp4").write_bytes(damaged)
    with pytest.raises(VideoError) as error:
        probe(tmp_path / "damaged.mp4")
    assert "moov" not in str(error.value)


@pytest.mark.parametrize("kind", ["mp4", "mkv", "gif", "avi"])
def test_padding_after_the_end_does_no_harm(whole, kind, tmp_path):
    padded = tmp_path / f"padded.{kind}"
    padded.write_bytes(whole(kind).read_bytes() + bytes(32 if kind == "gif" else 100))
    assert decode(padded).num_frames >= 8


@pytest.mark.parametrize("fill", [bytes(251), bytes(range(251))], ids=["zeros", "noise"])
@pytest.mark.parametrize("kind", ["flv", "avi", "gif", "wmv", "ogv", "webm", "ts"])
def test_a_damaged_stretch_in_the_middle_is_told(whole, kind, fill, tmp_path):
    content = bytearray(whole(kind).read_bytes())
    start, length = int(len(content) * 0.45), max(4000, len(content) // 8)
    content[start : start + length] = (fill * (length // len(fill) + 1))[:length]
    noisy = tmp_path / f"noisy.{kind}"
    noisy.write_bytes(content)
    with pytest.raises(VideoError) as error:
        decode(noisy)
    assert str(noisy) in str(error.value)
    assert "nan" not in str(error.value)
