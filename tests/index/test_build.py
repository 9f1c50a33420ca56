"""An index is made once, goes on where it was, and is made anew where what it was made of is another."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from timeground.errors import UserError, VideoError
from timeground.index import build
from timeground.index.build import PART_S, index_of, parts, thinned
from timeground.index.own_scorer import OwnScorer
from timeground.index.store import BESIDE, FOLDER, IndexStore, Made, read_tensors, write_tensors
from timeground.media.clip import Clip
from timeground.media.video import Video
from timeground.models.local.model import LocalModel
from timeground.synth.files import dataset_videos


@pytest.fixture(scope="module")
def scorer(headed: LocalModel) -> OwnScorer:
    return OwnScorer(headed)


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of several windows."""
    return next(dataset_videos(tmp_path_factory.mktemp("longer"), 1, seed=2, split="test", duration_s=100.0))


class Counting:
    """A scorer that counts the windows it is shown, and can be stopped at one."""

    def __init__(self, scorer: OwnScorer, stop_at: int | None = None) -> None:
        self.scorer, self.calls, self.stop_at = scorer, 0, stop_at
        self.name, self.contents = scorer.name, scorer.contents
        self.sampling, self.frames_each, self.relevance = scorer.sampling, scorer.frames_each, scorer.relevance

    def features(self, clip: Clip) -> torch.Tensor:
        if self.calls == self.stop_at:
            raise KeyboardInterrupt
        self.calls += 1
        return self.scorer.features(clip)


def only_file(folder: Path) -> Path:
    (found,) = [path for path in folder.rglob("*") if path.is_file()]
    return found


def quiet(text: str) -> None:
    raise AssertionError(text)


def test_it_is_made_once_and_read_again(video: Path, scorer: OwnScorer, tmp_path: Path) -> None:
    store, counting = IndexStore(tmp_path / "index"), Counting(scorer)
    shares: list[float] = []
    made = index_of(video, counting, store, on_progress=shares.append, say=quiet)
    calls = counting.calls
    again = index_of(video, counting, store, say=quiet)
    assert counting.calls == calls > 0 and shares[-1] == 1.0
    assert torch.equal(made.features_PND, again.features_PND) and torch.equal(made.times_s, again.times_s)
    assert made.borders_s == again.borders_s and made.duration_s == again.duration_s == Video(video).duration_s
    assert (made.times_s.diff() > 0).all() and len(made.times_s) == len(made.features_PND)
    assert all(0 < border < made.duration_s for border in made.borders_s)


def test_a_run_that_was_stopped_goes_on_and_gives_the_same_bytes(
    longer: Path, scorer: OwnScorer, tmp_path: Path
) -> None:
    undisturbed, stopped = IndexStore(tmp_path / "one"), IndexStore(tmp_path / "other")
    index_of(longer, scorer, undisturbed)
    first = Counting(scorer, stop_at=2)
    with pytest.raises(KeyboardInterrupt):
        index_of(longer, first, stopped)
    second = Counting(scorer)
    index_of(longer, second, stopped)
    assert first.calls + second.calls == len(parts(100.0)) == 3
    assert only_file(tmp_path / "one").read_bytes() == only_file(tmp_path / "other").read_bytes()


@pytest.mark.long
def test_a_run_that_was_killed_goes_on(longer: Path, head_folder: str, scorer: OwnScorer, tmp_path: Path) -> None:
    program = (
        "import sys; from timeground.index.build import index_of; from timeground.index.own_scorer import OwnScorer\n"
        "from timeground.index.store import IndexStore; from timeground.models.local.model import LocalModel\n"
        "scorer = OwnScorer(LocalModel.from_pretrained(sys.argv[2]))\n"
        "index_of(sys.argv[1], scorer, IndexStore(sys.argv[3]))\n"
    )
    folder = tmp_path / "killed"
    running = subprocess.Popen([sys.executable, "-c", program, str(longer), head_folder, str(folder)])
    while not list(folder.glob("*.parts/*.safetensors")):
        assert running.poll() is None
        time.sleep(0.02)
    running.kill()
    running.wait()
    kept = len(list(folder.glob("*.parts/*.safetensors")))
    counting = Counting(scorer)
    index_of(longer, counting, IndexStore(folder))
    assert counting.calls == 3 - kept < 3
    index_of(longer, scorer, IndexStore(tmp_path / "whole"))
    assert only_file(folder).read_bytes() == only_file(tmp_path / "whole").read_bytes()


def test_an_index_of_another_model_is_made_anew_and_that_is_said(
    video: Path, scorer: OwnScorer, headed: LocalModel, tmp_path: Path
) -> None:
    store, said = IndexStore(tmp_path / "index"), list[str]()
    index_of(video, OwnScorer(headed, 0.5), store, say=said.append)
    assert not said
    found = index_of(video, scorer, store, say=said.append)
    assert (
        found.made.contents == scorer.contents and len(said) == 1 and "with other settings; it is made anew" in said[0]
    )
    file = only_file(tmp_path / "index")
    tensors, header = read_tensors(file)
    write_tensors(file, tensors, header | {"made": header["made"] | {"version": 0}})
    index_of(video, scorer, store, say=said.append)
    assert "by another version of timeground (format 0, now 1)" in said[1]
    file.write_bytes(b"damaged")
    index_of(video, scorer, store, say=said.append)
    assert "cannot be read" in said[2] and "\n" not in "".join(said)


def test_a_video_that_moves_keeps_its_index_and_one_that_changes_does_not(
    video: Path, scorer: OwnScorer, tmp_path: Path, synth_folder: Path
) -> None:
    store, counting = IndexStore(tmp_path / "index"), Counting(scorer)
    index_of(video, counting, store)
    moved = video.rename(video.with_name("moved.mp4"))
    calls = counting.calls
    index_of(moved, counting, store)
    assert counting.calls == calls
    shutil.copy(sorted((synth_folder / "videos").glob("*.mp4"))[1], moved)
    index_of(moved, counting, store)
    assert counting.calls > calls


def test_it_can_lie_beside_the_video(video: Path, scorer: OwnScorer) -> None:
    index_of(video, scorer, IndexStore(BESIDE))
    assert only_file(video.parent / FOLDER).suffix == ".safetensors"


def changing(video: Path, scorer: OwnScorer, change: Callable[[], object]) -> Counting:
    """A scorer during whose work a video changes."""
    counting = Counting(scorer)
    features = counting.features

    def then_changed(clip: Clip) -> torch.Tensor:
        change()
        return features(clip)

    counting.features = then_changed  # type: ignore[method-assign]
    return counting


def test_a_video_that_changes_meanwhile_is_one_line(longer: Path, scorer: OwnScorer, tmp_path: Path) -> None:
    for change in (lambda path: os.utime(path, (1, 1)), lambda path: path.write_bytes(path.read_bytes()[:9000])):
        video, store = tmp_path / "changing.mp4", IndexStore(tmp_path / "index")
        shutil.copy(longer, video)
        with pytest.raises(VideoError, match="changed while it was indexed") as said:
            index_of(video, changing(video, scorer, lambda: change(video)), store)  # noqa: B023
        assert "\n" not in str(said.value)
        assert not list((tmp_path / "index").rglob("*.safetensors"))


def test_what_cannot_be_read_leaves_nothing(scorer: OwnScorer, tmp_path: Path) -> None:
    broken, store = tmp_path / "broken.mp4", IndexStore(tmp_path / "index")
    broken.write_bytes(b"no video at all" * 100)
    for path in (broken, tmp_path / "missing.mp4"):
        with pytest.raises(VideoError):
            index_of(path, scorer, store)
    assert not list((tmp_path / "index").rglob("*"))


def test_two_runs_do_not_make_the_same_index(video: Path, scorer: OwnScorer, tmp_path: Path) -> None:
    from timeground.files.folder_lock import only_run

    store = IndexStore(tmp_path / "index")
    with (
        only_run(store.file(video, Made.of(video, scorer)).with_suffix(".parts")),
        pytest.raises(UserError, match="another run"),
    ):
        index_of(video, scorer, store)


@pytest.mark.parametrize("duration_s", [0.5, PART_S, PART_S + 0.1, 1.6 * PART_S, 3600.0])
def test_windows_cover_all_of_a_video(duration_s: float) -> None:
    found = parts(duration_s)
    assert found[0].start_s == 0 and found[-1].end_s == duration_s
    assert all(a.end_s == b.start_s for a, b in pairwise(found))
    assert {one.length_s for one in found[:-1]} <= {PART_S} and found[-1].length_s <= 1.5 * PART_S


def test_frames_are_those_that_the_scorer_would_have_read(longer: Path, scorer: OwnScorer) -> None:
    """Of the finer reading the nearest are taken, and their size is the same."""
    video = Video(longer)
    read = video.clip(10.0, 40.0, scorer.sampling)
    taken = thinned(Video(longer).clip(10.0, 40.0, build.fine(scorer.sampling)), scorer.sampling)
    assert taken.frames.shape == read.frames.shape
    assert (taken.frame_times_s - read.frame_times_s).abs().max() <= 0.2
