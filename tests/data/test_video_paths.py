"""Videos where benchmarks put them: other endings, VidOR's folders, links of the Hub's cache."""

from __future__ import annotations

import json

import pytest

from timeground.data.video_paths import resolve_video
from timeground.errors import UserError


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path.resolve()


@pytest.mark.parametrize("ending", [".webm", ".mkv", ".mp4", ".avi"])
def test_activitynet_comes_with_several_endings(tmp_path, ending):
    there = put(tmp_path / f"v_a.b{ending}")
    assert resolve_video(tmp_path, "v_a.b.mp4") == there
    assert resolve_video(tmp_path, "v_c.mp4") == tmp_path.resolve() / "v_c.mp4"  # not there: under its own name


def test_the_named_file_counts_first_and_folders_keep_their_names(tmp_path):
    put(tmp_path / "v.webm")
    named = put(tmp_path / "v.mp4")
    assert resolve_video(tmp_path, "v.mp4") == named
    put(tmp_path / "frames.mp4")
    assert not resolve_video(tmp_path, "frames").exists()


@pytest.mark.parametrize("place", ["videos", "."])
def test_vidor_folders_by_the_map(tmp_path, place):
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / "map_vid_vidorID.json").write_text(json.dumps({"861": "1200/861", "9": "../9", "8": "/etc/8"}))
    there = put(tmp_path / "videos" / "1200" / "861.mp4")
    assert resolve_video(tmp_path / "videos", "861.mp4") == there
    flat = put(tmp_path / "videos" / "861.mp4")
    assert resolve_video(tmp_path / "videos", "861.mp4") == flat
    put(tmp_path / "9.mp4")
    for outside in ("9.mp4", "8.mp4"):
        assert not resolve_video(tmp_path / "videos", outside).exists()


def test_a_broken_map_is_named(tmp_path):
    (tmp_path / "map_vid_vidorID.json").write_text("[1]")
    with pytest.raises(UserError, match=r"map_vid_vidorID\.json: not a map"):
        resolve_video(tmp_path, "861.mp4")


def test_links_of_a_hub_cache_snapshot(tmp_path):
    repo = tmp_path / "datasets--org--bench"
    blob = put(repo / "blobs" / "abc")
    snapshot = repo / "snapshots" / "rev1"
    (snapshot / "videos").mkdir(parents=True)
    (snapshot / "videos" / "v.mp4").symlink_to("../../../blobs/abc")
    for root, name in ((snapshot, "videos/v.mp4"), (snapshot / "videos", "v.mp4")):
        found = resolve_video(root, name)
        assert found.name == "v.mp4" and found.resolve() == blob  # with its ending
    secret = put(tmp_path / "secret")
    (snapshot / "videos" / "out.mp4").symlink_to(secret)
    with pytest.raises(UserError, match="is a link out of"):
        resolve_video(snapshot, "videos/out.mp4")


def test_links_out_are_followed_only_when_asked(tmp_path):
    secret = put(tmp_path / "elsewhere" / "blob")
    root = tmp_path / "root"
    root.mkdir()
    (root / "v.mp4").symlink_to(secret)
    with pytest.raises(UserError, match="--follow-links"):
        resolve_video(root, "v.mp4")
    assert resolve_video(root, "v.mp4", follow_links=True).resolve() == secret
    with pytest.raises(UserError, match="leaves the video root"):
        resolve_video(root, "../elsewhere/blob", follow_links=True)
