"""Several queries on one video: one shared prefix against one query at a time.

``python -m benchmarks.many_queries``. The other side is what a user of transformers runs: for each query the prompt
with the video through ``model.generate`` (vision tower, prefill, then token by token). Decoding the video and building
the inputs are left out on both sides. Both sides must give the same tokens.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.common import print_result, time_alternating, versions
from benchmarks.random_model import PROFILE, noise_clip, random_model
from timeground.chat.parts import Message
from timeground.media.clip import Clip
from timeground.models.checkpoint import Checkpoint
from timeground.models.families.new_models import FreshModel
from timeground.models.loading import Loaded, load_weights
from timeground.models.local.model import LocalModel
from timeground.models.sampling import AnswerTokens, SampleSpec

NEW_TOKENS = 16
SIZES = FreshModel(
    hidden_size=512,
    num_layers=8,
    num_heads=8,
    num_key_value_heads=4,
    intermediate_size=1536,
    vision_hidden_size=384,
    vision_layers=6,
    vision_intermediate_size=1024,
    deepstack_layers=(1, 3),
)
QUERIES = [
    f"When does this happen: the {colour} {shape} moves left?"
    for colour in ("red", "green", "blue")
    for shape in ("circle", "square", "ring")
]


@dataclass
class Bench:
    """One model and one clip, to be asked both ways."""

    loaded: Loaded
    clip: Clip
    model: LocalModel

    def shared(self, queries: list[str]) -> list[list[int]]:
        """Our way: encode once, then all queries from the one KV cache."""
        prefix = self.model.open([Message.of("user", self.clip)])
        assert prefix.cache is not None
        start = prefix.cache.prompt.next_position
        questions = [self.model.builder.question(q, start) for q in queries]
        tokens = AnswerTokens(-1, self.loaded.checkpoint.family.forbidden_ids)
        return [
            answers[0].ids for answers in prefix.cache.answer(questions, SampleSpec(max_new_tokens=NEW_TOKENS), tokens)
        ]

    def one_at_a_time(self, reference: Any, inputs: list[Any]) -> list[list[int]]:
        """transformers' way: a whole `generate` for each query."""
        blocked = [[i] for i in self.loaded.checkpoint.family.forbidden_ids]
        out = []
        for row in inputs:
            with torch.inference_mode():
                ids = reference.generate(
                    **row,
                    max_new_tokens=NEW_TOKENS,
                    min_new_tokens=NEW_TOKENS,
                    do_sample=False,
                    bad_words_ids=blocked,
                    eos_token_id=None,
                )
            out.append(ids[0, row["input_ids"].shape[1] :].tolist())
        return out

    def processor_inputs(self, query: str) -> Any:
        """What transformers' processor makes of the clip and a query."""
        processor = self.loaded.checkpoint.processor
        messages = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": query}]}]
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        times_ms = [round(t * 1000) for t in self.clip.frame_times_s.tolist()]
        metadata = {"total_num_frames": times_ms[-1] + 1, "fps": 1000.0, "frames_indices": times_ms}
        made = processor(
            text=[text],
            videos=[self.clip.frames],
            video_metadata=[metadata],
            do_sample_frames=False,
            do_resize=False,
            return_tensors="pt",
        )
        return made.to(next(self.loaded.model.parameters()).device)


def make_bench(num_pairs: int) -> Bench:
    """A Qwen3-VL-class model with random weights and a clip of noise, 25 visual tokens a frame pair."""
    checkpoint = Checkpoint.open(str(random_model("many-queries", SIZES))).with_profile(PROFILE)
    loaded = load_weights(checkpoint, dtype="float32")
    return Bench(loaded, noise_clip(num_pairs), LocalModel(loaded))


def main() -> None:
    """Time both sides and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=64, help="frame pairs; 64 make a prompt of about 2,200 tokens")
    parser.add_argument("--queries", type=int, nargs="+", default=[3, 8])
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    bench = make_bench(args.pairs)
    from transformers import AutoModelForImageTextToText

    device = next(bench.loaded.model.parameters()).device
    path = bench.loaded.checkpoint.path
    reference = AutoModelForImageTextToText.from_pretrained(path, dtype=torch.float32).eval().to(device)
    inputs = [bench.processor_inputs(q) for q in QUERIES]
    results = {}
    for count in args.queries:
        queries, rows = QUERIES[:count], inputs[:count]
        same = bench.shared(queries) == bench.one_at_a_time(reference, rows)
        sides = {
            "shared": lambda q=queries: bench.shared(q),
            "one at a time": lambda r=rows: bench.one_at_a_time(reference, r),
        }
        timings = time_alternating(sides, args.repeats, warm_up=0)
        ours, theirs = timings["shared"], timings["one at a time"]
        results[count] = {
            "ours_s": ours.wall_s,
            "theirs_s": theirs.wall_s,
            "ratio": theirs.wall_s / ours.wall_s,
            "ratio_of_processor_time": theirs.cpu_s / ours.cpu_s,
            "same_tokens": same,
        }
    first = results[args.queries[0]]
    print_result(
        "many_queries",
        ratio=first["ratio"],
        ours_s=first["ours_s"],
        theirs_s=first["theirs_s"],
        by_number_of_queries=results,
        prompt_tokens=int(inputs[0]["input_ids"].shape[1]),
        new_tokens=NEW_TOKENS,
        parameters=sum(p.numel() for p in bench.loaded.model.parameters()),
        versions=versions("torch", "transformers"),
    )


if __name__ == "__main__":
    main()
