"""Real clips of other projects' test data: several codecs, a rotated one, two streams, a damaged one."""

from __future__ import annotations

import os
from pathlib import Path

import av
import pytest
import torch

from timeground.errors import VideoError
from timeground.media.decode import decode, probe
from timeground.media.sampling import Sampling

pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(not os.environ.get("TIMEGROUND_REALDATA"), reason="TIMEGROUND_REALDATA is not set"),
]

SHOWN = {  # frames, width, height, codec, seconds
    "OHOFG.mp4": (335, 640, 360, "h264", 35.1415),
    "av1_video.mkv": (125, 640, 360, "av1", 5.0),
    "flipping_a_pancake.mkv": (310, 426, 240, "h264", 10.333),
    "h265_video.mp4": (10, 128, 128, "hevc", 1.0),
    "nasa_13013.mp4": (390, 480, 270, "h264", 13.013),
    "unordered.mov": (4, 50, 50, "h264", 0.125),
    "video_90.mov": (3, 320, 568, "h264", 0.1),
}


@pytest.fixture
def clips() -> Path:
    return Path(os.environ["TIMEGROUND_REALDATA"]) / "clips"


@pytest.mark.parametrize("name", SHOWN)
def test_probe(clips: Path, name: str) -> None:
    info = probe(clips / name)
    assert (info.num_frames, info.width, info.height, info.codec) == SHOWN[name][:4]
    assert info.duration_s == pytest.approx(SHOWN[name][4], abs=0.001)


@pytest.mark.parametrize("name", SHOWN)
def test_frames_are_those_of_a_full_decode(clips: Path, name: str) -> None:
    """Pixel for pixel what PyAV gives when it decodes everything and scales the same way."""
    clip = decode(clips / name, Sampling(fps=1.0, min_tokens_per_pair=16, total_tokens=3000))
    height, width = clip.frames.shape[2:]
    with av.open(str(clips / name)) as container:
        stream = container.streams.best("video")
        for frame in container.decode(stream):
            places = (clip.frame_times_s - frame.time).abs() < 1e-4
            if not places.any():
                continue
            turned = frame.rotation % 180 != 0
            size = (height, width) if turned else (width, height)
            planes = frame.reformat(*size, format="gbrp", interpolation="BICUBIC").to_ndarray()
            truth = torch.rot90(torch.from_numpy(planes), frame.rotation // 90, (0, 1)).permute(2, 0, 1)
            assert torch.equal(clip.frames[places][0], truth)


def test_the_rotated_clip_stands_as_ffmpeg_shows_it(clips: Path) -> None:
    import subprocess

    clip = decode(clips / "video_90.mov")
    height, width = clip.frames.shape[2:]
    command = ["ffmpeg", "-v", "error", "-i", str(clips / "video_90.mov"), "-frames:v", "1"]
    command += ["-vf", f"scale={width}:{height}", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    shown = torch.frombuffer(
        bytearray(subprocess.run(command, capture_output=True, check=True).stdout), dtype=torch.uint8
    )
    shown = shown.view(height, width, 3).permute(2, 0, 1)
    assert (clip.frames[0].float() - shown.float()).abs().mean() < 3


@pytest.mark.parametrize("backend", ["torchcodec", "decord"])
@pytest.mark.parametrize("name", SHOWN)
def test_other_readers_agree_or_refuse(clips: Path, name: str, backend: str) -> None:
    sampling = Sampling(fps=1.0, min_tokens_per_pair=16, total_tokens=3000)
    ours = decode(clips / name, sampling)
    try:
        theirs = decode(clips / name, sampling, backend=backend)  # type: ignore[arg-type]
    except VideoError as error:
        assert "use the reader 'pyav'" in str(error)
        return
    assert torch.equal(ours.frame_times_s, theirs.frame_times_s)
    assert (ours.frames.float() - theirs.frames.float()).abs().mean() < 4


@pytest.mark.parametrize("backend", ["pyav", "torchcodec", "decord"])
def test_the_damaged_clip_is_refused(clips: Path, backend: str) -> None:
    with pytest.raises(VideoError, match=r"corrupted\.mp4"):
        decode(clips / "corrupted.mp4", backend=backend)  # type: ignore[arg-type]
