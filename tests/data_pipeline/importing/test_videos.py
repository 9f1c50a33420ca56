"""Videos are found by path, name and stem, and never outside of their folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from timeground.data_pipeline.importing.videos import VideoIndex

from timeground.errors import UserError


@pytest.fixture
def index(tmp_path: Path) -> VideoIndex:
    for name in (
        "a.mp4",
        "b/a.mp4",
        "b/v.one.webm",
        "c/only.mkv",
        "c/x.mp4",
        "c/x.webm",
        "pictures/0.png",
        ".hidden/h.mp4",
    ):
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (tmp_path / "secret.mp4").write_bytes(b"x")
    (tmp_path / "root" / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    return VideoIndex(tmp_path / "root")


@pytest.mark.parametrize(
    ("name", "video"),
    [
        ("a.mp4", "a.mp4"),
        ("b/a.mp4", "b/a.mp4"),
        ("./b/a.mp4", "b/a.mp4"),
        ("/data/b/a.mp4", "b/a.mp4"),
        ("C:\\videos\\b\\a.mp4", "b/a.mp4"),
        ("b/a", "b/a.mp4"),
        ("b/a.mkv", "b/a.mp4"),
        ("only", "c/only.mkv"),
        ("only.mp4", "c/only.mkv"),
        ("v.one", "b/v.one.webm"),
        ("../../c/only.mkv", "c/only.mkv"),
        ("x.webm", "c/x.webm"),
        ("file:///home/me/my%20clips/only.mkv", "c/only.mkv"),
        ("https://host/c/only.mkv?token=1", "c/only.mkv"),
        ("/data/local-files/?d=c/only.mkv", "c/only.mkv"),
        ("/data/upload/3/0a1b2c3d-only.mkv", "c/only.mkv"),
        ("pictures", "pictures"),
    ],
)
def test_found(index, name, video):
    assert index.find([name]) == video


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x", "may be c/x.mp4, c/x.webm"),
        ("z/a.mp4", "may be a.mp4, b/a.mp4"),
        ("none.mp4", "is not below"),
        ("../secret.mp4", "is not below"),
        ("link.mp4", "is a link out"),
        ("h.mp4", "is not below"),
        ("..", "is not below"),
        ("", "is not below"),
        ("a\0.mp4/..", "may be"),
        ("/etc/passwd", "is not below"),
    ],
)
def test_not_found(index, name, said):
    with pytest.raises(UserError) as error:
        index.find([name])
    assert said in str(error.value)


def test_the_first_name_that_is_there(index):
    assert index.find(["none", "only.en", "only"]) == "c/only.mkv"


def test_links_are_followed_when_that_is_asked(index):
    assert VideoIndex(index.root, follow_links=True).find(["link"]) == "link.mp4"
    with pytest.raises(UserError, match="not a folder"):
        VideoIndex(index.root / "a.mp4")
