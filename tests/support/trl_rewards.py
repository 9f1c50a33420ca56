"""Reward functions as they are written for TRL's GRPOTrainer."""

from __future__ import annotations


def everything(prompts, completions, completion_ids, id, source, meta, trainer_state, log_metric, **kwargs):
    """Refuses to be called with anything but what TRL would give it for these rows."""
    lists = (prompts, completion_ids, id, source, meta, kwargs["query"], kwargs["spans"], kwargs["duration"])
    assert all(isinstance(column, list) and len(column) == len(completions) for column in lists)
    assert all(query in prompt for query, prompt in zip(kwargs["query"], prompts, strict=True))
    assert all(ids and all(isinstance(token, int) for token in ids) for ids in completion_ids)
    assert all(m["kind"] and isinstance(i, str) for m, i in zip(meta, id, strict=True))
    assert trainer_state.max_steps >= trainer_state.global_step + 1
    log_metric("tokens_said", sum(map(len, completion_ids)) / len(completion_ids))
    return [float(len(ids)) for ids in completion_ids]


def longer(prompts, completions, completion_ids):
    """Names all that it takes, and takes nothing else."""
    return [len(c) / len(p) for c, p in zip(completions, prompts, strict=True)]


async def awaited(completions, **kwargs):
    return [0.5] * len(completions)


def of_messages(completions, prompts, **kwargs):
    assert all(p[-1]["role"] == "user" and p[-1]["content"] for p in prompts)
    return [float(len(c[0]["content"])) if c[0]["role"] == "assistant" else None for c in completions]


def with_a_column_of_its_own(completions, solution, **kwargs):
    return [0.0] * len(completions)
