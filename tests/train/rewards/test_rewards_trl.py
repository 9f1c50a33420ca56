"""TRL's own GRPOTrainer takes every reward unchanged and logs what we compute."""

from __future__ import annotations

from statistics import fmean

import pytest
from timeground.train.rewards import REWARDS

pytest.importorskip("trl")

SAID = [
    "20.0 - 40.0 seconds", "<think> </think><answer>20 to 30</answer>", "<answer>B</answer><time>20 - 35</time>", "B",
    "It does not happen.", "60 - 20", "perhaps", "22.5 - 41.0 seconds", "<answer>25 to 38</answer>", "(A)",
    "20.0 - 36.0: a dog runs\n50.0 - 60.0: it rests", "A red ball.", "a red  ball",
]  # fmt: skip
"""The model's words: a random model over whole answers says things that rewards tell apart."""

EVENT = {"spans": [[20.0, 40.0]], "duration": 100.0, "window": None, "question": None, "options": None, "answer": None}
EVENT |= {"meta": {"kind": "when", "events": None}}
ROWS = [
    EVENT | {"direction": "sensitive", "backward": "55 - 80", "shuffled": ["70 - 90"], "group": 0},
    EVENT | {"direction": "insensitive", "backward": "60 - 82", "shuffled": ["20 - 40"], "group": 1},
    EVENT
    | {"question": "which?", "options": ["a cat", "a dog"], "answer": "B"}
    | {"direction": "unknown", "backward": None, "shuffled": ["A"], "group": 2},
    EVENT
    | {"meta": {"kind": "list", "events": [{"query": "A dog runs.", "span": [20.0, 40.0]}]}}
    | {"direction": "unknown", "backward": None, "shuffled": None, "group": 3},
    EVENT
    | {"question": "what?", "answer": "a red ball", "meta": {"kind": "what", "events": None}}
    | {"direction": "unknown", "backward": None, "shuffled": None, "group": 4},
]


@pytest.fixture(scope="module")
def tokenizer():
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<end>", "<unk>", "which", *SAID]
    inner = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Split(Regex("$"), "isolated")
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="<end>", clean_up_tokenization_spaces=False
    )


@pytest.fixture(scope="module")
def model(tokenizer):
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        pad_token_id=0,
        eos_token_id=1,
        bos_token_id=None,
    )
    return Qwen2ForCausalLM(config)


@pytest.mark.parametrize("conversational", [False, True], ids=["text", "messages"])
def test_trl_logs_our_numbers(tokenizer, model, tmp_path, conversational):
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    seen: list[tuple[list, dict]] = []

    def listen(completions, **columns):
        seen.append((completions, columns))
        return [0.0] * len(completions)

    prompt = [{"role": "user", "content": "which"}] if conversational else "which"
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    arguments = GRPOConfig(
        output_dir=str(tmp_path),
        max_steps=1,
        logging_steps=1,
        per_device_train_batch_size=16 * len(ROWS),
        num_generations=16,
        max_completion_length=1,
        reward_weights=[0.5] * len(REWARDS) + [0.0],
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        seed=3,
    )
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[*REWARDS.values(), listen],
        args=arguments,
        train_dataset=Dataset.from_list([row | {"prompt": prompt} for row in ROWS]),
        processing_class=tokenizer,
    )
    trainer.train()

    (log,) = [line for line in trainer.state.log_history if "reward" in line]
    ((completions, columns),) = seen
    assert len(completions) == 16 * len(ROWS) and isinstance(completions[0], list if conversational else str)
    total = 0.0
    for name, reward in REWARDS.items():
        mean = fmean(reward(completions, **columns))
        assert log[f"rewards/{name}/mean"] == pytest.approx(mean, abs=1e-6), name
        assert mean != 0, f"{name} told nothing apart; choose other words"
        total += 0.5 * mean
    assert log["reward"] == pytest.approx(total, abs=1e-6)
