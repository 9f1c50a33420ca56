"""An http(s) address becomes a file or one clear line; rows and conversations never fetch."""

from __future__ import annotations

import gc
import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.says import Says
from tests.support.web_server import Page, web_server
from timeground.chat.profile import Profile
from timeground.cli.main import main
from timeground.data.video_paths import resolve_video
from timeground.errors import UserError, VideoError
from timeground.media import limits
from timeground.media.containers.container import check_file
from timeground.media.fetch import fetch, is_web, shown
from timeground.methods.grounder import Grounder, as_video
from timeground.models import opening

CLIP = Path(str(files("timeground") / "assets" / "example" / "shapes.mp4")).read_bytes()
VIDEO = {"Content-Type": "video/mp4"}
PAGES = {
    "/clip.mp4": Page(CLIP, headers=VIDEO),
    "/no-length.mp4": Page(CLIP, headers=VIDEO, chunked=True),
    "/moved": Page(status=302, headers={"Location": "/clip.mp4"}),
    "/to-file": Page(status=302, headers={"Location": "file:///etc/passwd"}),
    "/to-ftp": Page(status=301, headers={"Location": "ftp://example.org/a.mp4"}),
    "/round": Page(status=302, headers={"Location": "/round"}),
    "/cut.mp4": Page(CLIP[: len(CLIP) // 2], headers=VIDEO, length=len(CLIP)),
    "/page": Page(b"<!doctype html><p>watch here", headers={"Content-Type": "text/html; charset=utf-8"}),
    "/page.mp4": Page(b"<!doctype html><p>watch here", headers=VIDEO),
    "/list.m3u8": Page(b"#EXTM3U\nseg.ts", headers={"Content-Type": "application/vnd.apple.mpegurl"}),
    "/sly.mp4": Page(b"#EXTM3U\nfile:///etc/passwd", headers=VIDEO),
    "/text.mp4": Page(b"hello", headers=VIDEO),
    "/empty.mp4": Page(b"", headers=VIDEO),
    "/locked.mp4": Page(b"", 403),
}


@pytest.fixture(scope="module")
def server():
    with web_server(PAGES) as (address, asked):
        yield address, asked


@pytest.mark.parametrize("name", ["/clip.mp4", "/no-length.mp4", "/moved"])
def test_what_comes_is_what_was_sent(server, tmp_path, name):
    told = []
    file = fetch(server[0] + name, tmp_path, lambda come, total: told.append((come, total)))
    assert file.parent == tmp_path and file.read_bytes() == CLIP
    assert told[-1] == (len(CLIP), None if "no-length" in name else len(CLIP))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/to-file", "leads to file://"),
        ("/to-ftp", "leads to ftp://"),
        ("/round", "redirections"),
        ("/cut.mp4", "cut off"),
        ("/page", "a web page"),
        ("/page.mp4", "a web page"),
        ("/list.m3u8", "a playlist"),
        ("/sly.mp4", "a playlist"),
        ("/text.mp4", "not a video"),
        ("/empty.mp4", "empty"),
        ("/nowhere.mp4", "404"),
        ("/locked.mp4", "403"),
    ],
)
def test_whatever_else_comes_is_one_line_and_leaves_no_file(server, tmp_path, name, said):
    with pytest.raises(VideoError) as told:
        fetch(server[0] + name + "?token=secret", tmp_path)
    line = str(told.value)
    assert said in line and line.startswith(server[0] + name) and "secret" not in line and "\n" not in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["/clip.mp4", "/no-length.mp4"])
def test_too_large_is_refused_by_its_length_or_on_the_way(server, tmp_path, name, monkeypatch):
    monkeypatch.setattr(limits, "FETCHED_BYTES", 10_000)
    with pytest.raises(VideoError, match=r"more than 1e-05 GB.*TIMEGROUND_SIZE_LIMIT"):
        fetch(server[0] + name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nobody_listening_is_one_line(tmp_path):
    with pytest.raises(VideoError, match="cannot be fetched"):
        fetch("http://127.0.0.1:9/a.mp4", tmp_path)
    assert shown("https://me:pw@host/a.mp4?key=1") == "https://host/a.mp4"
    assert not is_web("ftp://host/a.mp4") and is_web("HTTPS://host/a.mp4")


def fetched_folders() -> set[str]:
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith("timeground-fetched")}


def test_python_takes_an_address_and_the_file_goes_with_the_video(server):
    before = fetched_folders()
    video = as_video(server[0] + "/clip.mp4")
    assert video.duration_s == pytest.approx(21.1, abs=0.2) and len(fetched_folders() - before) == 1
    del video
    gc.collect()
    assert fetched_folders() == before
    with pytest.raises(VideoError, match="404"):
        Grounder(Says("1.0 - 2.0 seconds", Profile())).ground(server[0] + "/nowhere.mp4", "it rings")
    assert fetched_folders() == before


def test_the_command_line_takes_several_addresses_and_goes_on(server, capsys, monkeypatch):
    monkeypatch.setattr(opening, "open_model", lambda *_, **__: Says("1.0 - 2.0 seconds", Profile()))
    before = fetched_folders()
    good, bad = server[0] + "/clip.mp4", server[0] + "/nowhere.mp4"
    assert main(["ground", good, bad, good, "it rings", "--json"]) == 2
    out, error = capsys.readouterr()
    answers = [json.loads(line) for line in out.splitlines()]
    assert [a["video"] for a in answers] == [good, good] and answers[0]["answers"][0]["spans"] == [[1.0, 2.0]]
    assert f"{bad}: the server says 404" in error and "1 of 3 videos" in error
    assert main(["ground", good, "it rings"]) == 0 and "clip.mp4: 0.0 to 21.1 s" in capsys.readouterr().out
    assert fetched_folders() == before


def test_rows_and_conversations_fetch_nothing(server, tmp_path):
    count = len(server[1])
    with pytest.raises(UserError, match="is an address; rows name files"):
        resolve_video(tmp_path, server[0] + "/clip.mp4")
    with pytest.raises(VideoError, match="fetch it and give the file"):
        check_file(server[0] + "/clip.mp4")
    assert len(server[1]) == count


@pytest.mark.parametrize("name", ["rtsp://host/live", "udp://@239.0.0.1:1234", "0", "-", "/dev/null", "/dev/video0"])
def test_streams_and_cameras_are_refused_as_such(name):
    with pytest.raises(VideoError, match="webcams, pipes and streams are not read"):
        check_file(name)
