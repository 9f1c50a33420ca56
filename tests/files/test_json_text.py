"""Text is text: what stands in answers, ids, queries and file names survives a write and a read everywhere."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from timeground.data_pipeline.item import Item
from timeground.data_pipeline.shards import read_shard, write_shard
from timeground.eval.run.answers import Answer, AnswerFile, Said
from timeground.eval.samples import Sample, read_samples, write_samples

from tests.support.scripted_server import scripted
from timeground.cli.main import main
from timeground.data.rows import Row, read_rows, resolve_video, write_rows
from timeground.errors import UserError
from timeground.files.json_text import dump_json, lines_of
from timeground.methods.grounder import Grounder
from timeground.spans import Span

ODD = "a\u2028b\u2029c\u0085d\ud800e\x00f\x0b\x1c\x1e\ud83dg 'é' 猫 😀 \u202e"


@given(st.text(alphabet=st.characters()), st.text())
def test_any_text_is_one_line_of_utf_8_and_comes_back(text: str, other: str) -> None:
    written = dump_json({"a": text, other: [text]})
    assert len(written.encode().decode().splitlines()) == 1
    assert json.loads(written) == {"a": text, other: [text]}


def test_readable_letters_stay_readable_and_lines_end_at_line_feeds_only():
    assert dump_json("猫 é 😀") == '"猫 é 😀"'
    assert lines_of("a\u2028b\nc\x0bd\n") == ["a\u2028b", "c\x0bd"] and lines_of("a\n\n") == ["a", ""]


def test_rows_answers_samples_and_shards_keep_their_texts(tmp_path):
    row = Row(ODD, f"{ODD.replace(chr(0), '')}.mp4", 10.0, ODD, [Span(1, 2)], meta={ODD: ODD})
    write_rows(tmp_path / "rows.jsonl", [row])
    assert list(read_rows(tmp_path / "rows.jsonl")) == [row]
    file = AnswerFile(tmp_path / "answers", 0)
    file.add([Answer(ODD, said=Said(ODD), samples=[Said(ODD)], video="v"), Answer("b", said=Said("x"), video="v")])
    found = AnswerFile(tmp_path / "answers", 0).read({ODD: "v", "b": "v"})
    assert found[ODD, "clean"].said == Said(ODD) and found[ODD, "clean"].samples == [Said(ODD)] and len(found) == 2
    item = Item(ODD, [row], {ODD: ODD}, [{"reason": ODD}], {"reason": ODD})
    write_shard(tmp_path / "s.jsonl", [item])
    assert read_shard(tmp_path / "s.jsonl") == [item]
    sample = Sample(0, ODD, "synth", ODD, text=ODD)
    write_samples(tmp_path / "samples.jsonl", [sample])
    (line,) = lines_of((tmp_path / "samples.jsonl").read_text())
    assert json.loads(line)["text"] == ODD and len(list(read_samples(tmp_path / "samples.jsonl"))) == 1


def test_parquet_says_what_it_cannot_hold(tmp_path):
    row = Row("a", "a.mp4", 10.0, "lone \ud800 surrogate", [Span(1, 2)])
    with pytest.raises(UserError, match="row 1: cannot be stored as Parquet"):
        write_rows(tmp_path / "rows.parquet", [row])
    row.query = "a\u2028b\x00c"
    write_rows(tmp_path / "rows.parquet", [row])
    assert list(read_rows(tmp_path / "rows.parquet")) == [row]


def test_a_model_is_asked_and_answers_with_any_text(qwen3_folder, synth_folder):
    grounder = Grounder.from_pretrained(qwen3_folder, overrides={"max_new_tokens": 2})
    video = next((synth_folder / "videos").glob("*.mp4"))
    assert grounder.ground(video, f"the cat {ODD}").query == f"the cat {ODD}"


def test_evaluation_goes_on_after_any_answer(synth_folder, tmp_path):
    """It could not be started again once an answer had held a line separator."""
    (tmp_path / "data").mkdir()
    shutil.copytree(synth_folder, tmp_path / "data" / "synth")
    args = ["eval", "--tasks", "synth", "--data", str(tmp_path / "data"), "--workers", "0", "--limit", "6"]
    with scripted(lambda _: f"5.0 - 9.0 seconds {ODD}") as (url, script):
        for _ in range(2):
            assert main([*args, "--model", url, "--output_path", str(tmp_path / "out")]) == 0
        assert len(script.asked) == 6
    lines = lines_of((tmp_path / "out" / "synth" / "samples.jsonl").read_text())
    assert all(json.loads(line)["spans"] == [[5.0, 9.0]] for line in lines) and len(lines) == 6


def test_file_names_of_any_bytes(synth_folder, tmp_path):
    video = next((synth_folder / "videos").glob("*.mp4"))
    odd = os.fsencode(str(tmp_path)) + b"/caf\xe9 \xe2\x80\xa8 x.mp4"
    shutil.copy(video, odd)
    done = subprocess.run(
        [sys.executable, "-m", "timeground", "ground", odd, "the red circle moves", "--json"], capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["video"] == os.fsdecode(odd)
    plain = subprocess.run([sys.executable, "-m", "timeground", "ground", odd, "the red circle"], capture_output=True)
    assert plain.returncode == 0 and b"caf" in plain.stdout
    with pytest.raises(UserError, match="not a usable path"):
        resolve_video(tmp_path, "a\x00b.mp4")
