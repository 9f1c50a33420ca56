"""``timeground eval --calibrate``: what is fitted, where it goes, and what results say of confidences and denials."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from timeground.eval.run.answers import CLEAN, Answer, Said
from timeground.eval.run.calibrate import fit, held_out, profile_file
from timeground.eval.run.confidence import Claim, claims_of, confidence_result, confidence_text, null_result, risk_lines
from timeground.eval.run.settings import RunSettings
from timeground.eval.samples import read_samples

from tests.eval.helpers import choice, ground, said
from timeground.chat.confidence import RAW, Calibration, Scale
from timeground.chat.profile import Profile, load_profile
from timeground.cli.main import main
from timeground.data.rows import read_rows, write_rows
from timeground.methods.base import Outcome
from timeground.models.names import resolve
from timeground.scoring import parse

GUESSES = "tests.support.toy_method:Guesses"
FILES = ("results.json", "report.html", "settings.json", "synth/samples.jsonl", "synth/answers-0.jsonl")
SCALES = Calibration(spans=Scale(2.0, -0.5))


def answered(row, text, confidence):
    """What a run keeps of a reply; a calibrated method says another confidence, which is not kept."""
    scaled = None if confidence is None else 0.123
    return Answer(row.id, said=Said.of(Outcome(parse(text, row), scaled, raw_confidence=confidence)))


def table(*told):
    return [row for row, _, _ in told], {(row.id, CLEAN): answered(row, text, raw) for row, text, raw in told}


ROWS, ANSWERS = table(
    (ground("a", (10, 20)), "10 - 18 seconds", 0.9),
    (ground("b", (10, 20)), "10 - 14 seconds", 0.8),
    (ground("c", (10, 20)), "It does not happen.", 0.7),
    (ground("d"), "It does not happen.", 0.6),
    (ground("e", (1, 2)), "I am not sure", 0.5),
    (ground("f", (1, 2)), "1 - 2 seconds", None),
    (choice("g", "B"), "B", 0.4),
)  # fmt: skip


def test_claims_are_what_the_confidence_says():
    claims = claims_of([*ROWS, ground("not asked")], ANSWERS, Profile(calibration=SCALES))
    assert [(one.kind, one.raw, one.is_right) for one in claims] == [
        ("spans", 0.9, True), ("spans", 0.8, False), ("absent", 0.7, False), ("absent", 0.6, True),
        ("choice", 0.4, True),
    ]  # fmt: skip
    assert [one.confidence for one in claims] == [SCALES.spans(0.9), SCALES.spans(0.8), 0.7, 0.6, 0.4]
    found = confidence_result(claims, Profile(calibration=SCALES))
    assert found["means"] == {"spans": "P(IoU >= 0.5)", "absent": RAW, "choice": RAW}
    assert (found["all"]["answers"], found["all"]["right"], found["spans"]["right"]) == (5, 60.0, 50.0)
    assert found["all"]["ECE_excess"] == pytest.approx(
        found["all"]["ECE"] - found["all"]["ECE_if_calibrated"], abs=1e-3
    )
    assert list(found["risk_at_coverage"]) == [str(share) for share in range(10, 101, 10)]
    assert found["risk_at_coverage"]["100"] == 40.0
    assert confidence_result([], Profile()) == {} and confidence_text({}) == []
    lines = risk_lines(claims)
    assert all(points[-1] == (100.0, 40.0) for points in lines.values()) and len(lines) == 2


def test_denials_are_counted_over_every_row():
    said_of = {row_id: said(text) for row_id, text in {"c": "It does not happen.", "d": "no such event"}.items()}
    rows = [ground("c", (1, 2)), ground("d"), ground("no prediction"), ground("f", (1, 2)), choice("g", "B")]
    found = null_result(rows, said_of)
    assert found == {"null_rows": 2, "other_rows": 2, "rejected": 50.0, "wrongly_rejected": 50.0, "precision": 50.0,
                     "F1": 50.0}  # fmt: skip
    assert null_result(rows[:1], said_of) == null_result(rows[-1:], said_of) == {}
    (line,) = confidence_text({"null_rejection": null_result(rows[2:3], {})})
    assert "denied 0.00 of 1 rows" in line and "precision none" in line


def claims(kind, num, num_right, videos=10):
    """Answers of which the surest ones but every fifth are right, a few of each video."""
    right = range(num - num_right, num)
    return [
        Claim(kind, (place + 1) / (num + 1), 0.5, (place in right) != (place % 5 == 0), f"v{place % videos}")
        for place in range(num)
    ]


def test_only_kinds_with_enough_answers_are_fitted():
    before = Calibration(absent=Scale(1.0, 0.0), choice=Scale(3.0, 3.0))
    sure = [replace(one, is_right=True) for one in claims("yes_no", 25, 12)]
    found = fit([*claims("spans", 60, 40), *claims("absent", 19, 9), *sure], before)
    assert found.calibration.spans and (found.calibration.absent, found.calibration.choice) == (
        before.absent,
        before.choice,
    )
    assert found.calibration.yes_no is None and set(found.kinds) == {"spans"}
    assert found.left == {
        "absent": "19 answers, and 20 are needed", "choice": "0 answers, and 20 are needed",
        "yes_no": "all 25 answers are right",
    }  # fmt: skip
    told = found.kinds["spans"]
    assert Scale(told["slope"], told["shift"]) == found.calibration.spans and told["answers"] == 60
    lines = found.to_text().splitlines()
    assert lines[0].startswith("calibrated spans on 60 answers: ECE") and lines[-1].startswith("left yes_no as it was")
    mixed = claims("spans", 60, 40)
    assert fit(mixed[::-1]).kinds["spans"] == pytest.approx(fit(mixed).kinds["spans"])


def test_what_a_scale_is_worth_is_told_on_other_videos():
    """With one video's answers turned round, the scale of that video's answers is the others'."""
    told = claims("spans", 60, 40)
    turned = [replace(one, is_right=not one.is_right) if one.video == "v3" else one for one in told]
    places = [place for place, one in enumerate(told) if one.video == "v3"]
    before, after = held_out(told), held_out(turned)
    assert [before[place] for place in places] == [after[place] for place in places] and before != after
    assert held_out(claims("spans", 60, 40, videos=1)) is None
    (line,) = fit(claims("spans", 60, 40, videos=1)).to_text().splitlines()[:1]
    assert line.endswith("too few answers to tell")


def test_where_the_profile_goes(tmp_path):
    def where(model, **more):
        return profile_file(RunSettings(str(model), ("synth",), **more), tmp_path / "out").parent

    folder, output = tmp_path / "model", tmp_path / "out"
    folder.mkdir()
    assert where(folder) == folder
    for asked in ({"profile": "arrowgev"}, {"overrides": {"fps": 4}}):
        assert where(folder, **asked) == output
    assert where("tiny") == where("TencentARC/TimeLens-8B") == where("http://localhost:1/v1#m") == output


@pytest.fixture(scope="module")
def data(synth_folder, tmp_path_factory) -> Path:
    """The rows of three short videos, each five times."""
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(synth_folder, root / "synth")
    rows = [row for row in read_rows(root / "synth" / "annotations.jsonl") if row.task == "ground"]
    write_rows(root / "synth" / "annotations.jsonl", [replace(r, id=f"{r.id}-{n}") for n in range(5) for r in rows])
    return root


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Pictures of the worst answers take longer than all the rest."""
    monkeypatch.setattr("timeground.eval.run.report.NUM_STRIPS", 0)


def arguments(data, model, output, *more):
    return [
        "eval", "--model", str(model), "--tasks", "synth", "--data", str(data), "--output_path", str(output),
        "--workers", "0", "--method", GUESSES, *more,
    ]  # fmt: skip


def results(output):
    return json.loads((output / "results.json").read_text())


def test_a_finished_run_is_calibrated_without_asking_again(data, tmp_path, capsys):
    model, output = tmp_path / "model", tmp_path / "out"
    shutil.copytree(resolve("tiny"), model)
    plain = load_profile(model / "grounding_config.json")
    for folder in (output, tmp_path / "other"):
        assert main(arguments(data, model, folder)) == 0
    first = results(output)
    assert "calibration" not in first and "calibration" not in first["profile"]
    raw = first["tasks"]["synth"]["confidence"]
    assert set(raw["means"].values()) == {RAW} and raw["all"]["ECE_excess"] > 5
    assert f"confidence ({RAW}) of" in capsys.readouterr().out
    kept = {name: (output / name).read_bytes() for name in ("synth/answers-0.jsonl", "settings.json")}
    raws = {sample.id: sample.confidence for sample in read_samples(output)}

    assert main(arguments(data, model, output, "--calibrate")) == 0
    told = capsys.readouterr().out
    assert "calibrated spans on" in told and "left choice as it was: 0 answers" in told and f"wrote {model}" in told
    assert {name: (output / name).read_bytes() for name in kept} == kept
    profile, second = load_profile(model / "grounding_config.json"), results(output)
    assert replace(profile, calibration=None) == plain and profile.calibration.choice is None
    assert second["profile"]["calibration"] == profile.calibration.to_json()
    assert second["tasks"]["synth"]["strict"] == first["tasks"]["synth"]["strict"]
    assert second["model_contents"] == first["model_contents"]
    for kind in ("spans", "absent"):
        now, fitted = second["tasks"]["synth"]["confidence"][kind], second["calibration"][kind]
        assert fitted["ECE_raw"] == raw[kind]["ECE"] > now["ECE"] and fitted["ECE_held_out"] < fitted["ECE_raw"]
        assert now["AURC"] == pytest.approx(raw[kind]["AURC"], abs=1e-3)
    for sample in read_samples(output):
        kind = "spans" if sample.spans else "absent"
        assert sample.confidence == pytest.approx(profile.confidence(kind, raws[sample.id]), abs=1e-6)
    page = (output / "report.html").read_text()
    assert "P(IoU &gt;= 0.5)" in page and "risk and coverage" in page and '<path class="first"' in page

    files = {name: (output / name).read_bytes() for name in FILES}
    assert main(arguments(data, model, output, "--calibrate")) == 0
    assert {name: (output / name).read_bytes() for name in FILES} == files
    assert main(arguments(data, model, tmp_path / "other")) == 0  # begun before, it goes on with the same answers
    third = results(tmp_path / "other")
    assert third == {name: value for name, value in second.items() if name != "calibration"}


def test_a_model_that_is_no_folder_has_its_profile_beside_the_results(data, tmp_path, capsys):
    output = tmp_path / "out"
    assert main(arguments(data, "tiny", output, "--calibrate")) == 0
    file = output / "grounding_config.json"
    assert f"ask the model so: --profile {file}" in capsys.readouterr().out
    assert main(arguments(data, "tiny", tmp_path / "so", "--profile", str(file))) == 0
    calibrated = results(output)
    assert results(tmp_path / "so")["tasks"] == calibrated["tasks"]
    assert main(["ground", "example", "--profile", str(file), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out.splitlines()[-1])["answers"]
    assert answer["confidence_means"] == "P(IoU >= 0.5)" and 0 < answer["confidence"] < 1
    fields = json.loads(file.read_text())
    file.write_text(json.dumps({**fields, "calibration": {}}, indent=2) + "\n")
    assert main(arguments(data, "tiny", tmp_path / "so", "--profile", str(file))) == 0  # the answers are the same
    assert set(results(tmp_path / "so")["tasks"]["synth"]["confidence"]["means"].values()) == {RAW}
    file.write_text(json.dumps({**fields, "fps": 1.0}, indent=2) + "\n")
    assert main(arguments(data, "tiny", tmp_path / "so", "--profile", str(file))) == 2
    assert "other settings in the profile's file" in capsys.readouterr().err
    file.write_text(json.dumps({**fields, "calibration": {"spans": 1}}))
    assert main(arguments(data, "tiny", tmp_path / "bad", "--profile", str(file))) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert str(file) in error and "calibration of spans is 1" in error


def test_a_folder_without_a_profile_gets_one_and_its_run_goes_on(data, tmp_path):
    model, output = tmp_path / "model", tmp_path / "out"
    shutil.copytree(resolve("tiny"), model)
    (model / "grounding_config.json").unlink()
    command = arguments(data, model, output, "--calibrate", "--max_new_tokens", "8")
    assert main(command) == 0
    files = {name: (output / name).read_bytes() for name in FILES}
    assert load_profile(model / "grounding_config.json").calibration
    assert main(command) == 0 and {name: (output / name).read_bytes() for name in FILES} == files


def test_too_few_answers_change_nothing(data, tmp_path, capsys):
    model = tmp_path / "model"
    shutil.copytree(resolve("tiny"), model)
    before = (model / "grounding_config.json").read_bytes()
    assert main(arguments(data, model, tmp_path / "out", "--calibrate", "--limit", "6")) == 0
    assert "nothing was calibrated: give more rows" in capsys.readouterr().out
    assert (model / "grounding_config.json").read_bytes() == before
    assert set(results(tmp_path / "out")["calibration"]) == {"left"}


def test_a_place_that_cannot_be_written_is_told_before_anything_is_asked(data, tmp_path, capsys):
    model = tmp_path / "model"
    shutil.copytree(resolve("tiny"), model)
    (model / "grounding_config.json").unlink()
    (model / "grounding_config.json").mkdir()
    assert main(arguments(data, model, tmp_path / "out", "--calibrate")) == 2
    assert "cannot be written" in capsys.readouterr().err and not (tmp_path / "out" / "synth").exists()


@pytest.mark.long
def test_the_bundled_model_is_calibrated_on_what_it_says(data, tmp_path):
    """The real model, the direct method; two processes fit what one does."""
    said_by = {}
    for processes in ("1", "2"):
        model, output = tmp_path / f"model{processes}", tmp_path / f"out{processes}"
        shutil.copytree(resolve("tiny"), model)
        command = arguments(data, model, output, "--calibrate", "--processes", processes)
        del command[command.index("--method") : command.index("--method") + 2]
        assert main(command) == 0
        told = results(output)
        assert 0 < told["calibration"]["spans"]["ECE_raw"] < 100
        assert told["tasks"]["synth"]["null_rejection"]["rejected"] >= 50
        said_by[processes] = load_profile(model / "grounding_config.json")
    assert said_by["1"] == said_by["2"] and said_by["1"].calibration.spans.slope >= 0
