"""Published models to choose from: what each is for, how large it is, and which GPU holds it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

BYTES_PER_PARAMETER = 2  # bfloat16, as all of these are published
PROMPT_TOKENS = 16384
"""What a prompt is reckoned with: the usual budget of visual tokens, stamps and questions."""
WORKING_BYTES = 2e9
"""Reckoned for what is computed on the way; not measured on a GPU."""
TRAINED = "trained to find moments"
CARD_GB = (8, 12, 16, 24, 32, 40, 48, 80)
"""Memory that GPUs come with."""


@dataclass(frozen=True)
class Known:
    """A published model."""

    id: str
    """On the Hub."""
    parameters: float
    cache_bytes: int
    """What a token takes in the cache of keys and values, in bfloat16."""
    use: str
    """What it is good for, in a few words."""

    @property
    def finds_moments(self) -> bool:
        """Return whether it was trained for that."""
        return self.use.startswith(TRAINED)

    @property
    def download_bytes(self) -> float:
        """Return about what its files take."""
        return self.parameters * BYTES_PER_PARAMETER

    @property
    def gpu_gb(self) -> int:
        """Return the memory of the smallest GPU that holds it with a prompt of the usual budget, in GB: an estimate."""
        needed = self.download_bytes + PROMPT_TOKENS * self.cache_bytes + WORKING_BYTES
        return next(size for size in CARD_GB if size * 1e9 >= needed)


_3B, _7B = (3.755e9, 36864), (8.292e9, 57344)
_2B, _4B, _8B, _9B = (2.128e9, 114688), (4.438e9, 147456), (8.767e9, 147456), (9.410e9, 32768)
MODELS = (
    Known("Qwen/Qwen3-VL-2B-Instruct", *_2B, "general; the smallest"),
    Known("Qwen/Qwen2.5-VL-3B-Instruct", *_3B, "general"),
    Known("MCG-NJU/TimeLens2-4B", *_4B, TRAINED + ", several spans too"),
    Known("Qwen/Qwen3-VL-4B-Instruct", *_4B, "general"),
    Known("TencentARC/TimeLens-8B", *_8B, TRAINED),
    Known("MCG-NJU/TimeLens2-8B", *_8B, TRAINED + ", several spans too"),
    Known("TencentARC/TimeLens-7B", *_7B, TRAINED + " (Qwen2.5-VL)"),
    Known("Boshenxx/Time-R1-7B", *_7B, TRAINED + ", thinks first"),
    Known("Qwen/Qwen3-VL-8B-Instruct", *_8B, "general"),
    Known("Qwen/Qwen3.5-9B", *_9B, "general"),
)
"""By GPU memory; of those that need as much, the one to take first stands first."""


def best_for(gpu_gb: float) -> Known | None:
    """Return the model to take with a GPU of this memory; None where none fits."""
    fitting = [model for model in MODELS if model.gpu_gb <= gpu_gb * 1.03]  # cards have a little less than they say
    chosen = [model for model in fitting if model.finds_moments] or fitting
    return max(chosen, key=lambda model: (model.gpu_gb, -MODELS.index(model)), default=None)


def near(name: str, others: Iterable[str] = ()) -> list[str]:
    """Return ids that a mistyped name may mean, the likeliest first; others: further ids, such as those on disk."""
    ids = list(dict.fromkeys([*(model.id for model in MODELS), *others]))
    by_text: dict[str, str] = {}
    for one in ids:
        by_text.setdefault(one.lower(), one)
        by_text.setdefault(one.lower().rpartition("/")[2], one)
    words = [name.lower(), name.lower().rpartition("/")[2]]
    if exact := [by_text[word] for word in words if word in by_text]:
        return exact[:1]
    found = [by_text[text] for word in words for text in get_close_matches(word, by_text, 2, 0.8)]
    return list(dict.fromkeys(found))[:2]
