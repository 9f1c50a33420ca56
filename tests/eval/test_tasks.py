"""Task declarations: the ones that ship, and a user's own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from timeground.eval.tasks import SHOW_WHEN, Task, get_spec, load_task, read_specs

from tests.eval.helpers import choice, ground, said
from tests.support.spans_text import format_spans
from timeground.chat.prompts import PROMPTS, row_answer
from timeground.cli.main import main
from timeground.errors import UserError

ROW = {"id": "1", "video": "v.mp4", "duration": 9.0, "query": "a man sits", "spans": [[1, 2]]}
QUESTION = {"id": "2", "video": "v.mp4", "duration": 9.0, "question": "what?", "options": ["x", "y"], "answer": "A"}


def test_the_page_lists_every_task_that_ships():
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    assert set(re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)) == set(read_specs())


@pytest.mark.parametrize("name", read_specs())
def test_every_task_says_what_to_download(tmp_path, name):
    with pytest.raises(UserError, match=r"no file .*(download|render)"):
        load_task(get_spec(name), data=tmp_path)


def test_unknown_names_and_missing_data(tmp_path):
    with pytest.raises(UserError, match="unknown task 'x'; there are: charades, activitynet"):
        get_spec("x")
    with pytest.raises(UserError, match=r"unknown task 'charades-timelense'; did you mean 'charades-timelens'\?"):
        get_spec("charades-timelense")
    with pytest.raises(UserError, match=r"did you mean 'videomme'\?"):
        get_spec("Video-MME")
    with pytest.raises(UserError, match="give --annotations FILE, or --data ROOT with the folder charades/"):
        load_task(get_spec("charades"))
    with pytest.raises(UserError, match="no such file"):
        load_task(get_spec("charades"), annotations=tmp_path / "none.txt")


def test_the_list_says_where_everything_goes(capsys):
    assert main(["eval", "--tasks", "list"]) == 0
    lines = {line.split()[0]: line.split()[1:3] for line in capsys.readouterr().out.splitlines()}
    assert lines["charades"] == ["charades/", "Charades_v1_480/"] and lines["videomme"] == ["Video-MME/", "data/"]
    assert lines["synth"] == ["synth/", "./"] and set(lines) == {"task", *read_specs()}


def test_a_folder_is_found_in_another_case(tmp_path):
    (tmp_path / "mlvu").mkdir()
    item = {"video": "1.mp4", "duration": 9, "question": "q", "candidates": ["x", "y"], "answer": "y"}
    (tmp_path / "mlvu" / "2_needle.json").write_text(json.dumps([item]))
    task = load_task(get_spec("mlvu"), data=tmp_path)
    assert len(task.rows) == 1 and task.video_root == tmp_path / "mlvu" / "video"


def own_task(tmp_path, declaration, *rows):
    (tmp_path / "mine.jsonl").write_text("\n".join(map(json.dumps, rows)))
    file = tmp_path / "mine.yaml"
    file.write_text(declaration)
    return file


def test_a_task_of_ones_own_is_one_file(tmp_path):
    file = own_task(tmp_path, "name: mine\nfolder: mine.jsonl\nthresholds: [0.5]\nofficial: charades", ROW, QUESTION)
    for include in (file, tmp_path):
        task = load_task(get_spec("mine", include))
        assert [row.id for row in task.rows] == ["1"] and task.video_root == tmp_path / "videos"
        assert task.score({"1": said("1 - 2")}).strict == {"R1@0.5": 100, "mIoU": 100}
    assert "charades" in read_specs(file)


def test_a_reader_of_ones_own_must_be_named(tmp_path):
    reader = (
        "from timeground.data.rows import Row\n"
        "def read(root, split):\n    yield Row('1', 'v.mp4', 5.0, query=f'{root.name} {split}')\n"
    )
    (tmp_path / "my_reader.py").write_text(reader)
    file = own_task(tmp_path, "- {name: mine, reader: my_reader.py, split: dev, folder: data}")
    task = load_task(get_spec("mine", file), data=tmp_path)
    assert task.rows[0].query == "data dev"


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("name: [", "not YAML"),
        ("- 5", "a task must be a mapping with a 'name'"),
        ("{name: m, colour: red}", "unknown key colour"),
        ("{name: m, reader: nothing}", "reader must be one of"),
        ("{name: m, reader: charades, split: dev}", "split must be one of 'test', 'train'; got 'dev'"),
        ("{name: m, answer: song}", "answer must be one of"),
        ("{name: m, official: best}", "official must be one of"),
        ("{name: m, thresholds: 0.5}", "thresholds must be a list"),
        ("{name: m, thresholds: [2]}", "thresholds must be numbers from 0 to 1"),
        ("{name: m, folder: 5}", "folder must be a text"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_mistakes_in_a_declaration_are_one_line(tmp_path, declaration, message):
    file = tmp_path / "mine.yaml"
    file.write_text(declaration)
    with pytest.raises(UserError) as error:
        read_specs(file)
    assert message in str(error.value) and str(file) in str(error.value) and "\n" not in str(error.value)


def test_prompts():
    prompts = PROMPTS["timelens"]
    task = Task(get_spec("nextgqa"), [], Path())
    assert task.prompt(choice("1", "A"), prompts).endswith(SHOW_WHEN)
    assert "A. x" in Task(get_spec("mvbench"), [], Path()).prompt(choice("1", "A"), prompts)
    assert "'a man sits'" in Task(get_spec("charades"), [], Path()).prompt(ground("1", (0, 1)), prompts)
    bare = choice("1", "A")
    bare.options = None
    with pytest.raises(UserError, match="no options"):
        task.prompt(bare, prompts)


@pytest.mark.parametrize("name", ["synth", "synth-gqa", "synth-choice", "synth-yes-no"])
def test_the_right_answers_to_synthmoments_score_100(synth_folder, name):
    task = load_task(get_spec(name), annotations=synth_folder)
    replies = {row.id: row_answer(PROMPTS["timelens"], row) for row in task.rows}
    if name == "synth-gqa":
        replies = {
            r.id: f"<answer>{r.answer}</answer><time>{format_spans(r.spans, decimals=3)}</time>" for r in task.rows
        }
    scores = task.score({row_id: said(text) for row_id, text in replies.items()})
    least = min(value for metric, value in scores.strict.items() if metric not in ("mIoU", "set IoU", "mIoP"))
    assert least == 100 and scores.counts.unreadable == 0 and scores.official is None
    assert scores.strict.get("mIoU", 100) > 95  # one decimal


def test_rows_without_ground_truth_are_not_scored():
    task = Task(get_spec("qvhighlights"), [ground("1", unlabelled=True)], Path())
    with pytest.raises(UserError, match="no ground truth"):
        task.score({})
