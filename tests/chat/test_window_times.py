"""Seconds of the file, everywhere, from models that count from the first frame they are shown."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from timeground.data_pipeline.asking import ModelSettings, StageModel
from timeground.eval.predictions import read_predictions
from timeground.eval.reading import Prediction, read_spans
from timeground.eval.run.answering import Asker
from timeground.eval.run.answers import AnswerFile
from timeground.eval.run.outcome import predictions, score_task
from timeground.eval.run.settings import RunSettings
from timeground.eval.samples import write_samples
from timeground.eval.score import score
from timeground.eval.task_spec import TaskSpec
from timeground.eval.tasks import Task
from timeground.train.data.render import ClipRows

from tests.support.says import Says
from tests.support.tiny_models import encoder_for
from timeground.chat.layout import TimeEncoding
from timeground.chat.profile import Profile, named_profile
from timeground.cli.main import main
from timeground.data.rows import Row
from timeground.media.clip import Clip
from timeground.media.video import Video
from timeground.methods.grounder import Grounder
from timeground.models.loading import load
from timeground.spans import Span, iou
from timeground.stopwatch import Stopwatch

COUNTING = ("Boshenxx/Time-R1-7B", "arrowgev")


def clip_from(start_s, length_s=30.0, duration_s=200.0):
    times_s = start_s + torch.arange(int(length_s), dtype=torch.float64)
    frames = torch.zeros(len(times_s), 3, 28, 28, dtype=torch.uint8)
    return Clip(frames, times_s, start_s, start_s + length_s, duration_s)


@pytest.mark.parametrize("name", COUNTING)
def test_grounding_in_a_window_answers_in_seconds_of_the_file(name):
    grounder = Grounder(Says("<answer>2.0 to 5.0</answer>", named_profile(name)))
    answer = grounder.ground(clip_from(100.0), "the man sits")
    assert answer.spans == [Span(102.0, 105.0)] and not answer.outside
    assert grounder.ground(clip_from(0.0), "the man sits").spans == [Span(2.0, 5.0)]


def test_stamped_models_say_the_files_seconds_already():
    for encoding in TimeEncoding:
        grounder = Grounder(Says("102.0 - 105.0 seconds", Profile(time_encoding=encoding)))
        later_s = 100.0 if encoding is TimeEncoding.MROPE else 0.0
        assert grounder.ground(clip_from(100.0), "x").spans == [Span(102.0 + later_s, 105.0 + later_s)]


@pytest.mark.parametrize(
    ("text", "outside"),
    [("102 - 105 seconds", False), ("5 - 9 seconds", True), ("95 - 105 seconds", True), ("129 - 131 seconds", True),
     ("99.6 - 130.4 seconds", False), ("it does not happen", False), ("105 - 102 seconds", False)],
)  # fmt: skip
def test_an_answer_outside_the_window_is_marked(text, outside):
    answer = Grounder(Says(text, Profile())).ground(clip_from(100.0), "x")
    assert answer.outside is outside and answer.to_json()["outside"] is outside


def test_the_command_marks_it_in_text_and_json(monkeypatch, synth_folder, capsys):
    video = str(sorted((synth_folder / "videos").glob("*.mp4"))[0])
    for text, outside in (("1.0 - 2.0 seconds", True), ("3.0 - 4.0 seconds", False)):
        grounder = Grounder(Says(text, Profile()))
        monkeypatch.setattr(Grounder, "from_pretrained", lambda *a, grounder=grounder, **k: grounder)
        assert main(["ground", video, "the ring turns", "--start", "2.5", "--end", "6"]) == 0
        assert ("[outside what was shown]" in capsys.readouterr().out) is outside
        assert main(["ground", video, "the ring turns", "--start", "2.5", "--end", "6", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["answers"][0]["outside"] is outside


# Evaluation

ROW = Row("1", "v.mp4", 200.0, "the man sits", [Span(102.0, 105.0)], window=Span(100.0, 130.0))


def test_a_run_scores_windows_in_seconds_of_the_file(tmp_path):
    model = Says("<answer>2.0 to 5.0</answer>", named_profile("arrowgev"))
    task, settings = Task(TaskSpec("t"), [ROW], tmp_path), RunSettings("m", ("t",), num_samples=2, probes=("reversed",))
    answers = Asker(model, task, settings, Stopwatch()).answers(Video.of(clip_from(100.0)), [ROW])
    AnswerFile(tmp_path / "t", 0).add(answers)
    outcome = score_task(tmp_path, task, settings)
    assert outcome.scores.strict["mIoU"] == 100 and outcome.scores.samples[0].spans == [[102.0, 105.0]]
    assert outcome.extra["pass_at_k"]["IoU>=0.7"]["pass@1"] == 100
    mirrored = Span(125.0, 128.0)
    assert outcome.extra["probes"]["reversed"]["strict"]["mIoU"] == pytest.approx(100 * iou(ROW.spans[0], mirrored))
    said = predictions([ROW], AnswerFile(tmp_path / "t", 0).read({"1": ""}), "clean")
    assert said["1"].origin_s == 100.0
    # its samples are predictions too, and keep what the reply calls 0
    write_samples(tmp_path / "samples.jsonl", outcome.scores.samples)
    again = read_predictions([tmp_path / "samples.jsonl"], [ROW])
    assert task.score(again.by_row).strict["mIoU"] == 100


def test_scores_count_and_mark_answers_outside():
    rows = [replace(ROW, id=str(i)) for i in range(3)] + [Row("3", "w.mp4", 0.0, "x", [Span(1, 2)])]
    said = {"0": Prediction(text="102 - 105"), "1": Prediction(text="2 - 5"), "3": Prediction(text="900 - 901")}
    found = score(TaskSpec("t"), rows, said)
    assert [sample.outside for sample in found.samples] == [False, True, False, False]  # 3: of unknown length
    assert found.counts.outside == 1 and "1 outside the video or its window" in found.to_text()
    assert found.to_json()["counts"]["outside"] == 1
    assert read_spans(Prediction(text="2 - 5", origin_s=100.0)).spans == (Span(102, 105),)


# Training and the pipeline


def test_training_targets_are_in_the_time_that_the_model_is_told(qwen2_5_folder):
    loaded = load(qwen2_5_folder)
    events = replace(ROW, query="", spans=[], question="List", meta={"events": [{"query": "a", "span": [110, 120]}]})
    for encoding, said, listed in (
        (TimeEncoding.MROPE, "2.0 - 5.0 seconds", "10.0 - 20.0: a"),
        (TimeEncoding.INTERLEAVED_SECONDS, "102.0 - 105.0 seconds", "110.0 - 120.0: a"),
    ):
        encoder = encoder_for(loaded, Profile(prompt="short", time_encoding=encoding))
        item = ClipRows(clip_from(100.0, 4.0), [ROW, events])
        (example,) = encoder.supervised(item)
        texts = [encoder.builder.decode(node.inputs.ids_L) for node in example.nodes if node.answer is not None]
        assert said in texts[0] and listed in texts[1]
        ((_, rows),) = encoder.asked(item)  # what rewards compare answers with
        zero_s = 100.0 if encoding is TimeEncoding.MROPE else 0.0
        assert rows[0].spans == [Span(102.0 - zero_s, 105.0 - zero_s)]
        assert rows[0].window == Span(100.0 - zero_s, 130.0 - zero_s)
    assert ROW.spans == [Span(102.0, 105.0)]


def test_snapping_comes_before_the_shift(qwen2_5_folder):
    loaded = load(qwen2_5_folder)
    encoder = encoder_for(loaded, Profile(prompt="short", time_encoding=TimeEncoding.MROPE))
    row = replace(ROW, spans=[Span(101.9, 104.2)])
    ((_, rows),) = encoder.asked(ClipRows(clip_from(100.0, 8.0), [row], snap="nearest"))
    assert rows[0].spans == [Span(2.0, 4.0)]  # pairs begin at 100, 102, 104, 106


def test_the_pipeline_hears_seconds_of_the_file():
    model = StageModel(Says("<answer>2.0 to 5.0</answer>", named_profile("arrowgev")), ModelSettings(name="m"))
    ((answer,),) = model.ground(model.watch(clip_from(100.0)), ["the man sits"])
    assert answer.spans == (Span(102.0, 105.0),)
    model = StageModel(Says("102 - 105", Profile()), ModelSettings(name="m"))
    assert model.ground(model.watch(clip_from(100.0)), ["x"])[0][0].spans == (Span(102.0, 105.0),)
