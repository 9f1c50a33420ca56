"""``timeground eval --download TASK``: annotations from where they are published; videos only if asked, size first."""

from __future__ import annotations

import importlib
import shutil
import tarfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NoReturn

import httpx

from timeground.cli.recipes import load_yaml
from timeground.errors import UserError
from timeground.files.whole_files import make_folder, writing
from timeground.progress import Bars, size

from .task_spec import TaskSpec

GITHUB = "https://raw.githubusercontent.com"
TABLE = Path(__file__).parent / "downloads.yaml"
MOST_BYTES = 1_000_000_000
"""Of a file of annotations."""
TIMEOUT = httpx.Timeout(30.0, connect=10.0)


def download(spec: TaskSpec, data: Path, with_videos: bool = False) -> list[str]:
    """Fetch a task's annotations into its folder below `data`, and return a line for each thing done or left to do.

    with_videos: its videos too, where they are published as archives. Raise UserError, which says where to get it, for
    what cannot be fetched.
    """
    known = load_yaml(TABLE.read_text(encoding="utf-8")).get(spec.reader, {})
    where = _said_where(spec)
    if spec.split not in known:
        raise UserError(f"task {spec.name}: its annotations cannot be fetched from here; get them: {where}")
    folder = data / spec.folder
    lines = [_fetch_one(spec.name, address, folder / name, where) for name, address in known[spec.split].items()]
    videos = folder / spec.videos
    if "archives" not in known:
        return [*lines, f"videos: not published as files that can be fetched here; put them into {videos}/: {where}"]
    try:
        archives = _archives(known["archives"].format(split=spec.split), where)
    except UserError as error:
        if with_videos:
            raise
        return [*lines, f"videos: {error}"]
    total = sum(num_bytes for _, num_bytes in archives)
    if not with_videos:
        return [*lines, f"videos: {size(total)} in {len(archives)} archives; --with-videos fetches them into {videos}/"]
    return [*lines, _fetch_archives(archives, total, videos, where)]


def _said_where(spec: TaskSpec) -> str:
    """Return where a reader says that its files are."""
    if spec.reader.endswith(".py"):
        return "as its reader says"
    module = importlib.import_module(f"timeground.data.formats.{spec.reader}")
    return str(getattr(module, "DOWNLOAD", "where your rows are, or render them: timeground synth"))


def _url(address: str) -> str:
    """Return the URL of an entry of the table."""
    kind, _, rest = address.partition(":")
    owner, name, path = rest.split("/", 2)
    if kind == "github":
        return f"{GITHUB}/{owner}/{name}/HEAD/{path}"
    from huggingface_hub import constants

    return f"{constants.ENDPOINT}/datasets/{owner}/{name}/resolve/main/{path}"


def _fetch_one(task: str, address: str, file: Path, where: str) -> str:
    """Fetch a file, if it is not there yet, and return what was done."""
    if file.is_file():
        return f"{file}: there already"
    url = _url(address)
    try:
        with _asked(address) as answer:
            if answer.status_code != 200:
                _refuse(url, f"the server says {answer.status_code}", where)
            if answer.headers.get("content-type", "").startswith("text/html"):
                _refuse(url, "a web page came, no file", where)
            with writing(file) as part, part.open("wb") as out:
                come = 0
                for piece in answer.iter_bytes(1 << 20):
                    come += len(piece)
                    if come > MOST_BYTES:
                        _refuse(url, f"more than {size(MOST_BYTES)}, which no annotations have", where)
                    out.write(piece)
    except httpx.HTTPError as error:
        _refuse(url, f"cannot be fetched ({str(error).splitlines()[0] if str(error) else type(error).__name__})", where)
    return f"{file}: {size(file.stat().st_size)} from {url}"


def _asked(address: str) -> AbstractContextManager[httpx.Response]:
    """Return the answer to an entry of the table, to be read piece by piece; the Hub is told who is logged in."""
    headers = {}
    if address.startswith("hub:"):
        from huggingface_hub import get_token

        headers = {"Authorization": f"Bearer {token}"} if (token := get_token()) else {}
    return httpx.stream("GET", _url(address), follow_redirects=True, timeout=TIMEOUT, headers=headers)


def _archives(address: str, where: str) -> list[tuple[str, int]]:
    """Return the address of each archive in a folder of a data set, and its bytes."""
    from huggingface_hub import HfApi, constants

    owner, name, path = address.removeprefix("hub:").split("/", 2)
    try:
        tree: list[Any] = list(
            HfApi(endpoint=constants.ENDPOINT).list_repo_tree(f"{owner}/{name}", path, repo_type="dataset")
        )
    except Exception as error:  # of the network or the Hub
        _refuse(f"{constants.ENDPOINT}/datasets/{owner}/{name}", f"cannot be listed ({str(error)[:120]})", where)
    return [(f"hub:{owner}/{name}/{one.path}", one.size) for one in tree if one.path.endswith((".tar.gz", ".tar"))]


def _fetch_archives(archives: list[tuple[str, int]], total: int, videos: Path, where: str) -> str:
    """Fetch archives one by one, and unpack each."""
    make_folder(videos)
    largest = max((num_bytes for _, num_bytes in archives), default=0)
    if total + largest > (free := shutil.disk_usage(videos).free):
        raise UserError(f"{videos}: {size(total + largest)} are needed, and {size(free)} are free; make room there")
    with Bars() as bars:
        bar = bars.add("fetching", total, "B")
        for address, _ in archives:
            part = videos / f".{address.rpartition('/')[2]}.part"
            try:
                with _asked(address) as answer, part.open("wb") as out:
                    if answer.status_code != 200:
                        _refuse(_url(address), f"the server says {answer.status_code}", where)
                    for piece in answer.iter_bytes(1 << 20):
                        out.write(piece)
                        bars.advance(bar, len(piece))
                with tarfile.open(part) as archive:
                    archive.extractall(videos, filter="data")  # nothing leaves the folder
            except (httpx.HTTPError, tarfile.TarError, EOFError) as error:
                _refuse(address, f"cannot be fetched or unpacked ({error})", where)
            finally:
                part.unlink(missing_ok=True)
    return f"{videos}: {size(total)} of videos"


def _refuse(what: str, why: str, where: str) -> NoReturn:
    raise UserError(f"{what}: {why}; get it yourself: {where}")
