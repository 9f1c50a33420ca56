"""The task folder for lmms-eval: its functions on real rows, and the folder in lmms-eval's own loader."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from statistics import fmean

import pytest
import yaml
from timeground.eval import lmms_eval as folder
from timeground.eval.lmms_eval import utils
from timeground.eval.predictions import read_predictions
from timeground.eval.reading import Prediction
from timeground.eval.score import score
from timeground.eval.tasks import get_spec, load_task

from tests.support.spans_text import format_spans
from timeground.chat.prompts import get_prompts, row_prompt
from timeground.errors import UserError
from timeground.spans import Span

FOLDER = Path(folder.__file__).parent
TASKS = sorted(path for path in FOLDER.glob("*.yaml") if not path.name.startswith("_"))


@pytest.fixture
def data(synth_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data root with SynthMoments in it, named as lmms-eval's user names it."""
    shutil.copytree(synth_folder, tmp_path / "synth")
    monkeypatch.setenv(utils.DATA, str(tmp_path))
    return tmp_path


class Loader(yaml.SafeLoader):
    """Reads ``!function`` as a name."""


Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_each_task_file_names_a_task_whose_metrics_it_lists(path):
    own = yaml.load(path.read_text(), Loader)
    shared = yaml.load((FOLDER / own["include"]).read_text(), Loader)
    named = json.loads((FOLDER / own["dataset_kwargs"]["data_files"]["test"]).read_text())["task"]
    listed = {entry["metric"] for entry in shared["metric_list"]}
    right = {"ground": {"R1@0.3", "R1@0.5", "R1@0.7", "mIoU"}, "choice": {"accuracy"}}
    assert path.stem == named and listed == right[get_spec(named).answer]
    common = yaml.load((FOLDER / shared["include"]).read_text(), Loader)
    for name in ("process_docs", "doc_to_visual", "doc_to_text", "doc_to_target", "process_results"):
        module, _, function = common[name].rpartition(".")
        assert module == utils.__name__ and callable(getattr(utils, function))


def answers(task) -> dict[str, str]:
    """Something to say about each row: right, off by a second, or nonsense."""
    said = {}
    for number, row in enumerate(task.rows):
        moved = [Span(span.start_s + 1, span.end_s + 1) for span in row.spans]
        said[row.id] = (format_spans(row.spans), format_spans(moved), "I cannot tell")[number % 3]
    return said


def test_what_lmms_eval_averages_is_our_strict_score(data, tmp_path):
    task = load_task(get_spec("synth"), data=data)
    documents = [utils.document(task, row) for row in task.rows]
    said = answers(task)
    found = [utils.process_results(doc, [said[doc["id"]]]) for doc in documents]
    expected = score(task.spec, task.rows, {name: Prediction(text=text) for name, text in said.items()}).strict
    for name in ("R1@0.3", "R1@0.5", "R1@0.7", "mIoU"):
        assert fmean(one[name] for one in found) == pytest.approx(expected[name])
    first = task.rows[0]
    assert utils.doc_to_visual(documents[0]) == [str((data / "synth" / first.video).resolve())]
    assert utils.doc_to_text(documents[0], {"prompt": "short"}) == row_prompt(get_prompts("short"), first)
    assert utils.doc_to_text(documents[0]) == row_prompt(get_prompts("timelens"), first)
    assert utils.process_results(documents[0], [utils.doc_to_target(documents[0])])["mIoU"] == 100
    lines = [
        json.dumps({"doc_id": number, "doc": doc, "filtered_resps": [said[doc["id"]]]})
        for number, doc in enumerate(documents)
    ]
    (tmp_path / "run_samples_timeground_synth.jsonl").write_text("\n".join(lines) + "\n")
    read = read_predictions([tmp_path / "run_samples_timeground_synth.jsonl"], task.rows)
    assert {name: one.text for name, one in read.by_row.items()} == said


def test_what_cannot_be_shown_there_is_refused(data):
    task = load_task(get_spec("synth"), data=data)
    gone = utils.document(task, task.rows[0])
    Path(gone["video"]).unlink()
    with pytest.raises(UserError, match="is not there"):
        utils.doc_to_visual(gone)
    task.rows[0].window = Span(0, 1)
    with pytest.raises(UserError, match="part of its file"):
        utils.document(task, task.rows[0])


def test_without_a_data_folder_it_says_what_to_set(monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.delenv(utils.DATA, raising=False)
    with pytest.raises(UserError, match="set TIMEGROUND_DATA"):
        utils.rows([{"task": "synth"}])


@pytest.mark.parametrize("name", ["synth", "synth-choice"])
def test_lmms_evals_own_loader_takes_the_folder(data, monkeypatch, name):
    pytest.importorskip("lmms_eval")
    from lmms_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
    assert {path.stem.replace("-", "_") for path in TASKS} == {task[11:] for task in manager.all_subtasks}
    full = f"timeground_{name.replace('-', '_')}"
    task = manager.load_task_or_group([full])[full]
    rows = load_task(get_spec(name), data=data).rows
    documents = list(task.test_docs())
    assert [doc["id"] for doc in documents] == [row.id for row in rows]
    assert task.doc_to_text(documents[0]) == row_prompt(get_prompts("timelens"), rows[0])
    assert task.doc_to_visual(documents[0]) == [str((data / "synth" / rows[0].video).resolve())]
    found = task.process_results(documents[0], [task.doc_to_target(documents[0])])
    assert set(found) == set(task.aggregation()) and set(found.values()) == {100}
    for metric, average in task.aggregation().items():
        assert average([0.0, 100.0]) == 50 and task.higher_is_better()[metric]
