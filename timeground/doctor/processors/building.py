"""Building a processor without a download: its own classes with their defaults, and a tokenizer made in memory."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

from timeground.doctor.processors.catalogue import Entry, auto_names, class_named, only_name

TRIES = 40  # a processor asks its tokenizer for up to about twenty tokens, one a try
EXPECTED_TOKENS = ("audio_token", "boa_token", "eoa_token")  # asked for with a default that is then refused
SIZES = {  # what checkpoints say of their vision tower, for the processors that count its tokens
    "patch_size": 14,
    "num_image_tokens": 729,
    "num_query_tokens": 32,
    "vision_feature_select_strategy": "default",
    "pooling_ratio": 2,
}
SAMPLING = {  # what SmolVLM's checkpoints say of theirs; its class has no default
    "video_sampling": {"max_frames": 64, "fps": 1, "video_size": {"longest_edge": 112}},
    "max_image_size": {"longest_edge": 112},
}
VIDEO_SETTINGS = {  # what checkpoints say of their frames; small, because times do not depend on the size
    "norm_mean": [0.5, 0.5, 0.5],
    "norm_std": [0.5, 0.5, 0.5],
    "video_target_num_patches": 64,
}


def build(entry: Entry) -> Any:
    """Return the processor. Raise whatever its own classes raise."""
    cls = class_named(entry.processor)
    names = {*inspect.signature(cls.__init__).parameters, *cls.get_attributes()}
    sizes = {name: value for name, value in SIZES.items() if name in names}
    parts = {name: _part(name, entry) for name in names if name.endswith(("processor", "extractor"))}
    tokenizers = {name: new_tokenizer() for name in names if name.endswith("tokenizer") and name != "audio_tokenizer"}
    for _ in range(TRIES):
        try:
            return cls(**parts, **tokenizers, **sizes)
        except AttributeError:
            if not any(tokenizer.learn() for tokenizer in tokenizers.values()):
                raise
    raise RuntimeError(f"{entry.processor} asks its tokenizer for ever more tokens")


def new_tokenizer() -> Any:
    """Return a tokenizer of single bytes that makes each special token when a processor looks for it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    ends = {"eos_token": "</s>", "pad_token": "</s>", "unk_token": "</s>"}
    willing = _tokenizer_class()(tokenizer_object=tokenizer, **ends)
    for name in EXPECTED_TOKENS:
        willing.give(name)
    return willing


def _part(name: str, entry: Entry) -> Any:
    """Return the part of a processor that an argument of its class wants, with its class's defaults."""
    if name == "video_processor":
        cls = class_named(entry.video_processor)
        known = cls.valid_kwargs.__annotations__
        settings = {name: value for name, value in VIDEO_SETTINGS.items() if name in known}
        return cls(**settings, **(SAMPLING if "max_image_size" in known else {}))
    kind = "image_processing" if name == "image_processor" else "feature_extraction"
    table = auto_names(kind)
    cls = next((c for model in (entry.name, *entry.also) if (c := class_named(only_name(table.get(model))))), None)
    if cls is not None:
        return cls()
    if kind == "image_processing":  # never used on a video, but its type is checked
        return class_named("CLIPImageProcessor")()
    return class_named("SequenceFeatureExtractor")(feature_size=1, sampling_rate=16000, padding_value=0.0)


@cache
def _tokenizer_class() -> Any:
    """Return the class; made when asked for, because importing transformers takes seconds."""
    from transformers import PreTrainedTokenizerFast

    class WillingTokenizer(PreTrainedTokenizerFast):
        """Any token that is looked up by its text exists; one that is asked for as an attribute does on the next try.

        Processors ask with `getattr(tokenizer, "image_token", default)` where there is a default. Only what one
        insists on is given, so its own tokens are used where it knows them.
        """

        missing: str | None = None

        def __getattr__(self, key: str) -> Any:
            try:
                return super().__getattr__(key)  # type: ignore[no-untyped-call]
            except AttributeError:
                if not key.startswith("_"):
                    self.__dict__["missing"] = key
                raise

        def learn(self) -> bool:
            """Make the token of the attribute that was missing last; return whether there was one."""
            key = self.__dict__.pop("missing", None)
            if key is None or not key.endswith(("_token", "_token_id")):
                return False
            self.give(key.removesuffix("_id"))
            return True

        def give(self, name: str) -> None:
            """Make a token and the two attributes by which it is asked for."""
            self.__dict__[name] = f"<|{name.removesuffix('_token')}|>"
            self.__dict__[f"{name}_id"] = self.convert_tokens_to_ids(self.__dict__[name])

        def convert_tokens_to_ids(self, tokens: Any) -> Any:
            known = self.get_vocab()
            new = [t for t in ([tokens] if isinstance(tokens, str) else tokens) if t not in known]
            if new:
                self.add_tokens(new, special_tokens=True)
            return super().convert_tokens_to_ids(tokens)

    return WillingTokenizer
