"""The tools for agents, called by the SDK's own client."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from timeground.agents.roots import VideoRoots
from timeground.agents.server import make_server
from timeground.cli.main import main
from timeground.errors import UserError
from timeground.media.decode import probe
from timeground.methods.grounder import Grounder

TOOLS = {"list_videos", "find_moment", "find", "ask", "list_events"}


@pytest.fixture(scope="module")
def folder(synth_folder: Path) -> Path:
    return synth_folder / "videos"


@pytest.fixture(scope="module")
def grounder() -> Grounder:
    return Grounder.from_pretrained("tiny")


@pytest.fixture
def call(folder: Path, grounder: Grounder, tmp_path: Path) -> Callable[..., Any]:
    """A tool's reply, and whether it is an error."""
    server = make_server(lambda: grounder, VideoRoots([folder]), tmp_path / "clips")
    (tmp_path / "clips").mkdir()

    async def go(tool: str, arguments: dict[str, Any]) -> Any:
        async with Client(server) as client:
            return await client.call_tool(tool, arguments)

    def called(tool: str, **arguments: Any) -> Any:
        return anyio.run(partial(go, tool, arguments))

    return called


def reply(result: Any) -> dict[str, Any]:
    assert not result.is_error, result.content
    found: dict[str, Any] = result.structured_content
    return found


def error(result: Any) -> str:
    assert result.is_error
    return str(result.content[0].text)


def test_videos_are_listed_by_their_names(call: Callable[..., Any], folder: Path) -> None:
    listed = reply(call("list_videos"))
    names = sorted(path.name for path in folder.glob("*.mp4"))
    assert [video["name"] for video in listed["videos"]] == names and listed["more"] is False
    assert [video["name"] for video in reply(call("list_videos", part=names[1][-7:]))["videos"]] == [names[1]]


def test_it_says_what_python_says(call: Callable[..., Any], folder: Path, grounder: Grounder) -> None:
    video = sorted(folder.glob("*.mp4"))[0]
    watched = grounder.watch(video)
    (answer,) = watched.ground(["the circle is on the screen"])
    found = reply(call("find_moment", video=video.name, query="the circle is on the screen"))
    assert found["moments"] == [{"start_s": round(s.start_s, 3), "end_s": round(s.end_s, 3)} for s in answer.spans]
    assert found["said"] == answer.text and found["model"] == "tiny" and found["warning"] is None
    options = ["a ring", "a cross"]
    chosen = reply(call("ask", video=video.name, question="Which?", options=options))
    assert chosen["option"] == watched.ask("Which?", options).option
    assert sum(chosen["shares"].values()) == pytest.approx(1, abs=1e-3)
    listed = reply(call("list_events", video=video.name))
    assert [(e["what"], e["start_s"], e["end_s"]) for e in listed["events"]] == [
        (what, span.start_s, span.end_s) for what, span in watched.events()
    ]
    assert listed["events"] == sorted(listed["events"], key=lambda e: (e["start_s"], e["end_s"])) != []


def test_all_videos_are_searched(
    call: Callable[..., Any], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = reply(call("find", query="the circle is on the screen", top=2))
    names = {path.name for path in folder.glob("*.mp4")}
    assert found["num_videos"] == len(names) and 1 <= len(found["places"]) <= 2
    assert {place["video"] for place in found["places"]} <= names
    assert any(place["moments"] for place in found["places"]) and found["unreadable"] == []
    assert all(m["start_s"] < m["end_s"] for place in found["places"] for m in place["moments"])
    assert "query is empty" in error(call("find", query=" "))


def test_a_window_is_told_in_the_files_time(call: Callable[..., Any], folder: Path, grounder: Grounder) -> None:
    video = sorted(folder.glob("*.mp4"))[0]
    found = reply(call("find_moment", video=video.name, query="the circle moves left", start_s=2, end_s=6))
    said = grounder.ground(video, "the circle moves left", start_s=2, end_s=6)
    assert [m["start_s"] for m in found["moments"]] == [round(s.start_s, 3) for s in said.spans]


def test_a_clip_is_cut(call: Callable[..., Any], folder: Path) -> None:
    video = sorted(folder.glob("*.mp4"))[0].name
    made = reply(call("cut_clip", video=video, start_s=1.0, end_s=3.0))
    assert Path(made["file"]).parent.name == "clips"
    assert probe(Path(made["file"])).duration_s == pytest.approx(2.0, abs=0.15)
    assert "before it starts" in error(call("cut_clip", video=video, start_s=3.0, end_s=1.0))


@pytest.mark.parametrize("name", ["../secret.mp4", "/etc/passwd", "nothing.mp4", "a\0b.mp4", ""])
def test_nothing_outside_the_folders_is_read(call: Callable[..., Any], name: str) -> None:
    said = error(call("find_moment", video=name, query="x"))
    assert "Traceback" not in said and "\n" not in said


def test_links_out_and_lists_of_other_files_are_refused(tmp_path: Path, folder: Path) -> None:
    video = sorted(folder.glob("*.mp4"))[0]
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.mp4").symlink_to(video)
    (inside / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{video}\n#EXT-X-ENDLIST\n")
    roots = VideoRoots([inside])
    assert "link.mp4" not in roots.names()
    for name in ("link.mp4", "list.mp4"):
        with pytest.raises(UserError):
            roots.path(name)


@pytest.mark.parametrize(
    "arguments, what",
    [
        ({"query": "  "}, "query is empty"),
        ({"query": "x", "start_s": 500}, "window"),
        ({"query": "x", "start_s": -1}, "start_s"),
        ({}, "query"),
    ],
)
def test_mistakes_are_told_to_the_agent(
    call: Callable[..., Any], folder: Path, arguments: dict[str, Any], what: str
) -> None:
    assert what in error(call("find_moment", video=sorted(folder.glob("*.mp4"))[0].name, **arguments))


def test_without_a_folder_for_clips_nothing_is_cut(folder: Path, grounder: Grounder) -> None:
    async def names() -> set[str]:
        async with Client(make_server(lambda: grounder, VideoRoots([folder]))) as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    assert anyio.run(names) == TOOLS


@pytest.mark.parametrize("arguments", [[], ["--root", "no/such/folder"], ["--root", ".", "--method", "guess"]])
def test_the_command_says_what_is_wrong(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mcp", *arguments]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.long
def test_a_client_starts_the_command(folder: Path) -> None:
    """Over standard input and output, where nothing else may be printed."""

    async def go() -> Any:
        server = StdioServerParameters(
            command=sys.executable, args=["-m", "timeground", "mcp", "--root", str(folder)], env={"HF_HUB_OFFLINE": "1"}
        )
        async with Client(stdio_client(server)) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            video = sorted(folder.glob("*.mp4"))[0].name
            return tools, await client.call_tool("find_moment", {"video": video, "query": "the circle is visible"})

    tools, result = anyio.run(go)
    assert tools == TOOLS and reply(result)["model"] == "tiny"
