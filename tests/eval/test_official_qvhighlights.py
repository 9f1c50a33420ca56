"""QVHighlights' evaluator: the benchmark's own numbers, and its gaps on worked cases."""

from __future__ import annotations

import json

import numpy as np
import pytest
from timeground.eval.official.highlights import average_precision
from timeground.eval.official.qvhighlights import evaluate
from timeground.eval.predictions import read_predictions
from timeground.eval.reading import Prediction
from timeground.eval.run.answers import Answer, AnswerFile
from timeground.eval.run.outcome import score_task
from timeground.eval.run.saliency import votes
from timeground.eval.run.settings import RunSettings
from timeground.eval.tasks import Task, get_spec, load_task

from tests.eval.helpers import ground, replied, said, spans


def scores(rows, predictions):
    return evaluate(rows, predictions).metrics


def scored(*windows):
    return spans(*(w[:2] for w in windows), scores=tuple(float(w[2]) for w in windows))


@pytest.mark.realdata
def test_all_104_values_of_the_benchmarks_own_metrics_file(realdata):
    folder = realdata / "qvhighlights"
    task = load_task(get_spec("qvhighlights"), data=realdata)
    found = read_predictions([folder / "sample_val_preds.jsonl"], task.rows)
    assert found.formats == ["QVHighlights or ReXTime submission"] and not found.unmatched
    expected = json.loads((folder / "sample_val_preds_metrics_raw.json").read_text())
    result = task.score(found.by_row)
    assert json.dumps(result.layouts["official"]) == json.dumps(expected)  # values and order

    def leaves(tree):
        return sum(leaves(value) if isinstance(value, dict) else 1 for value in tree.values())

    assert leaves(expected) == 104
    assert result.strict == pytest.approx(result.official, abs=0.01)  # these predictions use none of the gaps


def test_the_best_scored_window_ranks_first_but_the_first_listed_is_r1():
    row = ground("1", (0, 10))
    found = scores([row], {"1": scored((50, 60, 0.1), (0, 10, 0.9))})
    assert found["MR-full-mAP@0.5"] == 100 and found["MR-full-R1@0.5"] == 0
    found = scores([row], {"1": scored((0, 10, 0.1), (50, 60, 0.9))})
    assert found["MR-full-mAP@0.5"] == 50 and found["MR-full-R1@0.5"] == 100


def test_ties_keep_the_order_of_the_list_and_only_ten_windows_count():
    row = ground("1", (0, 10))
    assert scores([row], {"1": scored((0, 10, 0.5), (50, 60, 0.5))})["MR-full-mAP@0.5"] == 100
    assert scores([row], {"1": scored((50, 60, 0.5), (0, 10, 0.5))})["MR-full-mAP@0.5"] == 50
    late = [(50 + i, 60 + i, 0.1) for i in range(10)] + [(0, 10, 0.9)]
    assert scores([row], {"1": scored(*late)})["MR-full-mAP@0.5"] == 0  # cut before it is sorted


def test_a_true_window_is_taken_once_and_a_second_choice_is_tried():
    row = ground("1", (0, 10), (2, 12))
    found = scores([row], {"1": scored((0, 10, 0.9), (0, 10, 0.8))})
    assert found["MR-full-mAP@0.5"] == 100  # the second takes (2, 12), IoU 8/12
    assert found["MR-full-mAP@0.7"] == 50
    assert found["MR-full-mAP"] == pytest.approx((4 * 100 + 6 * 50) / 10)


def test_interpolated_average_precision():
    row = ground("1", (0, 10), (20, 30), (40, 50))
    ranked = [(0, 10, 9), (60, 70, 8), (20, 30, 7), (80, 90, 6), (90, 95, 5)]
    assert scores([row], {"1": scored(*ranked)})["MR-full-mAP@0.5"] == pytest.approx(100 * (1 + 2 / 3) / 3)


def test_zero_by_zero_counts_as_a_hit():
    reversed_window = scores([ground("1", (0, 4))], {"1": scored((4, 0, 1))})
    assert reversed_window["MR-full-mAP"] == 100 and reversed_window["MR-full-R1@0.5"] == 0
    points = scores([ground("1", (3, 3))], {"1": scored((3, 3, 1))})
    assert points["MR-full-mAP"] == 100 and points["MR-full-R1@0.5"] == 0


def test_ranges_filter_the_truth_and_not_the_predictions():
    rows = [ground("1", (0, 10), (50, 90)), ground("2", (0, 10.5))]
    found = scores(rows, {"1": scored((50, 90, 0.9), (0, 10, 0.8)), "2": scored((0, 10.5, 1))})
    assert found["MR-short-mAP"] == 50 and found["MR-short-R1@0.5"] == 0  # (0, 10] holds 10
    assert found["MR-middle-mAP"] == 100 and found["MR-long-mAP"] == 100 and found["MR-full-mAP"] == 100


def test_an_empty_answer_drops_out_of_map_and_stops_r1():
    rows = [ground("1", (0, 10)), ground("2", (0, 10))]
    found = evaluate(rows, {"1": scored((0, 10, 1)), "2": spans()})
    assert found.metrics["MR-full-mAP"] == 100 and found.metrics["MR-full-R1@0.5"] is None
    assert "drop out" in found.notes[0]
    missing = evaluate(rows, {"1": scored((0, 10, 1))})
    assert missing.metrics["MR-full-R1@0.5"] == 100 and "official stops" in missing.notes[0]


def test_replies_are_windows_in_falling_order():
    found = scores([ground("1", (0, 10), (20, 30))], {"1": said("0 - 10, 20 - 30 seconds")})
    assert found["MR-full-mAP"] == 100 and not any(name.startswith("HL") for name in found)


# Highlights


def highlight(saliency, clips=(1, 2), labels=((2, 3, 4), (4, 0, 0)), duration=8.0):
    row = ground("1", (2, 6), duration=duration, relevant_clip_ids=list(clips), saliency_scores=list(labels))
    return scores([row], {"1": Prediction(saliency=saliency)})


def test_highlights_by_hand():
    # positives at >= 2 (Fair): annotator 1 has clips 1 and 2, annotators 2 and 3 clip 1; ranking 2, 1, 0, 3
    found = highlight((0.2, 0.5, 0.9, 0.1))
    assert found["HL-min-Fair-mAP"] == pytest.approx(100 * (1 + 0.5 + 0.5) / 3)
    assert found["HL-min-Good-mAP"] == pytest.approx(100 * (1 + 0.5 + 0.5) / 3)
    assert found["HL-min-VeryGood-mAP"] == pytest.approx(100 * (1 + 0 + 0.5) / 3)  # all negative is 0
    assert found["HL-min-VeryGood-Hit1"] == 100 and "MR-full-mAP" not in found


def test_highlight_edges():
    assert highlight((0.5, 0.5, 0.1, 0.1))["HL-min-Fair-Hit1"] == 0  # the first on ties, clip 0
    assert highlight((0, 0, 0, 0, 9))["HL-min-Fair-Hit1"] == 0  # past the end of the truth
    assert highlight((0.1, 0.9))["HL-min-Fair-mAP"] == highlight((0.1, 0.9, 0, 0))["HL-min-Fair-mAP"]
    assert highlight((0.1, 0.9, 0, 0, 5))["HL-min-Fair-mAP"] == highlight((0.1, 0.9, 0, 0))["HL-min-Fair-mAP"]


def test_average_precision_of_labels():
    ap = lambda positive, predicted: average_precision(np.array(positive, bool), np.array(predicted, float))  # noqa: E731
    assert ap([0, 0], [1, 2]) == 0 and ap([1, 1], [1, 2]) == 1
    assert ap([1, 0, 0], [5, 5, 5]) == pytest.approx(1 / 3)  # one tie of all
    assert ap([1, 0, 1, 0], [4, 3, 2, 1]) == pytest.approx((1 + 2 / 3) / 2)
    assert ap([0, 1, 1], [3, 2, 1]) == pytest.approx(2 / 3)  # precision 1/2, lifted to the later 2/3


def test_sampled_answers_vote_for_clips():
    """Two of four answers cover the second clip, one of them half of the third; nonsense votes for nothing."""
    row = ground("1", (2, 6), duration=9.0)
    samples = ["2 - 4 seconds", "2.0 to 5.0 seconds", "I cannot tell", "6 - 2 seconds"]
    assert votes(row, [said(text) for text in samples]) == (0.0, 0.5, 0.125, 0.0)


def test_a_run_with_samples_scores_highlights(tmp_path):
    row = ground("1", (2, 4), duration=8.0, relevant_clip_ids=[1], saliency_scores=[[4, 4, 4]])
    other = ground("2", (2, 4), duration=8.0, relevant_clip_ids=[1], saliency_scores=[[4, 4, 4]])
    task = Task(get_spec("qvhighlights"), [row, other], tmp_path)
    AnswerFile(tmp_path / "qvhighlights", 0).add(
        [
            Answer("1", said=replied("2 - 4 seconds"), samples=[*map(replied, ("2 - 4 s", "0 - 2 s", "2 - 4 s"))]),
            Answer("2", said=replied("nothing to read"), samples=[replied("6 - 8 seconds")] * 3),
        ]
    )
    outcome = score_task(tmp_path, task, RunSettings("tiny", ("qvhighlights",), num_samples=3))
    assert outcome.scores.strict["HL-min-VeryGood-Hit1"] == 50 and outcome.extra["saliency"].startswith("votes")
    assert outcome.scores.official["HL-min-VeryGood-Hit1"] == 50 and outcome.scores.counts.unreadable == 1
    plain = score_task(tmp_path, task, RunSettings("tiny", ("qvhighlights",)))
    assert not any(name.startswith("HL") for name in plain.scores.strict) and "saliency" not in plain.extra
