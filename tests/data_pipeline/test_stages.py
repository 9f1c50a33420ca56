"""What each stage does to rows, without a model where none is needed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from timeground.data_pipeline.asking import Asked, Seen
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.settings import ModelSettings
from timeground.data_pipeline.stages.agree import Agree, agreement
from timeground.data_pipeline.stages.audit_checks import leak, similarity, unclear, without_leak
from timeground.data_pipeline.stages.direction import by_rule, read_answer
from timeground.data_pipeline.stages.export import Export
from timeground.data_pipeline.stages.probe import Probe
from timeground.data_pipeline.stages.propose import Propose
from timeground.data_pipeline.stages.refine import Refine, joined
from timeground.data_pipeline.stages.samples import Samples
from timeground.data_pipeline.stages.select import Select
from timeground.data_pipeline.stages.shots import segments
from timeground.data_pipeline.tools import Tools

from tests.data_pipeline.conftest import make_row, passes
from timeground.chat.layout import TextSegment, encode_time
from timeground.chat.parts import Message
from timeground.chat.trajectory import Turn
from timeground.data.clip_shards import read_clip, read_index
from timeground.data.formats import read
from timeground.data.rows import Row, read_rows
from timeground.errors import UserError
from timeground.spans import Span
from timeground.synth.language import PHRASES, is_time_sensitive, sentence


@pytest.mark.parametrize(
    "query",
    [
        "at the beginning of the video, a man sits down",
        "a man sits down at the end of the video",
        "a man sits down in the first 10 seconds",
        "a dog barks at 0:05",
        "a dog runs between 3 and 5 seconds",
        "halfway through the video a cat jumps",
        "a woman waves near the end of the clip",
        "a man enters at 12.5 seconds",
    ],
)
def test_leaked_positions_are_found_and_taken_out(query):
    assert leak(query)
    rest = without_leak(query)
    assert rest is not None and leak(rest) is None and len(rest) < len(query)


@pytest.mark.parametrize(
    "query",
    [
        "the first time the red circle moves left",
        "a man walks to the end of the pier",
        "before the ball appears, the star turns",
        "she stands at the start line",
        "he waits for two minutes",
        "a man opens the second drawer",
    ],
)
def test_order_of_events_and_places_are_no_leak(query):
    assert leak(query) is None and unclear(query, 60) is None


def test_what_says_nothing_is_unclear():
    assert unclear("something happens", 60) and unclear("man", 60) and unclear("word " * 70, 60)


def test_similar_sentences():
    assert similarity("The red circle is visible.", "the red circle can be seen") >= 0.4
    assert similarity("a man sits", "a man sits") == 1.0
    assert similarity("a man sits", "the dog runs") == 0.0


def test_the_rule_of_direction_is_right_wherever_it_is_sure():
    sure = 0
    for action, phrases in PHRASES.items():
        for phrasing in range(len(phrases)):
            for order in ("", "first", "after_coming"):
                said = by_rule(sentence(action, phrasing, "red circle", "blue star", order, "green ring"))
                wanted = "sensitive" if is_time_sensitive(action, order) else "insensitive"
                assert said in (wanted, "unknown"), (action, phrasing, order)
                sure += said == wanted
    assert sure > 60
    assert by_rule("a man opens the door") == "sensitive" and by_rule("a dog is lying on the floor") == "insensitive"
    assert by_rule("a man dances and leaves") == "unknown" and by_rule("people talk") == "unknown"


def test_only_strict_json_is_an_answer():
    assert read_answer('{"reason": "he falls", "sensitive": true}') == ("sensitive", "he falls")
    assert read_answer('```json\n{"reason": "", "sensitive": false}\n```')[0] == "insensitive"
    for text in ("sensitive", '{"sensitive": "yes"}', "[]", "", "{" * 5000, '{"sensitive": true} I think'):
        assert read_answer(text)[0] == "unknown"


def test_the_medoid_is_the_answer_in_the_middle():
    found = agreement(passes([[2, 6]], [[2, 5]], [[10, 12]]))
    assert found["spans"] in ([[2.0, 6.0]], [[2.0, 5.0]]) and found["iou"] == pytest.approx(0.375)
    assert agreement(passes([], [], []))["iou"] == 1.0 and agreement(passes([], [[1, 2]]))["absent"] == 0.5
    assert agreement(passes(None, None))["spans"] is None and agreement(passes([[1, 2]], None))["iou"] == 0.0


def test_new_rows_take_the_medoid_and_old_rows_keep_their_spans(tools):
    new, apart, old = make_row("a", meta={"rough": True}), make_row("b", meta={"rough": True}), make_row("c")
    for row, answers in ((new, [[[5, 8]], [[5, 8]]]), (apart, [[[5, 8]], [[10, 12]]]), (old, [[[5, 8]], [[5, 8]]])):
        row.quality["passes"] = passes(*answers)
    item = Item("v.mp4", [new, apart, old])
    Agree().run(item, tools)
    assert [row.id for row in item.rows] == ["a", "c"] and new.spans == [Span(5, 8)] and old.spans == [Span(2, 4)]
    assert new.history[-1]["stage"] == "agree" and item.rejected[0]["class"] == "apart"


def test_segments_have_the_length_asked_for():
    found = segments([0, 5, 12, 30, 200], 20, 60)
    assert found[0] == [0, 30] and all(20 <= end - start <= 60 for start, end in found) and found[-1][1] == 200


def test_spans_close_together_are_joined():
    assert joined([Span(5, 6), Span(1, 2), Span(2.5, 4)], 1.0) == [Span(1, 6)]


def test_probe_filters(tools, pile):
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"][:4]
    rows[0].query, rows[1].query, rows[2].duration = "loud music is heard", "a word " * 150, 500.0
    item = Item("videos/copy.mp4", rows)
    Probe(min_s=1).run(item, tools)
    assert {one["class"] for one in item.rejected} == {"sound", "words"}
    assert item.rows[0].duration < 500 and item.rows[0].history[0]["what"] == "duration"
    short = Item("videos/copy.mp4", [rows[3]])
    Probe(min_s=400).run(short, tools)
    assert short.is_out and short.rejected[0]["class"] == "duration"


def test_probe_keeps_test_videos_out(tools, tmp_path):
    (tmp_path / "test.jsonl").write_text(json.dumps(make_row().to_json() | {"video": "other/copy.webm"}) + "\n")
    item = Item("videos/copy.mp4", [make_row()])
    Probe(keep_out=(str(tmp_path / "test.jsonl"),)).run(item, tools)
    assert item.rejected[0]["class"] == "test"


def rolled(ious, durations=None) -> list[Item]:
    rows = []
    for i, iou in enumerate(ious):
        row = make_row(f"r{i}", f"query {i}")
        row.video, row.difficulty = f"v{i}.mp4", {"mean_iou": float(iou), "spread": 0.1 * (i % 3)}
        row.duration = durations[i] if durations else 20.0
        rows.append(row)
    return [Item(row.video, [row]) for row in rows]


def kept(stage: Select, items: list[Item], tools: Tools) -> list[Row]:
    verdict = stage.decide(items, tools)
    return [row for item in items for row in item.rows if row.id not in verdict]


def test_select_by_the_gaussian_gives_the_gaussian(tools):
    ious = np.concatenate([np.random.default_rng(0).uniform(0, 1, 2000), np.full(4000, 0.9)])
    stage = Select(method="gaussian", centre=0.3, width=0.2, count=600, bucket_s=0)
    drawn = np.array([row.difficulty["mean_iou"] for row in kept(stage, rolled(ious), tools)])
    assert len(drawn) == 600 and 0.25 < drawn.mean() < 0.45 and (drawn > 0.85).mean() < 0.05


def test_select_hard_prefers_hard_rows_and_variance_wants_mixed_ones(tools):
    items = rolled(np.linspace(0, 1, 300))
    hard = [row.difficulty["mean_iou"] for row in kept(Select(method="hard", count=60, bucket_s=0), items, tools)]
    assert np.mean(hard) < 0.4
    mixed = kept(Select(method="variance", count=50, bucket_s=0), items, tools)
    assert {row.difficulty["spread"] for row in mixed} == {0.2}


def test_select_draws_as_many_from_each_stretch_of_durations_and_repeats(tools):
    items = rolled([0.5] * 200, durations=[10.0] * 150 + [70.0] * 50)
    stage = Select(count=40, bucket_s=30, num_buckets=4)
    rows = kept(stage, items, tools)
    assert Counter(row.duration for row in rows) == {10.0: 10, 70.0: 10}
    assert [row.id for row in rows] == [row.id for row in kept(stage, items, tools)]
    other = Tools(tools.root, tools.output, tools.models, seed=1)
    assert [row.id for row in rows] != [row.id for row in kept(stage, items, other)]


def test_select_says_what_it_needs(tools):
    with pytest.raises(UserError, match="needs stage difficulty"):
        Select(method="hard").decide([Item("v.mp4", [make_row()])], tools)


def test_exports_are_read_back(tools, pile):
    datasets = pytest.importorskip("datasets")
    rows = [row for row in read_rows(pile / "rows.jsonl") if row.video == "videos/copy.mp4"]
    item = Item("videos/copy.mp4", rows)
    Samples().run(item, tools)
    formats = ["rows", "parquet", "timelens", "ms-swift", "llama-factory", "trl", "datasets", "samples"]
    Export(formats=formats).decide([item], tools)
    folder = tools.output / "exports"
    assert list(read_rows(folder / "rows.jsonl")) == rows == list(read_rows(folder / "rows.parquet"))
    assert len(datasets.load_from_disk(str(folder / "datasets"))) == len(rows)
    (folder / "timelens.jsonl").rename(folder / "timelens-100k.jsonl")
    spans = [row.spans for row in rows if row.task == "ground" and row.spans]
    assert [row.spans for row in read("timelens_100k", folder)] == spans
    swift = [json.loads(line) for line in (folder / "ms-swift.jsonl").read_text().splitlines()]
    assert len(swift) == len(rows) and Path(swift[0]["videos"][0]).is_file()
    assert swift[0]["messages"][0]["content"].startswith("<video>")
    index = [json.loads(line) for line in (tools.output / "samples" / "index.jsonl").read_text().splitlines()]
    assert len(index) == 1 and [asked["id"] for asked in index[0]["questions"]] == [row.id for row in rows]
    (sample,) = read_index(tools.output / "samples")
    clip = read_clip(tools.output / "samples", sample)
    assert sample.rows == rows and clip.frame_times_s.tolist() == pytest.approx(index[0]["frame_times_s"], abs=1e-6)
    profile = tools.model("tiny").profile
    _, segments = encode_time(clip, profile.time_encoding, profile.stamp)
    stamps = [segment["text"] for segment in index[0]["segments"] if "text" in segment]
    assert stamps == [segment.text for segment in segments if isinstance(segment, TextSegment)]


def test_the_bundled_model_lists_and_re_reads(tools, pile):
    item = Item("videos/copy.mp4")
    Propose().run(item, tools)
    assert item.rows or item.rejected
    rows = item.rows or [make_row()]
    rows[0].video, rows[0].meta = "videos/copy.mp4", {}
    Refine(only="all").run(Item("videos/copy.mp4", rows[:1]), tools)
    assert all(span.length_s > 0 for span in rows[0].spans)


def test_requests_keep_to_the_rate(monkeypatch):
    """At 60 a minute, two requests ask for a pause of two seconds before the next."""

    class Mute:
        def sample(self, prefix, texts, request):
            return [[Turn(Message.of("assistant", "yes"), ids=(1,))] for _ in texts]

    pauses_s: list[float] = []
    monkeypatch.setattr("time.sleep", pauses_s.append)
    asked = Asked(Mute(), ModelSettings(name="mute", max_requests_per_minute=60))
    asked.say(Seen(None, 0.0), ["a", "b"])
    asked.say(Seen(None, 0.0), ["c"])
    assert pauses_s[0] == 0 and pauses_s[1] == pytest.approx(2.0, abs=0.2)
    assert asked.usage == {"answers": 3, "tokens": 3}
