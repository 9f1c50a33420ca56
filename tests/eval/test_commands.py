"""``timeground score`` and ``timeground compare``, from files to what is printed."""

from __future__ import annotations

import json

import pytest
from timeground.eval.compare import compare
from timeground.eval.samples import Sample, read_samples

from timeground.cli.main import main
from timeground.errors import UserError


@pytest.fixture
def bench(tmp_path):
    """Six rows of Charades-STA in three videos, and predictions for five of them."""
    folder = tmp_path / "data" / "charades"
    folder.mkdir(parents=True)
    (folder / "Charades_v1_test.csv").write_text("id,length\nAA,30.0\nBB,30.0\nCC,30.0\n")
    lines = [f"{v} {s}.0 {s + 10}.0##person does {s}." for v in ("AA", "BB", "CC") for s in (0, 15)]
    (folder / "charades_sta_test.txt").write_text("\n".join(lines))
    replies = {"AA-1": "0 - 10 seconds", "AA-2": "25 - 15 seconds", "BB-3": "0 - 5 seconds", "BB-4": "no idea",
               "CC-5": "from 0s to 10s"}  # fmt: skip
    predictions = tmp_path / "predictions.jsonl"
    predictions.write_text("\n".join(json.dumps({"id": i, "text": t}) for i, t in replies.items()))
    return tmp_path / "data", predictions


def score(capsys, *arguments):
    status = main(["score", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_both_protocols_side_by_side(bench, capsys):
    data, predictions = bench
    status, out, _ = score(capsys, "--task", "charades", "--data", data, "--predictions", predictions)
    assert status == 0
    lines = [line.split() for line in out.splitlines()]
    assert out.startswith(
        "charades: 6 rows of 3 videos, 1 without a prediction, 1 unreadable (20.0%), 1 with a reversed span"
    )
    assert lines[1] == ["official", "strict", "95", "%", "interval"]
    by_name = {words[0]: words[1:] for words in lines[2:]}
    assert by_name["R1@0.5"][:2] == ["80.00", "50.00"]  # official: 4 of 5, swapped; strict: 3 of 6
    assert by_name["mIoU"][:2] == ["70.00", "41.67"]
    assert "note: official leaves 1 rows without a prediction out of its denominator" in out


def test_one_protocol_and_json(bench, capsys):
    data, predictions = bench
    base = ("--task", "charades", "--annotations", data / "charades" / "charades_sta_test.txt", "--predictions")
    _, out, _ = score(capsys, *base, predictions, "--protocol", "strict", "--json")
    found = json.loads(out)
    assert "official" not in found and found["strict"]["R1@0.5"] == 50
    assert found["counts"]["parse_failure_rate"] == 0.2 and len(found["intervals"]["mIoU"]) == 2
    _, out, _ = score(capsys, *base, predictions, "--protocol", "official", "--json")
    assert json.loads(out).keys() == {"task", "counts", "official", "notes"}
    _, out, _ = score(capsys, *base, predictions, "--protocol", "official")
    assert "strict" not in out


def test_own_layout_of_qvhighlights_in_both_protocols(tmp_path, capsys):
    row = {"qid": 1, "query": "q", "duration": 150, "vid": "v", "relevant_windows": [[0, 4]]}
    (tmp_path / "highlight_val_release.jsonl").write_text(json.dumps(row))
    (tmp_path / "p.jsonl").write_text(json.dumps({"qid": 1, "pred_relevant_windows": [[4, 0, 1.0]]}))
    base = ("--task", "qvhighlights", "--annotations", tmp_path, "--predictions", tmp_path / "p.jsonl", "--json")
    _, official, _ = score(capsys, *base)
    _, strict, _ = score(capsys, *base, "--protocol", "strict")
    assert json.loads(official)["full"]["MR-mAP"]["average"] == 100  # reversed, and still a hit there
    assert json.loads(strict)["full"]["MR-mAP"]["average"] == 0
    assert list(json.loads(strict)["brief"])[:2] == ["MR-full-R1@0.5", "MR-full-R1@0.7"]


def test_mistakes_are_one_line(bench, capsys):
    data, predictions = bench
    for arguments, message in (
        (("--task", "nope", "--predictions", predictions), "unknown task"),
        (("--task", "charades", "--predictions", predictions), "give --annotations"),
        (("--task", "tacos", "--data", data, "--predictions", predictions), "download it from"),
        (("--task", "charades", "--data", data, "--predictions", data / "no.json"), "cannot be read"),
        (("--task", "synth", "--data", data, "--predictions", predictions, "--protocol", "official"), "no evaluator"),
    ):
        status, out, err = score(capsys, *arguments)
        assert status == 2 and message in err and err.count("\n") == 1 and not out


def test_saved_runs_are_compared(bench, tmp_path, capsys):
    data, predictions = bench
    base = ("--task", "charades", "--data", data, "--predictions")
    better = tmp_path / "better.jsonl"
    starts = {"AA-1": 0, "AA-2": 15, "BB-3": 0, "BB-4": 15, "CC-5": 0, "CC-6": 15}
    better.write_text("\n".join(json.dumps({"id": i, "spans": [[s, s + 10]]}) for i, s in starts.items()))
    score(capsys, *base, predictions, "--output_path", tmp_path / "a")
    score(capsys, *base, better, "--output_path", tmp_path / "b")
    assert json.loads((tmp_path / "b" / "results.json").read_text())["strict"]["mIoU"] == 100
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b" / "samples.jsonl")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("6 rows in both; 0 only in A, 0 only in B")
    assert next(line for line in out.splitlines() if "mIoU" in line).split()[1:] == [
        "mIoU", "41.67", "100.00", "+58.33", "-33.08", "to", "+100.00", "cannot", "be", "told"
    ]  # fmt: skip
    main(["compare", str(tmp_path / "a"), str(tmp_path / "a"), "--json"])
    assert {one["verdict"] for one in json.loads(capsys.readouterr().out)} == {"same"}
    # samples are predictions too
    _, out, _ = score(capsys, *base, tmp_path / "a" / "samples.jsonl", "--protocol", "strict", "--json")
    found = json.loads(out)
    assert found["strict"]["mIoU"] == pytest.approx(41.6667)
    assert (found["counts"]["missing"], found["counts"]["unreadable"]) == (1, 1)


def test_a_run_of_many_tasks_is_compared_by_its_folder(bench, tmp_path, capsys):
    data, predictions = bench
    for name, split in (("charades", "charades"), ("second", "charades")):
        score(
            capsys,
            "--task",
            split,
            "--data",
            data,
            "--predictions",
            predictions,
            "--output_path",
            tmp_path / "run" / name,
        )
    lines = (
        (tmp_path / "run" / "second" / "samples.jsonl").read_text().replace('"task": "charades"', '"task": "second"')
    )
    (tmp_path / "run" / "second" / "samples.jsonl").write_text(lines)
    assert main(["compare", str(tmp_path / "run"), str(tmp_path / "run" / "charades")]) == 0
    out = capsys.readouterr().out
    assert out.startswith("6 rows in both; 6 only in A, 0 only in B")
    assert "note: charades: only 3 videos: below 20" in out
    main(["compare", str(tmp_path / "run"), str(tmp_path / "run"), "--json"])
    assert {(one["task"], one["num_videos"]) for one in json.loads(capsys.readouterr().out)} == {
        ("charades", 3),
        ("second", 3),
    }
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(tmp_path / "empty"), str(tmp_path / "run")]) == 2
    assert "no samples.jsonl in it" in capsys.readouterr().err


def test_another_evaluator_and_nms_by_option(bench, tmp_path, capsys):
    data, _ = bench
    said = tmp_path / "p.jsonl"
    said.write_text('{"id": "AA-1", "text": "0.0s - 10.0s"}\n{"id": "AA-2", "text": "15 - 25"}\n')
    base = ("--task", "charades", "--data", data, "--predictions", said, "--protocol", "official", "--json")
    for name, miou in (("charades", 100), ("charades-2025", 50)):
        _, out, _ = score(capsys, *base, "--evaluator", name)
        assert json.loads(out)["official"]["mIoU"] == miou
    said.write_text(
        json.dumps({"id": "AA-1", "spans": [[40, 50]] * 5 + [[0, 10]]}) + "\n" + json.dumps({"id": "AA-2", "spans": []})
    )
    for more, recall in (((), 0), (("--nms", "0.4"), 50)):
        _, out, _ = score(capsys, *base, "--evaluator", "tan2d", *more)
        assert json.loads(out)["official"]["R5@0.5"] == recall
    status, _, err = score(capsys, *base, "--evaluator", "nobody")
    assert status == 2 and "official must be one of" in err


def test_few_videos_are_said(bench, capsys):
    data, predictions = bench
    _, out, _ = score(capsys, "--task", "charades", "--data", data, "--predictions", predictions)
    assert "note: only 3 videos: below 20 an interval is wide" in out


def sample(i, value, task="t", **more):
    return Sample(doc_id=i, id=str(i), task=task, video=f"v{i % 20}", metrics={"mIoU": value, **more})


def test_comparing_takes_shared_rows_and_shared_metrics():
    a = [sample(i, 0.5, accuracy=1.0) for i in range(40)]
    b = [sample(i, 0.5 + (0.2 if i % 2 else -0.2), only_b=1.0) for i in range(10, 60)]
    (one,) = compare(a, b)
    assert (one.num_rows, one.metric, one.verdict) == (30, "mIoU", "cannot be told")
    (worse,) = compare(b, [sample(i, 0.1) for i in range(10, 60)])
    assert worse.verdict == "A"


def test_what_cannot_be_compared_is_said(tmp_path):
    with pytest.raises(UserError, match="no row in common"):
        compare([sample(1, 0.5)], [sample(1, 0.5, task="other")])
    with pytest.raises(UserError, match="A holds 1 rows twice"):
        compare([sample(1, 0.5), sample(1, 0.6)], [sample(1, 0.5)])
    file = tmp_path / "samples.jsonl"
    file.write_text('{"id": "1"}')
    with pytest.raises(UserError, match=r"samples.jsonl:1: no sample"):
        read_samples(tmp_path)
    with pytest.raises(UserError, match="cannot be read"):
        read_samples(tmp_path / "none")
