"""pass@k: the chance that at least one of k samples is right, estimated from n >= k samples without bias.

``1 - C(n - c, k) / C(n, k)`` for c right ones among n (Chen et al. 2021, "Evaluating Large Language Models Trained on
Code"). For grounding a sample is right if its IoU reaches a threshold. Before RL it tells whether there is a signal:
nothing to learn from where pass@k is near 0, nothing left to learn where pass@1 is near 1.
"""

from __future__ import annotations

from collections.abc import Sequence


def pass_at_k(num_samples: int, num_correct: int, k: int) -> float:
    """Return pass@k of one question.

    Raise ValueError unless 0 <= num_correct <= num_samples and 1 <= k <= num_samples.
    """
    if not 0 <= num_correct <= num_samples:
        raise ValueError(f"num_correct must be from 0 to num_samples ({num_samples}), got {num_correct}")
    if not 1 <= k <= num_samples:
        raise ValueError(f"k must be from 1 to num_samples ({num_samples}), got {k}")
    all_wrong = 1.0
    for i in range(k):  # C(n - c, k) / C(n, k) as a product: no large numbers
        all_wrong *= max(0, num_samples - num_correct - i) / (num_samples - i)
    return 1.0 - all_wrong


def mean_pass_at_k(correct: Sequence[Sequence[bool]], k: int) -> float:
    """Return pass@k averaged over questions, each with its right and wrong samples.

    Raise ValueError without questions.
    """
    if not correct:
        raise ValueError("there are no questions to average")
    return sum(pass_at_k(len(samples), sum(map(bool, samples)), k) for samples in correct) / len(correct)
