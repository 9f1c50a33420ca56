"""A Hub id that cannot be had is one line at once; one that can is fetched with what it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.fake_hub import fake_hub
from timeground.cli.main import main
from timeground.errors import UserError
from timeground.models import hub
from timeground.models.catalogue import MODELS, best_for, near
from timeground.models.hub import check_name, only_on_disk, within

TINY = Path(str(files("timeground") / "assets" / "tiny"))


def command(*words: str, endpoint: str, home: Path) -> tuple[int, str, str]:
    """Run it as a user does who is online. Return its status, its output and its errors."""
    online = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_OFFLINE": "0", "HF_HUB_ETAG_TIMEOUT": "60"}
    done = subprocess.run(
        [sys.executable, "-m", "timeground", *words], capture_output=True, text=True, env={**os.environ, **online}
    )
    return done.returncode, done.stdout, done.stderr


def test_a_model_is_fetched_listed_and_opened_from_disk_when_the_hub_is_gone(tmp_path):
    with fake_hub({"me/small": TINY}) as endpoint:
        status, out, error = command("models", "--download", "me/small", endpoint=endpoint, home=tmp_path)
        assert status == 0 and "9.5 MB in 8 files" in error and "--model me/small" in out, error
        assert not any(mark in error for mark in ("it/s", "Fetching", "%|")), "a bar of another library"
        status, _, error = command("models", "--download", "me/smal", endpoint=endpoint, home=tmp_path)
        assert status == 2 and "has no such model" in error and "did you mean me/small?" in error
    status, out, _ = command("models", "--json", endpoint=endpoint, home=tmp_path)
    assert json.loads(out)["on_disk"]["me/small"]["complete"] is True and status == 0
    script = (
        "from timeground.models.checkpoint import Checkpoint; from timeground.models.hub import only_on_disk\n"
        "found = Checkpoint.open('me/small'); found.processor\n"
        "print(found.profile.knows, only_on_disk('me/small'))"
    )
    env = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **env})
    assert done.stdout.split() == ["SynthMoments", "True"], done.stderr  # its own profile came along
    assert "Retrying" not in done.stderr and "[Retry" not in done.stderr


@pytest.fixture
def online(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    only_on_disk.cache_clear()
    yield lambda url: monkeypatch.setattr(constants, "ENDPOINT", url)
    only_on_disk.cache_clear()


def test_out_of_reach_is_told_within_two_seconds(online):
    online("http://127.0.0.1:9")
    with pytest.raises(UserError, match="cannot be reached") as told:
        check_name("me/none")
    assert "\n" not in str(told.value)
    assert within(0.2, lambda: time.sleep(5)) == (False, None)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TimeLens-8B", "did you mean TencentARC/TimeLens-8B?"),
        ("timelens-8b", "did you mean TencentARC/TimeLens-8B?"),
        ("TencentARC/TimeLense-8B", "did you mean TencentARC/TimeLens-8B"),
        ("TencentARC/TimeLens-8B", "timeground models --download TencentARC/TimeLens-8B"),
        ("qwen3-vl-8b-instruct", "did you mean Qwen/Qwen3-VL-8B-Instruct?"),
        ("somebody/something", "timeground models lists some"),
        ("a/b/c", "no Hub id"),
    ],
)
def test_a_line_says_what_was_meant(name, said):
    only_on_disk.cache_clear()
    with pytest.raises(UserError) as told:
        check_name(name)
    assert said in str(told.value) and "\n" not in str(told.value)


@pytest.mark.parametrize(
    "words",
    [["ground", "example"], ["eval", "--tasks", "synth", "--output_path", "x"], ["serve"], ["doctor"], ["demo"]],
)
def test_every_command_that_opens_a_model_says_so(words, capsys):
    assert main([*words, "--model", "TimeLens-8B"]) == 2
    error = capsys.readouterr().err
    assert "did you mean TencentARC/TimeLens-8B?" in error and error.count("\n") == 1, error


def test_the_check_loads_no_library_of_models():
    script = (
        "import sys; from timeground.cli.main import main; main(['ground', 'example', '--model', 'TimeLens-8B'])\n"
        "main(['models'])\n"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.endswith("[]\n"), done.stdout
    assert all(model.id in done.stdout for model in MODELS) and "timeground models --download" in done.stdout


def test_the_catalogue_says_which_model_for_which_gpu():
    assert [best_for(gb).id if best_for(gb) else None for gb in (8, 12, 15.8, 24, 80)] == [
        None, "Qwen/Qwen3-VL-2B-Instruct", "MCG-NJU/TimeLens2-4B", "TencentARC/TimeLens-8B", "TencentARC/TimeLens-8B",
    ]  # fmt: skip
    assert near("zzz") == [] and near("mine/model", ["mine/modle"]) == ["mine/modle"]
    assert hub.WAIT_S < 2
