"""``timeground serve``: starts vLLM for a model with the flags that grounding wants, and says which command it ran."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from timeground.errors import UserError

if TYPE_CHECKING:
    from timeground.models.checkpoint import Checkpoint

PYTHON = "TIMEGROUND_VLLM"
"""Environment variable that names the Python of vLLM's environment, where it has one of its own."""
ROOM_FOR_TEXT = 4096
LORA_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The sizes that vLLM makes room for."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--model", default="tiny", help="tiny (default), a Hub id, or a model folder")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--dtype", default="auto", help="auto (default), float32, bfloat16 or float16")
    parser.add_argument("--python", help=f"Python of the environment with vLLM (default: ${PYTHON}, else this one)")
    parser.add_argument("--train", action="store_true", help="for rollouts: whoever reaches it can change its weights")
    parser.add_argument("--lora", type=int, default=0, metavar="RANK", help="with --train: takes adapters up to a rank")
    parser.add_argument("--dry-run", action="store_true", help="print the command and stop")
    parser.add_argument("more", nargs="*", metavar="-- FLAG", help="further flags of vLLM, after --")


def run(args: argparse.Namespace) -> int:
    """Become the server, so that whoever ends this process ends it."""
    if args.lora and not args.train:
        raise UserError("--lora is for rollouts: give --train as well")
    command, environment = server_command(
        args.model, args.host, args.port, args.dtype,
        python=args.python, train=args.train, lora_rank=args.lora, more=args.more,
    )  # fmt: skip
    shown = {k: v for k, v in environment.items() if os.environ.get(k) != v}
    print(" ".join(f"{k}={shlex.quote(v)}" for k, v in shown.items()), shlex.join(command), flush=True)
    if args.dry_run:
        return 0
    up = f"when it says that it is up: timeground ground VIDEO 'query' --model http://{args.host}:{args.port}/v1"
    print(up, flush=True)
    os.execvpe(command[0], command, environment)  # noqa: S606 - a list of arguments, as for subprocess


def server_command(
    model: str,
    host: str,
    port: int,
    dtype: str = "auto",
    *,
    python: str | None = None,
    train: bool = False,
    lora_rank: int = 0,
    more: list[str] | None = None,
) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves a model, and its environment. Raise UserError if there is no vLLM to run.

    Clips come as they are (from us: `_for_clips`), or as images, a frame pair each, from anybody; so as many images are
    let in as the model's token budget holds. train: rollouts, with weights that change (`_for_training`), and with
    adapters up to `lora_rank`.
    """
    from timeground.models.hub import check_name

    check_name(model)
    from timeground.models.checkpoint import Checkpoint
    from timeground.models.checkpoint_files import check_folder
    from timeground.models.names import resolve

    path, program = resolve(model), _python(python)
    if Path(path).is_dir():
        check_folder(Path(path))
    checkpoint = Checkpoint.open(path)
    length, images, videos = _limits(checkpoint)
    command = [
        program, "-m", "vllm.entrypoints.openai.api_server",
        "--model", path, "--served-model-name", model, "--host", host, "--port", str(port), "--dtype", dtype,
        "--max-model-len", str(length), "--limit-mm-per-prompt", json.dumps({"image": images, "video": videos}),
        *_for_clips(), *(_for_training(lora_rank) if train else []),
        *_for_cpu(program, length, checkpoint.family.keeps_states),
    ]  # fmt: skip
    hook = str(files("timeground.models.served.vllm") / "plugin")  # our clips; mends torchvision beside a CPU torch
    ours = {
        "PYTHONPATH": os.pathsep.join(p for p in (hook, os.environ.get("PYTHONPATH")) if p),
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",  # CPU kernels are kept for so many shapes, and not for 1,024: these
        "LRU_CACHE_CAPACITY": "64",  # took 200 MB more after 100 steps of training, and saved no time
        "VLLM_NO_USAGE_STATS": "1",
    }
    given = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    training = {"VLLM_SERVER_DEV_MODE": "1"} if train else {}
    adapters = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"} if train and lora_rank else {}
    return [*command, *(more or [])], {**ours, **given, **training, **adapters}


def _for_clips() -> list[str]:
    """Return flags for our clips: token ids come with them, our loader reads them, their frames are not resized."""
    from timeground.models.served.vllm.media import shared_folder

    return [
        "--enable-scale-out",
        "--media-io-kwargs", json.dumps({"video": {"video_backend": "timeground"}}),
        "--mm-processor-kwargs", json.dumps({"videos_kwargs": {"do_resize": False}}),
        "--allowed-local-media-path", str(shared_folder()),
    ]  # fmt: skip


def _for_training(lora_rank: int) -> list[str]:
    """Return flags for rollouts: log-probabilities as they were sampled with, workers that read new weights."""
    flags = ["--logprobs-mode", "processed_logprobs", "--worker-extension-cls", "timeground_vllm.WeightReader"]
    if not 0 <= lora_rank <= LORA_RANKS[-1]:
        raise UserError(f"--lora {lora_rank}: vLLM takes adapters of rank 1 to {LORA_RANKS[-1]}")
    if lora_rank > 0:
        room = next(rank for rank in LORA_RANKS if rank >= lora_rank)
        flags += ["--enable-lora", "--max-loras", "1", "--max-lora-rank", str(room)]
    return flags


def _for_cpu(program: str, length: int, keeps_states: bool) -> list[str]:
    """Return flags by which vLLM's CPU build reads prompts in one piece; states it then keeps for one request alone.

    There a request with a seed whose prompt is split over steps ends the server: vLLM 0.32 winds the generator back by
    its offset, which CPU generators do not have.
    """
    ask = "import importlib.metadata as metadata; print(metadata.version('torch'))"
    said = subprocess.run([program, "-c", ask], capture_output=True, text=True, check=False).stdout
    if not said.strip().endswith("+cpu"):
        return []
    whole = ["--no-enable-chunked-prefill", "--max-num-batched-tokens", str(max(length, 8192))]
    return [*whole, "--no-enable-prefix-caching"] if keeps_states else whole


def _limits(checkpoint: Checkpoint) -> tuple[int, int, int]:
    """Return the longest sequence, most images and most videos of a prompt (Qwen2.5-VL has one for each frame pair)."""
    profile = checkpoint.profile
    images = -(-profile.total_tokens // profile.min_tokens_per_pair)
    stamps = 12 * images
    wanted = profile.total_tokens + stamps + profile.max_new_tokens + ROOM_FOR_TEXT
    longest = min(checkpoint.config.get_text_config().max_position_embeddings, wanted)
    return longest, images, checkpoint.family.videos_in_prompt(images)


def _python(given: str | None) -> str:
    found = given or os.environ.get(PYTHON) or (sys.executable if importlib.util.find_spec("vllm") else None)
    if found is None:
        raise UserError(
            "vLLM is not installed here; it wants an environment of its own: python3 -m venv vllm; "
            f"vllm/bin/pip install vllm; then give --python vllm/bin/python, or set {PYTHON}"
        )
    if not Path(found).is_file():
        raise UserError(f"{found}: there is no such Python; give the one of vLLM's environment")
    return found
