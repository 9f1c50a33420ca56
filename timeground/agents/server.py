"""A server of the Model Context Protocol: find a moment in a video or in all of them, ask, list what happens, cut.

Its tools read only what lies below the folders that it was started with. A model is loaded when it is first asked;
calls wait for each other, and a video that is asked about again is not read again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from timeground import __version__
from timeground.agents.replies import (
    Chosen,
    Cut,
    Event,
    FoundMoments,
    FoundPlaces,
    Listed,
    Moment,
    VideoFile,
    VideoFiles,
)
from timeground.agents.roots import VideoRoots
from timeground.errors import UserError
from timeground.files.whole_files import writing
from timeground.find.library import Library
from timeground.media.cut import cut
from timeground.methods.grounder import Grounder, Watched

Name = Annotated[str, Field(description="a video's name, as list_videos tells it")]
From = Annotated[float | None, Field(ge=0, description="look only from this second of the file on")]
To = Annotated[float | None, Field(gt=0, description="look only up to this second of the file")]

MOST_LISTED = 500
INSTRUCTIONS = (
    "Finds when something happens in videos. Names are those of list_videos; times are seconds of the file. Short "
    "windows (start_s, end_s) are read more closely than hours at once."
)


class Asker:
    """One model, asked by one call at a time; the last video is kept as it was read."""

    def __init__(self, load: Callable[[], Grounder], roots: VideoRoots) -> None:
        """Take what loads the model when it is first needed."""
        self.roots, self.lock, self._load = roots, threading.Lock(), load
        self._grounder: Grounder | None = None
        self._watched: tuple[tuple[Any, ...], Watched] | None = None
        self._library: Library | None = None

    @contextmanager
    def watching(self, name: str, start_s: float | None = None, end_s: float | None = None) -> Iterator[Watched]:
        """Give a video as the model has read it. A user's mistake is the tool's error."""
        with self.lock, told():
            path = self.roots.path(name)
            state = path.stat()
            key = (path, state.st_size, state.st_mtime_ns, start_s, end_s)
            if self._watched is None or self._watched[0] != key:
                self._grounder = self._grounder or self._load()
                self._watched = None
                self._watched = (key, self._grounder.watch(path, start_s=start_s, end_s=end_s))
            yield self._watched[1]

    @contextmanager
    def searching(self) -> Iterator[Library]:
        """Give all videos as a library; their indexes are kept in the user's cache folder."""
        with self.lock, told():
            self._grounder = self._grounder or self._load()
            self._library = self._library or Library.of(self.roots.readable, self._grounder)
            yield self._library


@contextmanager
def told() -> Iterator[None]:
    """Turn a user's mistake into an error that the agent can read."""
    try:
        yield
    except UserError as error:
        raise ToolError(str(error)) from error


def make_server(load: Callable[[], Grounder], roots: VideoRoots, clips: Path | None = None) -> MCPServer[Any]:
    """Return a server that asks the model that `load` gives. clips: where cut clips go; None: nothing is cut."""
    server: MCPServer[Any] = MCPServer("timeground", version=__version__, instructions=INSTRUCTIONS)
    asker = Asker(load, roots)

    @server.tool()
    def list_videos(part: Annotated[str, Field(description="a part of the name")] = "") -> VideoFiles:
        """List the videos that can be asked about."""
        names = roots.names(part)
        files = [VideoFile(name=name, size_mb=roots.size_mb(name)) for name in names[:MOST_LISTED]]
        return VideoFiles(videos=files, more=len(names) > MOST_LISTED)

    @server.tool()
    def find_moment(
        video: Name,
        query: Annotated[str, Field(description="what happens, as a plain sentence")],
        start_s: From = None,
        end_s: To = None,
    ) -> FoundMoments:
        """Find when something happens in a video."""
        with asker.watching(video, start_s, end_s) as watched:
            return FoundMoments.of(watched.ground([query])[0])

    @server.tool()
    def find(
        query: Annotated[str, Field(description="what happens, as a plain sentence")],
        top: Annotated[int, Field(ge=1, le=50, description="how many places are looked at closely")] = 5,
    ) -> FoundPlaces:
        """Find in which of all videos something happens, and when; the first time, which indexes them, takes longer."""
        with asker.searching() as library:
            return FoundPlaces.of(library.find(query, top))

    @server.tool()
    def ask(
        video: Name,
        question: str,
        options: Annotated[list[str], Field(min_length=2, max_length=10, description="the answers to choose from")],
        start_s: From = None,
        end_s: To = None,
    ) -> Chosen:
        """Answer a question about a video by choosing one of several options."""
        with asker.watching(video, start_s, end_s) as watched:
            return Chosen.of(watched.ask(question, options), options)

    @server.tool()
    def list_events(video: Name, start_s: From = None, end_s: To = None) -> Listed:
        """List what happens in a video, with its times."""
        with asker.watching(video, start_s, end_s) as watched:
            events = [Event(what=what, **Moment.of(span).model_dump()) for what, span in watched.events()]
            return Listed(events=events, model=watched.model.name, warning=watched.warning)

    if clips is not None:
        _add_cut(server, roots, clips)
    return server


def _add_cut(server: MCPServer[Any], roots: VideoRoots, clips: Path) -> None:
    @server.tool()
    def cut_clip(
        video: Name,
        start_s: Annotated[float, Field(ge=0)],
        end_s: Annotated[float, Field(gt=0)],
    ) -> Cut:
        """Write a span of a video into a clip of its own."""
        with told():
            if end_s <= start_s:
                raise UserError(f"the clip would end at {end_s:g} s, before it starts at {start_s:g} s")
            source = roots.path(video)
            target = clips / f"{source.stem}-{start_s:.2f}-{end_s:.2f}.mp4"
            with writing(target) as part:
                cut(source, start_s, end_s, part)
            return Cut(file=str(target), length_s=round(end_s - start_s, 3))
