"""The truth and the figures of the benchmark of many videos."""

from __future__ import annotations

from benchmarks.find_videos import SPLIT, Query, chance, hits, queries
from timeground.synth.frames import scene_seed
from timeground.synth.rows import make_rows
from timeground.synth.world import sample_scene


def test_every_clip_in_which_it_happens_is_right() -> None:
    """What a clip's own row says is true counts, and what its absent rows deny does not."""
    asked = queries(12, 12, 5)
    right = {query.text: query.right for query in asked}
    assert len(asked) == 12 and all(query.right for query in asked)
    for number in range(12):
        name = f"{SPLIT}-5-{number:05d}.mp4"
        for row in make_rows(sample_scene(scene_seed(SPLIT, 5, number), unseen=True), name):
            if row.task == "ground" and row.meta["kind"] in ("single", "multi", "absent") and row.query in right:
                assert (name in right[row.query]) == bool(row.spans)


def test_hits_and_chance() -> None:
    asked = [Query("a", frozenset({"x"})), Query("b", frozenset({"y", "z"}))]
    names = [f"n{n}" for n in range(6)]
    order = [["x", *names], [*names, "y", "z"]]
    assert hits(asked, order) == 0.5 and hits(asked, order, 7) == 1.0
    assert chance(asked[:1], 10) == 0.5
    assert len(queries(3, 2, 5)) == 2 and queries(3, 4, 5) == queries(3, 4, 5)
