"""How the bundled model is measured: rows are true, all figures are there, and a killed run goes on."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from benchmarks import tiny_answers, tiny_grounding
from benchmarks.tiny_answers import Answer
from benchmarks.tiny_rows import LONG_S, MOTIONS, OF_CLIPS, OF_WINDOWS, Job, Settings, counts_for, plan
from benchmarks.tiny_scores import figures, table
from timeground.chat.prompts import get_prompts, row_answer
from timeground.data.rows import Row
from timeground.models.local.model import LocalModel
from timeground.spans import Span
from timeground.synth.frames import scene_clip
from timeground.synth.scene import Scene, is_unseen
from timeground.synth.world import sample_scene

SETTINGS = Settings(videos=4, queries=12, rows=20, motion=10, answers=150, scenes=600)
FEW = Settings(videos=2, queries=4, rows=2, motion=1, answers=20, scenes=150)


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    return plan(SETTINGS)


def asked(jobs: list[Job], kind: str) -> list[tuple[Job, Row]]:
    return [(job, row) for job in jobs for row in job.rows if row.meta["kind"] == kind]


def seconds_shared(scene: Scene, row: Row, window: Span) -> float:
    """For how long a scene shows in a window what a row asks for, by who is in it and what they do."""
    spans = []
    for actor in scene.actors:
        if f"the {actor.name} " in row.query:
            acts = [act.span for act in actor.acts if act.action == row.meta["action"]]
            spans += actor.visible if row.meta["action"] == "visible" else acts
    return sum(max(0.0, min(s.end_s, window.end_s) - max(s.start_s, window.start_s)) for s in spans)


def test_each_kind_gets_its_number_and_no_scene_is_asked_twice(jobs):
    counted = [name for job in jobs for row in job.rows for name in counts_for(job.part, row)]
    for name in (*OF_CLIPS, *OF_WINDOWS, *MOTIONS, "single"):
        assert counted.count(name) >= SETTINGS.wanted(name), name
    assert len({job.scene.seed for job in jobs}) == len(jobs)
    assert len({row.id for job in jobs for row in job.rows}) == sum(len(job.rows) for job in jobs)
    keys = [job.key for job in jobs]
    assert keys == [job.key for job in plan(SETTINGS)] and len(set(keys)) == len(keys)
    assert sum(len(job.backwards) for job in jobs) == SETTINGS.rows
    assert all(row in job.rows and row.direction == "sensitive" for job in jobs for row in job.backwards)


def test_what_is_asked_of_a_window_happens_in_its_scene_and_not_in_the_window(jobs):
    for job, row in asked(jobs, "window_absent"):
        assert 5 <= job.scene.duration_s <= 60.01 and job.scene.duration_s == row.duration
        whole = sample_scene(job.scene.seed, unseen=True, durations_s=LONG_S)
        window = Span(job.scene.origin_s, job.scene.origin_s + job.scene.duration_s)
        assert window.end_s <= whole.duration_s
        assert seconds_shared(whole, row, window) == 0 and row.spans == []
        assert seconds_shared(whole, row, Span(0, whole.duration_s)) > 0


@pytest.mark.parametrize("kind", ["happens", "window_happens"])
def test_half_of_the_questions_whether_something_happens_are_to_be_denied(jobs, kind):
    found = asked(jobs, kind)
    assert [row.answer for _, row in found].count("yes") == len(found) / 2
    for job, row in found:
        shared_s = seconds_shared(job.scene, row, Span(0, job.scene.duration_s))
        assert shared_s >= 0.5 if row.answer == "yes" else shared_s == 0


def test_compositions_have_a_held_out_actor_and_their_parts(jobs):
    found = asked(jobs, "composed")
    parts = {(row.video, row.query): row for _, row in asked(jobs, "part")}
    for job, row in found:
        assert any(actor.name in row.query for actor in job.scene.actors if is_unseen(actor.colour, actor.shape))
        event, reference = (parts[row.video, query] for query in row.meta["parts"])
        assert row.query.endswith(event.query) and set(row.spans) < set(event.spans)
        (visible,) = reference.spans
        moment = visible.end_s if "disappears" in row.query else visible.start_s
        is_after = row.query.startswith("after")
        assert all((span in row.spans) == ((span.start_s > moment) == is_after) for span in event.spans)


def test_the_guide_names_all_figures():
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    unnamed = [name for name in figures([], SETTINGS) if f"`{name}`" not in text]
    assert all(name.split("_")[0] in MOTIONS for name in unnamed)


def truth(jobs: list[Job]) -> list[Answer]:
    """What somebody says who knows everything, and sees that in a reversed clip nothing goes the same way."""
    prompts = get_prompts("short")
    return [
        Answer(
            job.part, row, row_answer(prompts, row), 1.0, "It does not happen." if row in job.backwards else None, True
        )
        for job in jobs
        for row in job.rows
    ]


def test_who_knows_the_truth_gets_all_points(jobs):
    found = figures(truth(jobs), SETTINGS)
    assert {name: one.value for name, one in found.items() if one.value != pytest.approx(1, abs=0.01)} == {
        "wrongly_absent": 0,
        "ece_excess": 0,
    }
    assert all(one.wanted is None for one in found.values())


def test_a_blind_order_of_time_and_wrong_parts_are_seen(jobs):
    answers = [
        replace(one, backwards=row_answer(get_prompts("short"), one.row.mirrored()) if one.backwards else None)
        for one in truth(jobs)
    ]
    assert figures(answers, SETTINGS)["tdd_0.5"].value == 0
    names = {one.row.video for one in answers if one.row.meta["kind"] == "composed"}
    lost = [
        replace(one, text="no") if one.row.meta["kind"] == "part" and one.row.video == min(names) else one
        for one in answers
    ]
    whole = figures(lost, SETTINGS)["composition"]
    assert whole.value == 1 and 0 < whole.rows < SETTINGS.rows and whole.more["asked"] == SETTINGS.rows


def test_too_few_rows_are_said(jobs):
    found = figures(truth(jobs), replace(SETTINGS, rows=1000))
    assert found["several_set_iou"].wanted == 1000
    assert found["several_set_iou"].to_json()["wanted"] == 1000
    none = figures([], SETTINGS)
    assert none["tdd_0.5"].value is None and none["ece_excess"].rows == 0
    assert table(none).row_count == len(none)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(tiny_grounding, "speed", lambda *_: {"answer_s": 1.0})
    return tmp_path


def told(capsys) -> dict:
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    return {name: value for name, value in found.items() if name != "machine"}


def run(monkeypatch, capsys, *more: str) -> dict:
    changed = {name: value for name, value in asdict(FEW).items() if value != getattr(Settings, name)}
    numbers = [word for name, value in changed.items() for word in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["tiny_grounding", *numbers, *more])
    tiny_grounding.main()
    return told(capsys)


def test_a_killed_run_goes_on_and_all_figures_are_told(cache, monkeypatch, capsys):
    keep, done = tiny_answers.keep, []

    def keep_three(job, *rest):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(job.key)
        keep(job, *rest)

    monkeypatch.setattr(tiny_answers, "keep", keep_three)
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, capsys)
    monkeypatch.setattr(tiny_answers, "keep", lambda job, *rest: (done.append(job.key), keep(job, *rest)))
    resumed = run(monkeypatch, capsys)
    assert sorted(done) == sorted(job.key for job in plan(FEW))
    for folder in cache.glob("*/tiny-answers-*"):
        folder.rename(cache / "before")
    assert run(monkeypatch, capsys) == resumed and len(done) == 2 * len(plan(FEW))
    assert {"miou", "r1_0.5", "standard_error", "single_span_queries", "mean_score_by_kind", "speed"} <= set(resumed)
    assert set(resumed["figures"]) == set(figures([], FEW))
    assert all(one["rows"] for name, one in resumed["figures"].items() if name not in ("composition", "by_head"))
    assert resumed["figures"]["by_head"]["value"] is None  # the bundled model has no such head


@pytest.mark.long
def test_two_processes_say_what_one_says(cache, monkeypatch, capsys):
    alone = run(monkeypatch, capsys)
    for folder in cache.glob("*/tiny-answers-*"):
        folder.rename(cache / "before")
    assert run(monkeypatch, capsys, "--processes", "2") == alone


def test_speed_is_of_a_file_of_a_minute(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = tiny_answers.speed("tiny", "held_out", repeats=1)
    assert found["clip_s"] == 60 and found["decode_s"] > 0 and found["answer_s"] > 0


def test_a_head_is_asked_where_a_model_has_one(monkeypatch, jobs):
    """The event's pair among the best counts, another does not, and rows that ask for no span have no part in it."""
    job = next(job for job in jobs if job.part == "clip" and any(row.meta["kind"] == "single" for row in job.rows))
    model = LocalModel.from_pretrained("tiny")
    clip = scene_clip(job.scene, model.sampling())
    assert tiny_answers.found_by_head(model, clip, job.rows) == [None] * len(job.rows)
    times_s = clip.pair_times_s().mean(dim=1)
    sought = [row for row in job.rows if row.task == "ground" and row.spans]

    inside = [[any(s.start_s <= t < s.end_s for s in row.spans) for t in times_s.tolist()] for row in sought]
    model.profile = replace(model.profile, frame_head=True)
    for scores, expected in ((torch.tensor(inside).float(), True), (-torch.tensor(inside).float(), False)):
        monkeypatch.setattr(model, "frame_scores", lambda _, queries, scores=scores: scores[: len(queries)])
        found = tiny_answers.found_by_head(model, clip, job.rows)
        assert [x for x in found if x is not None] == [expected] * len(sought)
        assert [x is None for x in found] == [row not in sought for row in job.rows]
