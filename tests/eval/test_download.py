"""Annotations come from a real HTTP server into a task's folder, or one line says where to get them."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
import yaml
from timeground.eval import download as downloading
from timeground.eval.download import TABLE, download
from timeground.eval.tasks import load_task, read_specs

from tests.support.web_server import Page, web_server
from timeground.cli.main import main
from timeground.data.formats import READERS, splits_of

SPECS = read_specs()
BENCH = {"v": {"duration": 20.0, "spans": [[1.0, 2.0]], "queries": ["a man sits."]}}


def archive(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        info = tarfile.TarInfo(name)
        info.size = 5
        tar.addfile(info, io.BytesIO(b"video"))
    return out.getvalue()


GOOD, BAD = archive("charades/v.mp4"), archive("../../evil.mp4")
HUB, TREE = "/datasets/TencentARC/TimeLens-Bench/resolve/main", "/api/datasets/TencentARC/TimeLens-Bench/tree/main"


def tree(split: str, data: bytes) -> Page:
    entry = {"type": "file", "path": f"video_shards/{split}/a.tar.gz", "size": len(data), "oid": "0"}
    return Page(json.dumps([entry]).encode(), headers={"Content-Type": "application/json"})


PAGES = {
    "/microsoft/2D-TAN/HEAD/data/Charades-STA/charades_sta_test.txt": Page(b"V 1.0 2.0##a man sits\n"),
    "/microsoft/2D-TAN/HEAD/data/Charades-STA/Charades_v1_test.csv": Page(b"id,length\nV,30.0\n"),
    "/microsoft/2D-TAN/HEAD/data/TACoS/test.json": Page(b"{}", length=999),
    "/doc-doc/NExT-QA/HEAD/dataset/nextqa/test.csv": Page(b"<html>", headers={"Content-Type": "text/html"}),
    f"{HUB}/charades-timelens.json": Page(json.dumps(BENCH).encode()),
    f"{HUB}/activitynet-timelens.json": Page(json.dumps(BENCH).encode()),
    f"{TREE}/video_shards/charades": tree("charades", GOOD),
    f"{TREE}/video_shards/activitynet": tree("activitynet", BAD),
    f"{HUB}/video_shards/charades/a.tar.gz": Page(GOOD),
    f"{HUB}/video_shards/activitynet/a.tar.gz": Page(BAD),
}


@pytest.fixture
def server(monkeypatch):
    from huggingface_hub import constants

    with web_server(PAGES) as (address, asked):
        monkeypatch.setattr(downloading, "GITHUB", address)
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield asked


def test_annotations_come_and_can_be_read_and_are_not_fetched_twice(server, tmp_path, capsys):
    assert main(["eval", "--download", "charades", "--data", str(tmp_path)]) == 0
    assert "videos: not published as files" in capsys.readouterr().out
    task = load_task(SPECS["charades"], data=tmp_path)
    assert [row.query for row in task.rows] == ["a man sits"]
    count = len(server)
    assert "there already" in download(SPECS["charades"], tmp_path)[0] and len(server) == count


def test_videos_only_if_asked_and_their_size_first(server, tmp_path):
    said = download(SPECS["charades-timelens"], tmp_path)
    assert f"videos: {len(GOOD)} bytes in 1 archives; --with-videos" in said[-1]
    assert not any(path.endswith("tar.gz") for path in server)
    download(SPECS["charades-timelens"], tmp_path, with_videos=True)
    task = load_task(SPECS["charades-timelens"], data=tmp_path)
    assert (task.video_root / task.rows[0].video).read_bytes() == b"video"


def test_an_archive_that_leaves_its_folder_is_refused(server, tmp_path, capsys):
    words = ["eval", "--download", "activitynet-timelens", "--data", str(tmp_path / "data"), "--with-videos"]
    assert main(words) == 2 and "cannot be fetched or unpacked" in capsys.readouterr().err
    assert not list(tmp_path.rglob("evil.mp4"))


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("tacos", "cannot be fetched"),
        ("nextqa", "a web page came"),
        ("qvhighlights", "404"),
        ("longvideobench", "huggingface.co/datasets/longvideobench"),
        ("synth", "timeground synth"),
    ],
)
def test_what_does_not_come_is_a_line_that_says_where_from(server, tmp_path, capsys, task, said):
    assert main(["eval", "--download", task, "--data", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert said in error and "get " in error and error.count("\n") == 1, error
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_every_entry_of_the_table_is_a_tasks_and_every_task_is_told_of():
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    for reader, splits in table.items():
        assert reader in READERS
        for split, files in splits.items():
            assert split == "archives" or split in splits_of(reader)
            for address in [files] if split == "archives" else files.values():
                assert address.startswith(("github:", "hub:")) and address.count("/") >= 2
    assert all(downloading._said_where(spec) for spec in SPECS.values())
