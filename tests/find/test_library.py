"""A folder is indexed once and searched often; what is broken is listed, and the rest is answered."""

from __future__ import annotations

import shutil
from itertools import combinations
from pathlib import Path

import pytest

from timeground import Library
from timeground.errors import UserError
from timeground.find.library import FindResult
from timeground.find.outputs import cut_clips, when, write_page
from timeground.index.own_scorer import OwnScorer
from timeground.media.decode import probe
from timeground.methods.grounder import Grounder
from timeground.spans import Span, set_iou

QUERY = "the circle is on the screen"


@pytest.fixture
def library(folder: Path, grounder: Grounder, scorer: OwnScorer, tmp_path: Path) -> Library:
    return Library(folder, grounder, scorer=scorer, index_dir=tmp_path / "index")


def names(result: FindResult) -> list[str]:
    return [one.stretch.video for one in result.found]


def test_all_are_searched_and_the_broken_one_is_told(library: Library, folder: Path) -> None:
    shares: list[tuple[float, str]] = []
    result = library.find(QUERY, on_index=lambda *told: shares.append(told))
    assert set(result.broken) == {"broken.mp4"} and "\n" not in result.broken["broken.mp4"]
    assert set(names(result)) == {f"inner/{path.name}" for path in (folder / "inner").iterdir()}
    assert result.num_videos == 3 and [share for share, _ in shares] == sorted(share for share, _ in shares)
    assert shares[-1][0] == 1.0


def test_answers_are_those_of_the_grounder(library: Library, grounder: Grounder) -> None:
    result = library.find(QUERY)
    assert any(one.spans for one in result.found)
    for one in result.found:
        window = one.stretch.window
        limits = {"start_s": window.start_s, "end_s": window.end_s} if window else {}
        assert one.answer is not None and one.spans == grounder.ground(one.path, QUERY, **limits).spans
    seen = [bool(one.spans) for one in result.found]
    assert seen == sorted(seen, reverse=True)
    for one, other in combinations(result.found, 2):  # no moment is told twice
        assert one.stretch.video != other.stretch.video or set_iou(one.spans, other.spans) < 0.3


def test_the_order_is_that_of_the_scores(library: Library, scorer: OwnScorer) -> None:
    videos = library.index()
    ranks = library.rank(QUERY, 5, videos)
    assert [one.score for one in ranks] == sorted((one.score for one in ranks), reverse=True)
    for one in {one.video: one for one in reversed(ranks)}.values():  # the best one of each video
        index = library._index(videos[one.video])
        relevance = scorer.relevance([QUERY], index.features_PND)[0]
        window = one.window or Span(0.0, index.duration_s)
        inside = (index.times_s >= window.start_s) & (index.times_s < window.end_s)
        assert one.score == pytest.approx(float(relevance[inside].topk(2).values.mean()), abs=1e-5)


def test_only_what_is_new_is_indexed(library: Library, folder: Path, synth_folder: Path, tmp_path: Path) -> None:
    library.find(QUERY)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "index").iterdir()}
    assert len(files) == 3
    video = sorted((folder / "inner").iterdir())[0]
    shutil.copy(video, folder / "other.mp4")
    again = library.find(QUERY)
    now = {path: path.stat().st_mtime_ns for path in (tmp_path / "index").iterdir()}
    assert {path: now[path] for path in files} == files and len(now) == 4
    assert "other.mp4" in names(again)
    (folder / "other.mp4").unlink()
    assert "other.mp4" not in names(library.find(QUERY))


def test_top_is_how_many_are_looked_at(library: Library) -> None:
    looked: list[str] = []
    found = library.find(QUERY, top=2, on_look=lambda share, name: looked.append(name)).found
    assert len(looked) == 2 and 1 <= len(found) <= 2
    for query, top, said in (("  ", 3, "empty"), (QUERY, 0, "at least one")):
        with pytest.raises(UserError, match=said):
            library.find(query, top)


def test_a_folder_without_videos_is_one_line(tmp_path: Path, grounder: Grounder, scorer: OwnScorer) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="no such folder"):
        Library(tmp_path / "none", grounder, scorer=scorer)
    with pytest.raises(UserError, match="no videos in it"):
        Library(empty, grounder, scorer=scorer).find(QUERY)
    (empty / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(UserError, match="none of its 1 videos can be searched: ") as said:
        Library(empty, grounder, scorer=scorer, index_dir=tmp_path / "index").find(QUERY)
    assert "\n" not in str(said.value)


def test_a_model_without_a_head_ranks_by_yes_and_no(folder: Path, grounder: Grounder, tmp_path: Path) -> None:
    library = Library(folder, grounder, scorer="yes-no", index_dir=tmp_path / "index")
    result = library.find(QUERY, top=1)
    assert result.scorer == "tiny (yes or no)" and len(result.found) == 1


def test_clips_and_page_show_what_was_found(library: Library, tmp_path: Path) -> None:
    result = library.find(QUERY)
    clips = cut_clips(result, tmp_path / "clips")
    spans = [span for one in result.found for span in one.spans]
    assert len(clips) == len(spans) > 0
    for clip, span in zip(clips, spans, strict=True):
        assert probe(clip).duration_s == pytest.approx(span.length_s, abs=0.2)
    write_page(result, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert all(one.stretch.video in text and when(one) in text for one in result.found)
    assert "broken.mp4" in text and text.count("data:image/png") == len(result.found)
