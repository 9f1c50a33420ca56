"""Starts and stops the page: its folder for uploads, its threads, its address."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from timeground.errors import OutputError, UserError
from timeground.files.scratch import scratch_folder
from timeground.files.whole_files import writing
from timeground.media.cut import cut

from .examples import shipped_folder
from .settings import DemoSettings
from .videos import Videos

log = logging.getLogger("timeground.demo")
UPLOADS_VARIABLE = "GRADIO_TEMP_DIR"
CUTS_AT_ONCE = 2


@dataclass(frozen=True)
class Server:
    """A page that is being served."""

    url: str
    share_url: str | None
    page: Any
    uploads: Path

    def wait(self) -> None:
        """Wait until interrupted."""
        while True:
            time.sleep(3600)


@contextmanager
def serve(settings: DemoSettings) -> Iterator[Server]:
    """Serve the page for the time of the ``with``. Everything uploaded is removed at its end.

    Raise UserError if the address cannot be taken.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported and at every start
    with scratch_folder("demo") as uploads, _served(settings, uploads) as server:
        yield server


@contextmanager
def _served(settings: DemoSettings, uploads: Path) -> Iterator[Server]:
    before = os.environ.get(UPLOADS_VARIABLE)
    os.environ[UPLOADS_VARIABLE] = str(uploads)
    from .handlers import Handlers
    from .page import build
    from .service import Service

    service, videos = Service(settings), Videos(uploads, settings)
    clips = Clips(videos, uploads)
    page = build(settings, Handlers(settings, videos, service), clips.cut_clip)
    clips.made = page.upload_file_set
    try:
        service.load_ahead()
        yield _launch(page, settings, uploads)
    finally:
        page.close(verbose=False)
        service.close()
        os.environ.pop(UPLOADS_VARIABLE) if before is None else os.environ.update({UPLOADS_VARIABLE: before})


def _launch(page: Any, settings: DemoSettings, uploads: Path) -> Server:
    from starlette.middleware import Middleware

    from .components import read_web, theme
    from .guard import OwnFilesOnly

    try:
        _, url, share_url = page.launch(
            server_name=settings.host,
            server_port=settings.port or None,
            share=settings.share,
            auth=settings.auth,
            max_file_size=f"{settings.max_upload_mb}mb",
            allowed_paths=[str(shipped_folder()), *([settings.library] if settings.library else [])],
            app_kwargs={"middleware": [Middleware(OwnFilesOnly)]},
            footer_links=["api"],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            mcp_server=False,
            prevent_thread_lock=True,
            quiet=True,
            css=read_web("page.css"),
            theme=theme(),
        )
    except OSError as error:
        raise UserError(
            f"{settings.host} port {settings.port} cannot be used ({error}); choose one with --port"
        ) from None
    return Server(url, share_url, page, uploads)


class Clips:
    """Cuts spans into files that the page may fetch. made: files that are removed when they are old."""

    def __init__(self, videos: Videos, uploads: Path) -> None:
        self.videos, self.folder = videos, uploads / "clips"
        self.folder.mkdir()
        self.made: set[str] = set()
        self._turn = threading.Semaphore(CUTS_AT_ONCE)

    def cut_clip(self, request: Any) -> dict[str, str]:
        """Return a clip's address, or what is wrong; the player's script calls it with [id, start, end]."""
        from .views import file_address

        try:
            video_id, start_s, end_s = request
            video = self.videos.known(str(video_id))
            start_s, end_s = (min(max(float(t), 0.0), video.duration_s) for t in (start_s, end_s))
            stem = re.sub(r"[^\w.-]+", "_", Path(video.name).stem)[:60]
            target = self.folder / uuid.uuid4().hex / f"{stem}_{start_s:.1f}-{end_s:.1f}.mp4"
            with self._turn, writing(target) as part:
                cut(video.path, start_s, end_s, part)
        except OutputError:
            log.exception("a clip cannot be written")
            return {"error": "the clip cannot be written: the server has no room for it; try again later"}
        except UserError as error:
            return {"error": self.videos.without_paths(str(error))}
        except (TypeError, ValueError):
            return {"error": "give a video's id and two times in seconds"}
        self.made.add(str(target))
        return {"src": file_address(target)}
