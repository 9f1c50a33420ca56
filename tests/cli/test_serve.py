"""`timeground serve`: which command it runs, and what it says where vLLM is not there. A real server: tests/serving."""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys

import pytest

from timeground.cli.main import main


def test_the_command_is_shown(capsys):
    assert main(["serve", "--dry-run", "--python", sys.executable, "--port", "8123", "--", "--max-num-seqs", "4"]) == 0
    shown = capsys.readouterr().out
    assert "-m vllm.entrypoints.openai.api_server" in shown and "--served-model-name tiny" in shown
    assert "--port 8123" in shown and shown.rstrip().endswith("--max-num-seqs 4")
    assert "PYTHONPATH=" in shown and "--enable-scale-out" in shown and "WeightReader" not in shown


def test_only_a_server_for_training_takes_weights(capsys):
    assert main(["serve", "--dry-run", "--python", sys.executable, "--train"]) == 0
    shown = capsys.readouterr().out
    assert "VLLM_SERVER_DEV_MODE=1" in shown and "--worker-extension-cls timeground_vllm.WeightReader" in shown
    assert "--enable-lora" not in shown


def test_a_cpu_build_reads_prompts_in_one_piece(tmp_path, capsys):
    """Its generators cannot be wound back, which vLLM does for a seeded request whose prompt it splits."""
    for version, wanted in (("2.13.0+cpu", True), ("2.13.0+cu130", False)):
        python = tmp_path / version
        python.write_text(f"#!/bin/sh\necho {version}\n")
        python.chmod(0o755)
        assert main(["serve", "--dry-run", "--python", str(python)]) == 0
        assert ("--no-enable-chunked-prefill" in capsys.readouterr().out) is wanted


def test_a_hybrid_on_a_cpu_build_keeps_no_prefixes(qwen3_5_folder, tmp_path, capsys):
    """vLLM shares states only where it splits prompts."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 2.13.0+cpu\n")
    python.chmod(0o755)
    for model, wanted in ((qwen3_5_folder, True), ("tiny", False)):
        assert main(["serve", "--dry-run", "--python", str(python), "--model", model]) == 0
        assert ("--no-enable-prefix-caching" in capsys.readouterr().out) is wanted


def test_room_for_adapters_is_what_vllm_has_a_size_for(capsys):
    assert main(["serve", "--dry-run", "--python", sys.executable, "--train", "--lora", "20"]) == 0
    assert "--enable-lora --max-loras 1 --max-lora-rank 32" in capsys.readouterr().out


def test_who_ends_it_ends_the_server(tmp_path):
    """The process that was started is the server's own; none is left behind."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho $$ $1 $2\n[ $1 = -m ] && exec sleep 100\n")
    python.chmod(0o755)
    command = [sys.executable, "-m", "timeground", "serve", "--python", str(python)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        lines = iter(started.stdout.readline, "")
        assert f"{started.pid} -m vllm.entrypoints.openai.api_server\n" in lines
        started.terminate()
        assert started.wait(30) == -signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--python", "/no/python"], "there is no such Python"),
        (["--python", sys.executable, "--model", "/no/model"], "no such model folder"),
        (["--python", sys.executable, "--lora", "8"], "give --train as well"),
        (["--python", sys.executable, "--lora", "513", "--train"], "of rank 1 to 512"),
    ],
)
def test_mistakes_are_one_line_and_status_2(arguments, words, capsys):
    assert main(["serve", "--dry-run", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_without_vllm_it_says_how_to_get_it(monkeypatch, capsys):
    if importlib.util.find_spec("vllm"):
        pytest.skip("vLLM is installed here")
    monkeypatch.delenv("TIMEGROUND_VLLM", raising=False)
    assert main(["serve", "--dry-run"]) == 2
    assert "pip install vllm" in capsys.readouterr().err
