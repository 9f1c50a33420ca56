"""A checkpoint that none of our families is: its configuration, processor and weights, as transformers opens them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from timeground.errors import UserError
from timeground.files.content_keys import model_contents
from timeground.models.checkpoint import fetch_profile, or_user_error
from timeground.models.checkpoint_files import check_config, check_loaded, check_safetensors, check_template
from timeground.models.downloading import bring_weights
from timeground.models.families.generic import WOULD_WORK, RawConfig
from timeground.models.generic.prompts import PromptWriter
from timeground.models.hub import only_on_disk
from timeground.models.names import resolve
from timeground.models.torchvision_repair import repair_torchvision


@dataclass(frozen=True)
class GenericCheckpoint:
    """A model as its files describe it. What takes time to read is read when it is first asked for."""

    name: str
    """As the user names it."""
    path: str
    """Its folder, or its id on the Hub."""
    revision: str | None
    raw: RawConfig
    auto_class: str
    """Transformers' auto class that opens it."""
    trust_remote_code: bool = False
    """Whether Python code in its files may run."""

    @classmethod
    def of(cls, raw: RawConfig, path: str, revision: str | None, trust_remote_code: bool) -> GenericCheckpoint:
        """Return the checkpoint of a configuration. Raise UserError where nothing here can run it."""
        auto_class = raw.auto_class(trust_remote_code)
        return cls(raw.name, path, revision, raw, auto_class, trust_remote_code and raw.needs_own_code)

    def read_contents(self) -> str:
        """Return the identity of its files as they are now."""
        return model_contents(self.path, self.revision)

    @cached_property
    def config(self) -> Any:
        """Return its configuration."""
        from transformers import AutoConfig

        found = or_user_error(AutoConfig.from_pretrained, self.path, self.revision, **self._trust)
        if getattr(found, "is_encoder_decoder", False):
            raise UserError(
                f"{self.name}: model type {self.raw.model_type!r} is not supported: its decoder reads prompts through "
                f"an encoder, which is no conversation; {WOULD_WORK}"
            )
        return found

    @cached_property
    def processor(self) -> Any:
        """Return its own processor. Raise UserError where it cannot be read or has no chat template."""
        repair_torchvision()
        from transformers import AutoProcessor

        found = or_user_error(AutoProcessor.from_pretrained, self.path, self.revision, **self._trust)
        if getattr(found, "tokenizer", None) is None:
            raise UserError(
                f"{self.name}: its processor is a {type(found).__name__} without a tokenizer and pictures; the files "
                "of a processor (processor_config.json) are missing"
            )
        if not getattr(found, "chat_template", None):
            found.chat_template = getattr(found.tokenizer, "chat_template", None)
        check_template(found, self.path)
        return found

    @cached_property
    def writer(self) -> PromptWriter:
        """Return what has its processor write prompts."""
        return PromptWriter(self.name, self.processor, self.config, self._ends())

    def _ends(self) -> list[int]:
        """Return the tokens at which its settings end an answer."""
        from transformers import GenerationConfig

        text = self.config.get_text_config() if hasattr(self.config, "get_text_config") else self.config
        named = [getattr(text, "eos_token_id", None), getattr(self.config, "eos_token_id", None)]
        try:
            only_here = not Path(self.path).is_dir() and only_on_disk(self.path, self.revision)
            settings = GenerationConfig.from_pretrained(
                self.path, revision=self.revision or "main", local_files_only=only_here
            )
        except (OSError, ValueError):  # it has none of its own
            pass
        else:
            named.insert(0, settings.eos_token_id)
        return [i for one in named for i in (one if isinstance(one, list) else [one]) if isinstance(i, int)]

    def load(
        self,
        *,
        dtype: str | torch.dtype = "auto",
        device: str | None = None,
        device_map: str | dict[str, Any] | None = None,
        attention: str | None = None,
    ) -> Any:
        """Return the model with its weights, read from safetensors only. The options are those of `load_weights`."""
        import transformers

        from timeground.models.loading import as_dtype
        from timeground.models.local.linear import use_onednn

        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        if Path(self.path).is_dir():
            for file in Path(self.path).glob("*.safetensors"):
                check_safetensors(file)
        bring_weights(self.path, self.revision)
        model, info = or_user_error(
            getattr(transformers, self.auto_class).from_pretrained,
            self.path,
            self.revision,
            dtype=as_dtype(dtype, device if device_map is None else "cuda"),
            device_map=device_map,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **({} if attention in (None, "auto") else {"attn_implementation": attention}),
            **self._trust,
        )
        check_loaded(info, self.path)
        use_onednn(model)
        return (model if device_map is not None else model.to(device)).eval()

    @property
    def _trust(self) -> dict[str, Any]:
        return {"trust_remote_code": self.trust_remote_code}


def read_raw_config(name: str, revision: str | None = None) -> RawConfig:
    """Return what stands in the ``config.json`` of a folder or a Hub id. Raise UserError if it cannot be read."""
    repair_torchvision()
    from transformers import PreTrainedConfig

    path = resolve(name)
    if Path(path).is_dir():
        check_config(Path(path))
    fields, _ = or_user_error(PreTrainedConfig.get_config_dict, path, revision)
    fetch_profile(path, revision)
    return RawConfig(name, fields)


def say(line: str) -> None:
    """Tell the user one line, on standard error; of several processes of one run, the first one does."""
    if os.environ.get("RANK", "0") == "0":
        print(f"timeground: {line}", file=sys.stderr)
