"""decode_many: order, time limits, crashes, and nothing left behind."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch

from timeground.errors import VideoError
from timeground.media.clip import Clip
from timeground.media.crew import decode_many
from timeground.media.decode import DecodeRequest, decode
from timeground.media.sampling import Sampling

SMALL = Sampling(min_tokens_per_pair=16, total_tokens=6000)

READERS = '''
"""Readers that go wrong, for the workers' tests: a module that worker processes can import."""
import os, signal, time
from timeground.errors import UserError
from timeground.media.decode import decode_request

def treacherous(request):
    name = str(request.path)
    if "hangs" in name:
        while True:
            time.sleep(1)
    if "dies" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "exits" in name:
        os._exit(3)
    if "breaks" in name:
        raise ZeroDivisionError("a fault in the reader")
    if "slow" in name:
        time.sleep(0.6)
    return decode_request(request)

def tells_its_process(request):
    from dataclasses import replace
    return replace(decode_request(request), source=str(os.getpid()))
'''


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    (tmp_path / "wayward_readers.py").write_text(READERS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import wayward_readers

    return wayward_readers


@pytest.fixture
def video(examples: Callable) -> Path:
    return examples("cfr.mp4").path


def test_clips_are_those_of_decode_in_the_order_asked(examples: Callable) -> None:
    paths = [examples(name).path for name in ("cfr.mp4", "vfr.mp4", "open_gop.mp4")] * 3
    done = list(decode_many([DecodeRequest(path, SMALL, start_s=1.0, end_s=4.0) for path in paths], 2))
    assert [request.path for request, _ in done] == paths
    for request, clip in done:
        assert isinstance(clip, Clip)
        here = decode(request.path, SMALL, start_s=1.0, end_s=4.0)
        assert torch.equal(clip.frames, here.frames) and torch.equal(clip.frame_times_s, here.frame_times_s)
        assert (clip.start_s, clip.end_s, clip.duration_s) == (1.0, 4.0, here.duration_s)
        assert clip.source == str(request.path)


def test_hung_and_killed_readers_cost_only_their_own_video(readers: object, video: Path, tmp_path: Path) -> None:
    names = ["good", "hangs", "good", "dies", "slow", "exits", "breaks", "good", "missing"]
    for name in names[:-1]:
        if not (tmp_path / f"{name}.mp4").exists():
            (tmp_path / f"{name}.mp4").symlink_to(video)
    requests = [DecodeRequest(tmp_path / f"{name}.mp4", SMALL) for name in names]
    began = time.monotonic()
    done = [result for _, result in decode_many(requests, 2, timeout_s=4.0, reader=readers.treacherous)]  # type: ignore[attr-defined]
    assert time.monotonic() - began < 60
    assert [isinstance(result, Clip) for result in done] == [
        True,
        False,
        True,
        False,
        True,
        False,
        False,
        True,
        False,
    ]
    messages = [str(result) for result in done if isinstance(result, VideoError)]
    assert "hangs.mp4: reading it took longer than 4 s" in messages[0]
    assert "dies.mp4: its reader crashed (signal SIGKILL)" in messages[1]
    assert "exits.mp4: its reader crashed (exit status 3)" in messages[2]
    assert "breaks.mp4: reading it failed unexpectedly (ZeroDivisionError: a fault in the reader)" in messages[3]
    assert "missing.mp4: no such file" in messages[4]


def test_a_bad_window_is_that_requests_error(video: Path) -> None:
    ((_, result),) = decode_many([DecodeRequest(video, SMALL, start_s=50.0)], 1)
    assert isinstance(result, VideoError) and "not inside the video" in str(result)


def test_workers_are_replaced_after_some_videos(readers: object, video: Path) -> None:
    requests = [DecodeRequest(video, SMALL, end_s=2.0)] * 6
    done = list(decode_many(requests, 1, reader=readers.tells_its_process, recycle_after=2))  # type: ignore[attr-defined]
    processes = [clip.source for _, clip in done if isinstance(clip, Clip)]
    assert len(processes) == 6 and len(set(processes)) == 3


def test_nothing_is_left_behind(readers: object, video: Path, tmp_path: Path) -> None:
    """No worker process, no descriptor, no shared memory; also when the iterator is dropped half way."""
    (tmp_path / "hangs.mp4").symlink_to(video)
    list(decode_many([DecodeRequest(video, SMALL)], 1))  # starts the fork server, which stays
    me = psutil.Process()
    before = (me.num_fds(), len(os.listdir("/dev/shm")), len(me.children(recursive=True)))
    requests = [DecodeRequest(video, SMALL)] * 3 + [DecodeRequest(tmp_path / "hangs.mp4", SMALL)] * 2
    some = decode_many(requests, 2, reader=readers.treacherous)  # type: ignore[attr-defined]
    _, clip = next(some)
    some.close()  # type: ignore[attr-defined]
    assert isinstance(clip, Clip) and clip.frames.float().mean() > 0
    del clip
    gc.collect()
    deadline = time.monotonic() + 5
    after = (10**6, 0, 0)
    while time.monotonic() < deadline and any(now > then for now, then in zip(after, before, strict=True)):
        after = (me.num_fds(), len(os.listdir("/dev/shm")), len(me.children(recursive=True)))
        time.sleep(0.05)
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


def test_it_reads_ahead_but_not_without_end(video: Path) -> None:
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield DecodeRequest(video, SMALL, end_s=1.0)

    results = decode_many(endless(), 2)
    for _ in range(3):
        next(results)
    time.sleep(0.3)
    results.close()  # type: ignore[attr-defined]
    assert len(asked) <= 3 + 2 * 2


def test_no_requests_no_results() -> None:
    assert list(decode_many([], 2)) == []
