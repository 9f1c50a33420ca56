"""Several methods in one run: each as if it were run alone, none goes on with another's answers, costs side by side."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.eval.run.costs import Cost, SecondsFile, budget_curve, cost_of, mean_cost, mean_seconds
from timeground.eval.run.settings import folder_name
from timeground.eval.samples import Sample, read_samples

from tests.eval.helpers import look
from timeground.cli.main import main

METHODS = "direct,windows"
TOY = "tests.support.toy_method:Halves"


def sample(number: int, worth: float, *looks: dict[str, object], calls: int = 1) -> Sample:
    trace = {"looks": list(looks), "num_calls": calls} if looks else None
    return Sample(number, str(number), "t", "v.mp4", text="x", metrics={"mIoU": worth}, trace=trace)


def test_the_cost_of_an_answer_counts_drafts_apart() -> None:
    told = cost_of({"looks": [look(10), look(30, draft=True), look(5, frames=4, draft=False)], "num_calls": 3})
    assert told == Cost(3, 8, 15, 30) and told.total_tokens == 45
    assert cost_of({}) == Cost(0, 0, 0, 0)


def test_mean_costs_are_of_rows_that_were_answered() -> None:
    samples = [sample(0, 1.0, look(10), calls=2), sample(1, 0.0, look(20), look(10)), sample(2, 0.0)]
    assert mean_cost(samples) == Cost(1.5, 3, 20, 0)
    assert mean_cost([samples[2]]) is None


def test_a_budget_curve_by_hand() -> None:
    samples = [sample(0, 1.0, look(10)), sample(1, 0.5, look(40)), sample(2, 0.5, look(10)), sample(3, 1.0)]
    assert budget_curve(samples, "mIoU") == [(10, 37.5), (40, 50.0)]
    assert budget_curve(samples, "accuracy") == []


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), min_size=1, max_size=30))
def test_a_budget_curve_rises_to_the_metric_itself(rows: list[tuple[int, float]]) -> None:
    points = budget_curve([sample(n, worth, look(tokens)) for n, (tokens, worth) in enumerate(rows)], "mIoU")
    costs, percents = zip(*points, strict=True)
    assert list(costs) == sorted(set(costs)) and list(percents) == sorted(percents)
    assert percents[-1] == pytest.approx(100 * sum(worth for _, worth in rows) / len(rows))


def test_seconds_of_all_processes_are_read_and_the_last_count(tmp_path: Path) -> None:
    SecondsFile(tmp_path, 0).add({"0": 1.0, "1": 9.0})
    SecondsFile(tmp_path, 1).add({"2": 4.0})
    SecondsFile(tmp_path, 0).add({"1": 3.0})
    with SecondsFile(tmp_path, 0).path.open("a") as file:
        file.write('{"0": 7')  # cut by a kill
    seconds = SecondsFile(tmp_path, 0).read()
    assert seconds == {"0": 1.0, "1": 3.0, "2": 4.0}
    assert mean_seconds(seconds, [sample(1, 1.0), sample(2, 1.0), sample(3, 1.0)]) == 3.5
    assert mean_seconds({}, [sample(1, 1.0)]) is None


def test_folders_of_methods_can_be_made_everywhere() -> None:
    assert folder_name("windows") == "windows"
    assert folder_name("my/folder/mine.py:Mine") == "my.folder.mine.py.Mine"


@pytest.fixture(scope="module")
def data(synth_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(synth_folder, root / "synth")
    return root


def run(data: Path, output: Path, *more: str) -> int:
    args = ["eval", "--model", "tiny", "--tasks", "synth", "--data", str(data), "--output_path", str(output)]
    return main([*args, "--limit", "6", "--workers", "0", "--max_new_tokens", "24", *more])


@pytest.fixture(scope="module")
def both(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("out") / "both"
    assert run(data, output, "--method", METHODS) == 0
    return output


def test_each_method_is_as_if_run_alone(data: Path, both: Path, tmp_path: Path) -> None:
    assert run(data, tmp_path / "alone", "--method", "windows") == 0
    for name in ("results.json", "report.html", "settings.json", "synth/samples.jsonl", "synth/answers-0.jsonl"):
        assert (both / "windows" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes(), name


def test_results_say_what_each_costs_and_how_they_differ(both: Path) -> None:
    task = json.loads((both / "results.json").read_text())["tasks"]["synth"]
    assert list(task["methods"]) == ["direct", "windows"]
    for method, told in task["methods"].items():
        samples = read_samples(both / method)
        assert all(one.trace and one.trace["looks"] for one in samples)
        tokens = [sum(look["visual_tokens"] for look in (one.trace or {})["looks"]) for one in samples]
        assert told["cost"]["visual_tokens"] == pytest.approx(sum(tokens) / len(tokens), abs=0.01)
        assert told["cost"]["calls"] >= 1 and told["cost"]["draft_tokens"] == 0
    (difference,) = [one for one in task["differences"] if one["metric"] == "mIoU"]
    means = {name: told["strict"]["mIoU"] for name, told in task["methods"].items()}
    assert difference["method"] == "windows"
    assert difference["difference"] == pytest.approx(means["windows"] - means["direct"], abs=0.001)
    seconds = json.loads((both / "timings.json").read_text())["seconds_a_query"]["synth"]
    assert set(seconds) == {"direct", "windows"} and min(seconds.values()) > 0


def test_the_page_has_costs_curves_and_rows(both: Path, data: Path) -> None:
    page = (both / "report.html").read_text()
    assert "visual tokens" in page and "mIoU for a budget" in page and "tokens of windows" in page
    assert "<img" in page and '="http' not in page and str(data) not in page


def test_a_method_is_added_and_nothing_is_asked_again(data: Path, both: Path, tmp_path: Path) -> None:
    output = tmp_path / "grown"
    shutil.copytree(both, output)
    kept = {name: (output / name).read_bytes() for name in ("direct/synth/answers-0.jsonl", "results.json")}
    assert run(data, output, "--method", METHODS) == 0
    assert {name: (output / name).read_bytes() for name in kept} == kept
    (output / "direct/synth/answers-0.jsonl").unlink()  # the other method's answers are there and are not taken
    assert run(data, output, "--method", f"direct,{TOY}") == 0
    assert (output / "direct/synth/answers-0.jsonl").read_bytes() == kept["direct/synth/answers-0.jsonl"]
    assert list(json.loads((output / "results.json").read_text())["tasks"]["synth"]["methods"]) == ["direct", TOY]
    assert json.loads((output / "settings.json").read_text())["methods"] == ["direct", TOY]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--method", "direct"], "(method)"),
        (["--method", METHODS, "--limit", "3"], "limit"),
        (["--method", "direct,direct"], "named twice"),
        (["--method", METHODS, "--calibrate"], "--calibrate"),
        (["--method", "direct,nonsense"], "nonsense"),
        (["--method", ","], "unknown method"),
    ],
)
def test_mistakes_are_one_line(
    data: Path, both: Path, more: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, both, *more) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_several_methods_do_not_go_on_in_a_folder_of_one(
    data: Path, both: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(both / "direct", tmp_path / "one")
    assert run(data, tmp_path / "one", "--method", METHODS) == 2
    assert "(method)" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "one" / "direct").exists()
