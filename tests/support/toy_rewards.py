"""Rewards that a random model can earn something with."""

from __future__ import annotations


def variety(completions: list[str], **_: object) -> list[float]:
    """How many different letters an answer has, of 26."""
    return [len({c for c in text.lower() if c.isalpha()}) / 26 for text in completions]


def not_a_number(completions: list[str], **_: object) -> list[float]:
    return [float("nan")] * len(completions)
