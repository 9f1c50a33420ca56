"""Makes a new, untrained model: configuration, tokenizer, processor and random weights."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from timeground.chat.profile import Profile
from timeground.files.whole_files import writing
from timeground.models.families.new_models import FIRST_SHAPE, FreshModel, new_config, new_processor
from timeground.models.families.qwen_vl import END, MARKS, PAD, SPECIAL_TOKENS, call_text
from timeground.quiet import quietly
from timeground.synth.language import ORDER, PHRASES
from timeground.synth.scene import COLOURS, SHAPES

from .data.looks import LOOK


def make_fresh_model(folder: Path, sizes: FreshModel, profile: Profile, seed: int, shape: str = FIRST_SHAPE) -> None:
    """Write a new model with random weights to `folder`, complete with processor and profile. shape: its model type."""
    import torch

    from timeground.models.torchvision_repair import repair_torchvision

    repair_torchvision()
    from transformers import AutoModelForImageTextToText

    model_class: Any = AutoModelForImageTextToText

    processor = new_processor(make_tokenizer(sizes.vocab_size), profile)
    config = new_config(processor.tokenizer, sizes, shape)
    torch.manual_seed(seed)
    model = model_class.from_config(config)
    model.generation_config.eos_token_id = processor.tokenizer.convert_tokens_to_ids(END)
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    with quietly(), writing(folder) as part:
        model.save_pretrained(part)
        processor.save_pretrained(part)
        profile.save(part)


def make_tokenizer(vocab_size: int) -> Any:
    """Return a byte-level BPE over the sentences of SynthMoments; Qwen's splitting makes each digit a token."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    tokenizer_class: Any = Qwen2Tokenizer  # its annotations are narrower than what it takes
    byte_ids = {symbol: i for i, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    blank = tokenizer_class(vocab=byte_ids, merges=[])
    trained = blank.train_new_from_iterator(_corpus(), vocab_size, show_progress=False)
    state = json.loads(trained.backend_tokenizer.to_str())["model"]
    vocab = dict(state["vocab"])
    for name in (*SPECIAL_TOKENS, *MARKS):
        vocab.setdefault(name, len(vocab))
    tokenizer = tokenizer_class(
        vocab=vocab,
        merges=[tuple(m) for m in state["merges"]],
        unk_token=None,
        eos_token=END,
        pad_token=PAD,
        extra_special_tokens=list(SPECIAL_TOKENS),
    )
    tokenizer.add_tokens(list(MARKS))
    return tokenizer


def _corpus() -> list[str]:
    """Return every kind of sentence that the model reads or writes, often enough that its words become tokens."""
    names = [f"{c} {s}" for c, s in itertools.product(COLOURS, SHAPES)]
    events = [p.format(a=a, b="red circle") for a in names for ps in PHRASES.values() for p in ps]
    ordered = [o.format(ref=names[i % len(names)], event=events[i]) for o in ORDER.values() for i in range(60)]
    asked = [
        "When does this happen: the red circle moves left?",
        "Does this happen between 3.0 and 5.0 seconds: the red circle can be seen?\nAnswer yes or no.",
        "What does the red circle do?\nA. moves left\nB. grows\nC. blinks\nD. turns\n"
        "Answer with the letter of the right option.",
        "Which shape moves left?",
        "What does the red circle do at 3.0 seconds?",
        "Does this happen: the red circle can be seen?\nAnswer yes or no.",
        "Where is the red circle at 3.0 seconds?",
        "What is visible at 3.0 seconds?",
        "What can be seen in the video?",
        "3 across, 7 down",
        "system\n# Tools\n<tools>\n" + json.dumps(LOOK) + "\n</tools>",
        call_text(LOOK, {"start_s": 3.0, "end_s": 12.0}),
        "user\n<tool_response>\n",
        "stands still",
        "is not there",
        "List the events with their times.",
        "3.0 - 7.5, 9.0 - 12.0 seconds",
        "3.0 - 7.5: the red circle moves left\n",
        "It does not happen.",
        "<0.2 seconds>",
        "user\n",
        "assistant\n",
        "yes",
        "no",
    ]
    return [f" {s}" for s in events + ordered] + asked * 200
