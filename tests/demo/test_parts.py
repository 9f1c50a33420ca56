"""The parts of the demo without a page: sharing of readings, fairness, files, limits, the command."""

from __future__ import annotations

import argparse
import asyncio
import csv
import dataclasses
import shutil
import subprocess
import time
from types import SimpleNamespace

import pytest
from timeground.demo import command
from timeground.demo.guard import FOREIGN, names_an_address
from timeground.demo.results import as_csv, as_srt
from timeground.demo.service import Service, Timed, direction_score
from timeground.demo.settings import DemoSettings, parse_auth
from timeground.demo.videos import Videos
from timeground.demo.views import direction_text, rows

from tests.demo.conftest import EXAMPLE
from timeground.errors import UserError
from timeground.media.cut import cut
from timeground.media.decode import decode, probe
from timeground.methods.grounder import GroundingAnswer
from timeground.models.checkpoint import Checkpoint
from timeground.spans import Span


def timed(query, *spans, absent=False):
    return Timed(GroundingAnswer(query, [Span(*s) for s in spans], "text", "rule", absent, 0.5, model="tiny"), 0.1)


@pytest.fixture
def videos(tmp_path):
    return Videos(tmp_path, DemoSettings())


def test_srt_and_csv():
    answers = [timed("b <i>x</i>", (3661.5, 3662)), timed('a, "b"', (2, 1)), timed("c", absent=True)]
    srt = as_srt(answers, 4000)
    assert srt.split("\n\n")[0] == '1\n00:00:01,000 --> 00:00:02,000\na, "b"'
    assert "01:01:01,500 --> 01:01:02,000\nb (i)x(/i)" in srt
    lines = list(csv.reader(as_csv(answers, 4000).splitlines()))
    assert lines[2] == ['a, "b"', "1.000", "2.000", "False", "0.5000", "tiny"]
    assert lines[3] == ["c", "", "", "True", "0.5000", "tiny"]


def test_direction_score():
    assert direction_score([Span(1, 3)], [Span(7, 9)], 0, 10) == 0
    assert direction_score([Span(1, 3)], [Span(1, 3)], 0, 10) == 1
    assert direction_score([Span(1, 3)], [], 0, 10) == 1
    assert direction_score([], [Span(1, 3)], 0, 10) is None
    assert direction_score([Span(1, 3)], None, 0, 10) is None  # an answer that cannot be read tells nothing
    assert "could not be read" in direction_text(None, True) and "could not be read" not in direction_text(None)


def test_a_cut_begins_and_ends_where_it_should(tmp_path):
    cut(EXAMPLE, 5.3, 8.1, tmp_path / "a.mp4")
    assert probe(tmp_path / "a.mp4").duration_s == pytest.approx(2.8, abs=0.15)
    made, source = decode(tmp_path / "a.mp4"), decode(EXAMPLE, start_s=5.3, end_s=8.1)
    first, expected = made.frames[0].float(), source.frames[0].float()
    assert made.frames.shape[2:] == source.frames.shape[2:] and (first - expected).abs().mean() < 6
    with pytest.raises(UserError, match="no frame"):
        cut(EXAMPLE, 500, 501, tmp_path / "b.mp4")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs the ffmpeg program to make a video with sound")
def test_a_cut_keeps_sound_and_stands_upright(tmp_path):
    sources = ["-f", "lavfi", "-i", "testsrc=d=8:r=25:s=160x90", "-f", "lavfi", "-i", "sine=d=8"]
    make = ["ffmpeg", "-v", "error", *sources, "-pix_fmt", "yuv420p", "-bf", "3", "-g", "100"]
    subprocess.run([*make, tmp_path / "plain.mp4"], check=True)
    turn = ["-c", "copy", "-metadata:s:v", "rotate=90", tmp_path / "turned.mp4"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", tmp_path / "plain.mp4", *turn], check=True)
    for name in ("plain", "turned"):
        cut(tmp_path / f"{name}.mp4", 3.0, 5.0, tmp_path / f"{name}-cut.mp4")
        made = probe(tmp_path / f"{name}-cut.mp4")
        assert made.num_frames == 50 and made.has_audio and made.duration_s == pytest.approx(2, abs=0.1)
        shown, expected = decode(tmp_path / f"{name}-cut.mp4"), decode(tmp_path / f"{name}.mp4", start_s=3, end_s=5)
        assert shown.frames.shape == expected.frames.shape
        assert (shown.frames[0].float() - expected.frames[0].float()).abs().mean() < 8


def test_readings_are_shared_bounded_and_done_once(videos, monkeypatch):
    read, kept = [], Service(DemoSettings(keep_gb=1e-6))
    video = videos.admit(str(EXAMPLE))

    async def work():
        grounder = await kept.grounder()
        plain = grounder.model.open
        monkeypatch.setattr(grounder.model, "open", lambda messages: read.append(1) or plain(messages))
        both = await asyncio.gather(kept.read(video), kept.read(video))
        assert len(read) == 1 and both[0].watched is both[1].watched and not both[0].shared
        assert (await kept.read(video)).shared
        await kept.read(video, backwards=True)  # there is room for one only
        assert not (await kept.read(video)).shared

    asyncio.run(work())
    kept.close()


class SlowWatched:
    """Stands for a video on a slow model."""

    def __init__(self, log):
        self.log, self.method = log, SimpleNamespace()

    def ground(self, queries):
        time.sleep(0.05)
        self.log.extend(queries)
        return [timed(q).answer for q in queries]


def test_a_second_user_does_not_wait_for_all_of_the_first():
    service, log = Service(DemoSettings()), []

    async def user(name, count):
        for number in range(count):
            await service.ground(SlowWatched(log), f"{name}{number}")

    async def both():
        first = asyncio.create_task(user("a", 8))
        await asyncio.sleep(0.07)
        await user("b", 1)
        assert not first.done()
        await first

    asyncio.run(both())
    service.close()
    assert log.index("b0") <= 4


def test_what_is_cancelled_before_its_turn_is_never_asked():
    service, log = Service(DemoSettings()), []

    async def work():
        first = asyncio.create_task(service.ground(SlowWatched(log), "first"))
        second = asyncio.create_task(service.ground(SlowWatched(log), "second"))
        await asyncio.sleep(0.01)
        second.cancel()
        await first
        await asyncio.sleep(0.1)

    asyncio.run(work())
    service.close()
    assert log == ["first"]


def test_only_own_folders_are_read(videos, tmp_path):
    other = tmp_path.parent / "other.mp4"
    other.write_bytes(EXAMPLE.read_bytes())
    (tmp_path / "link.mp4").symlink_to(other)
    for path in (str(other), str(tmp_path / "link.mp4"), str(tmp_path), "/etc/passwd", "x.mp4"):
        with pytest.raises(UserError, match="upload it again"):
            videos.admit(path)
    with pytest.raises(UserError, match="upload it again"):
        videos.known("0" * 64)


def test_limits_on_size(tmp_path):
    (tmp_path / "a.mp4").write_bytes(bytes(1_200_000))
    with pytest.raises(UserError, match="at most 1 are taken"):
        Videos(tmp_path, DemoSettings(max_upload_mb=1)).admit(str(tmp_path / "a.mp4"))


def test_addresses_are_seen_wherever_they_stand():
    assert names_an_address([{"a": [{"path": "http://x/y.mp4"}]}])
    assert not names_an_address(["http://in a query is fine", {"path": "/tmp/x.mp4"}])
    assert FOREIGN.search("/gradio_api/file=https://x") and FOREIGN.search("/gradio_api/proxy=https://x")
    assert not FOREIGN.search("/gradio_api/file=/tmp/a/b.mp4")


@pytest.mark.parametrize(
    "arguments", [["--port", "99999"], ["--auth", "nobody"], ["--max-minutes", "0"], ["--keep-gb", "0"]]
)
def test_mistakes_on_the_command_line(arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    with pytest.raises(UserError) as error:
        command.run(parser.parse_args(arguments))
    assert arguments[0] in str(error.value) and "\n" not in str(error.value)


def test_safe_defaults():
    settings = DemoSettings()
    assert settings.host == "127.0.0.1" and not settings.share and settings.auth is None
    assert parse_auth("anna:a:b") == ("anna", "a:b")


def test_a_port_in_use_is_told():
    import socket

    from timeground.demo.server import serve

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(UserError, match="--port"), serve(DemoSettings(port=taken.getsockname()[1])):
            pass


@pytest.fixture(scope="module")
def searching(tmp_path_factory) -> DemoSettings:
    """A server that searches, with windows so short that the example has several."""
    file = tmp_path_factory.mktemp("profile") / "grounding_config.json"
    file.write_text(dataclasses.replace(Checkpoint.open("tiny").profile, window_s=3.0).to_text())
    return DemoSettings(port=0, method="search:max_looks=4", profile=str(file))


def test_a_search_tells_its_looks_as_it_goes_and_reads_no_frames_ahead(searching, videos):
    service = Service(searching)

    async def run():
        looks = []
        reading = await service.read(videos.admit(str(EXAMPLE)))
        assert "clip" not in vars(reading.watched.method)
        found = await service.ground(reading.watched, "the yellow circle grows", looks)
        return looks, found

    looks, found = asyncio.run(run())
    service.close()
    assert [look.window for look in looks] == [look.window for look in found.answer.trace.looks] and len(looks) > 4
    (lane,) = [row["looks"] for row in rows([found], 15.0)]
    assert [one["kind"] for one in lane].count("close") == 4 and lane[0]["kind"] == "scan"
    assert all(0 <= one["score"] <= 1 for one in lane)
    assert rows([timed("it rings", (1, 2))], 15.0)[0]["looks"] == []


def test_who_goes_away_stops_a_search(searching, videos):
    service = Service(dataclasses.replace(searching, method="search:max_looks=1000"))

    async def run():
        looks = []
        reading = await service.read(videos.admit(str(EXAMPLE)))
        asked = asyncio.create_task(service.ground(reading.watched, "the yellow circle grows", looks))
        while not looks:
            await asyncio.sleep(0.005)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        taken = len(looks)
        again = await service.ground(reading.watched, "the red square appears")  # the next one waits for the thread
        return taken, looks, again

    taken, looks, again = asyncio.run(run())
    service.close()
    assert len(looks) <= taken + 1 and len(again.answer.trace.looks) > len(looks)
