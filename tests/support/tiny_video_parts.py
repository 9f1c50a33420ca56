"""What tiny models of transformers' own video classes have in common: tokenizer, chat template, weights, files.

Every chat template here is our own writing ("own template"): it puts media and text in the order that the published
one of the family does, as far as that is known, and nothing else of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from timeground.train.fresh import make_tokenizer

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
}
VISION = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}


def template(
    image: str, video: str, before: str = "<|im_start|>{role}\n", after: str = "<|im_end|>\n", media_first: bool = False
) -> str:
    """Own template: media and texts of a message between a start and an end; or all media before all texts."""
    opened, _, rest = before.partition("{role}")
    head = f"{{{{ {opened!r} + message['role'] + {rest!r} }}}}"
    media = (
        f"{{% if part['type'] == 'image' %}}{{{{ {image!r} }}}}"
        f"{{% elif part['type'] == 'video' %}}{{{{ {video!r} }}}}{{% endif %}}"
    )
    text = "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}"
    each = "{% for part in message['content'] %}"
    body = (
        f"{each}{media}{{% endfor %}}{each}{text}{{% endfor %}}"
        if media_first
        else f"{each}{media}{text}{{% endfor %}}"
    )
    answer = before.replace("{role}", "assistant")
    return (
        f"{{% for message in messages %}}{head}{body}{{{{ {after!r} }}}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ {answer!r} }}}}{{% endif %}}"
    )


def tokenizer(named: dict[str, str] | None = None, more: tuple[str, ...] = ()) -> Any:
    """A small byte-level tokenizer. named: special tokens that the processor asks for by attribute. more: others."""
    from transformers import AddedToken

    made = make_tokenizer(400)
    made.add_tokens([AddedToken(one, special=True, normalized=False) for one in [*(named or {}).values(), *more]])
    if named:
        made._set_model_specific_special_tokens(special_tokens=named)
    return made


def ids(made: Any, **names: str) -> dict[str, int]:
    """The ids of tokens, by what a configuration calls them."""
    return {name: made.convert_tokens_to_ids(token) for name, token in names.items()}


def save(folder: Path, model_class: Any, config: Any, processor: Any, seed: int = 0) -> str:
    """Write a model of random weights, sharpened so that its answers differ, with its processor."""
    torch.manual_seed(seed)
    model = model_class(config).eval()
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return str(folder)


def text_config(made: Any, **more: Any) -> dict[str, Any]:
    """A small decoder for a tokenizer."""
    return {**TEXT, "vocab_size": len(made), "pad_token_id": None, "bos_token_id": None, "eos_token_id": None, **more}
