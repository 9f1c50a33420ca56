"""How long a user of the demo waits: the first query on a video, later ones, and what reloading would cost.

``python -m benchmarks.demo_latency``. A real server on the bundled model, asked over HTTP as the page does it (the
upload itself is left out on all sides). `first`: the video is read, encoded and asked. `later`: another query on it.
`reloading`: `Grounder.ground(video, query)`, in this process, which reads the video anew for each query: what a script
or a demo without a shared prefix does. With several users, each has a video of their own and all ask at once.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.common import cache_folder, print_result, versions
from timeground.synth.files import write_video
from timeground.synth.frames import scene_seed
from timeground.synth.world import sample_scene

QUERIES = [f"the {colour} {shape} is visible" for shape in ("circle", "square") for colour in ("red", "blue", "green")]
UNPLAYED = b"\x00\x00\x10\x00free"  # an mp4 box that players skip: the same video under another hash


def longest_video(num_scenes: int = 40) -> Path:
    """The longest of some SynthMoments videos (about a minute)."""
    path = cache_folder() / f"demo-latency-{num_scenes}.mp4"
    if not path.exists():
        scenes = (sample_scene(scene_seed("validation", 0, index)) for index in range(num_scenes))
        write_video(max(scenes, key=lambda scene: scene.duration_s), path)
    return path


class Asker:
    """One user of a server."""

    def __init__(self, url: str) -> None:
        self.client = httpx.Client(base_url=url, timeout=600)

    def upload(self, content: bytes, number: int) -> dict[str, Any]:
        """Send a video; what the API wants to be given for it."""
        copy = content + UNPLAYED + number.to_bytes(8, "big") * 511
        (path,) = self.client.post("/gradio_api/upload", files={"files": ("a.mp4", copy)}).json()
        return {"path": path, "orig_name": "a.mp4", "meta": {"_type": "gradio.FileData"}}

    def ask(self, video: dict[str, Any], query: str) -> float:
        """Seconds from asking to answer."""
        began = time.perf_counter()
        event = self.client.post("/gradio_api/call/ground", json={"data": [video, [query]]}).json()["event_id"]
        said = self.client.get(f"/gradio_api/call/ground/{event}").text
        if "event: complete" not in said:
            raise RuntimeError(said)
        return time.perf_counter() - began


@contextmanager
def served(model: str) -> Iterator[str]:
    """The address of a server in a process of its own, its model loaded."""
    command = [sys.executable, "-m", "timeground", "demo", "--port", "0", "--model", model, "--max-waiting", "100"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    assert server.stdout is not None
    try:
        yield next(word for word in server.stdout.readline().split() if word.startswith("http"))
    finally:
        server.terminate()
        server.wait()


def measure(url: str, video: Path, users: int, rounds: int, seed: int) -> dict[str, list[float]]:
    """Seconds of every first and every later query."""
    content, askers = video.read_bytes(), [Asker(url) for _ in range(users)]
    times: dict[str, list[float]] = {"first": [], "later": []}

    def one(user: int, round_number: int) -> None:
        sent = askers[user].upload(content, seed + round_number * users + user)
        times["first"].append(askers[user].ask(sent, QUERIES[0]))
        times["later"] += [askers[user].ask(sent, query) for query in QUERIES[1:]]

    for round_number in range(rounds):
        with ThreadPoolExecutor(users) as pool:
            list(pool.map(lambda user, number=round_number: one(user, number), range(users)))
    return times


def reloading(model: str, video: Path, rounds: int) -> list[float]:
    """Seconds of each query where the video is read anew."""
    from timeground.methods.grounder import Grounder

    ground: Callable[[Path, str], Any] = Grounder.from_pretrained(model).ground
    ground(video, QUERIES[0])
    times = []
    for number in range(rounds):
        began = time.perf_counter()
        ground(video, QUERIES[number % len(QUERIES)])
        times.append(time.perf_counter() - began)
    return times


def summary(times: list[float]) -> dict[str, float]:
    """Median and 95th percentile, in seconds."""
    ordered = sorted(times)
    return {
        "p50_s": round(statistics.median(ordered), 4),
        "p95_s": round(ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 4),
        "count": len(ordered),
    }


def main() -> None:
    """Measure all sides and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--users", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=7, help="videos that a lone user asks about, one after another")
    args = parser.parse_args()
    video = longest_video()
    results: dict[int, dict[str, dict[str, float]]] = {}
    with served(args.model) as url:
        measure(url, video, 1, 1, seed=10**6)
        for users in args.users:
            times = measure(url, video, users, max(2, args.rounds // users if users > 1 else args.rounds), users * 1000)
            results[users] = {name: summary(seconds) for name, seconds in times.items()}
            print(f"  {users} users: {json.dumps(results[users])}", file=sys.stderr, flush=True)
    again = summary(reloading(args.model, video, args.rounds))
    first, later = (results[args.users[0]][name]["p50_s"] for name in ("first", "later"))
    print_result(
        "demo_latency",
        ratio=first / later,
        ours_s=later,
        theirs_s=again["p50_s"],
        first_s=first,
        reloading=again,
        by_users=results,
        video_s=round(_duration_s(video), 1),
        versions=versions("gradio", "torch", "transformers", "av"),
    )


def _duration_s(video: Path) -> float:
    from timeground.media.decode import probe

    return probe(video).duration_s


if __name__ == "__main__":
    main()
