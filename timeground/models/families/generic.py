"""Models beside our families: what kind of model a configuration is, and which class of transformers runs it.

The families of this folder have inputs of our own (shared prefixes, packed rows, training). All others that look at
pictures or video answer through their own processor and chat template (`timeground.models.generic`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timeground.errors import UserError

AUTO_CLASSES = ("AutoModelForImageTextToText", "AutoModelForMultimodalLM", "AutoModelForCausalLM", "AutoModel")
"""Where a checkpoint's own code may be listed, best first."""
TRUST = "--trust-remote-code (trust_remote_code=True in Python, options: {trust_remote_code: true} in a recipe)"


@dataclass(frozen=True)
class RawConfig:
    """A checkpoint's ``config.json`` as it stands, before any class is chosen for it."""

    name: str
    """Of the checkpoint, as the user names it."""
    fields: Mapping[str, Any]

    @property
    def model_type(self) -> str:
        """Return what the configuration calls its kind of model; "" where it says nothing."""
        return str(self.fields.get("model_type") or "")

    @property
    def auto_map(self) -> Mapping[str, Any]:
        """Return the classes that its own code has, by the auto class that opens them."""
        found = self.fields.get("auto_map")
        return found if isinstance(found, dict) else {}

    @property
    def needs_own_code(self) -> bool:
        """Return whether only code in the checkpoint's own files could run it."""
        from transformers.models.auto.auto_mappings import CONFIG_MAPPING_NAMES

        return bool(self.auto_map) and self.model_type not in CONFIG_MAPPING_NAMES

    def auto_class(self, trust_remote_code: bool) -> str:
        """Return the name of transformers' auto class that opens it.

        Raise UserError where nothing here can: no video nor pictures, unknown, or code that is not trusted.
        """
        if self.needs_own_code:
            if not trust_remote_code:
                raise UserError(
                    f"{self.name}: model type {self.model_type!r} is not in transformers, the checkpoint brings Python "
                    f"code of its own; read that code, and give {TRUST} to run it"
                )
            if found := next((name for name in AUTO_CLASSES if name in self.auto_map), None):
                return found
        elif found := _built_in(self.model_type):
            return found
        raise UserError(
            f"{self.name}: model type {self.model_type!r} is not supported: {_why_not(self.model_type)}; {WOULD_WORK}"
        )


WOULD_WORK = (
    "give a model that takes video or pictures, such as Qwen3-VL, Qwen2.5-VL, or any that transformers opens as "
    "AutoModelForImageTextToText"
)


def _built_in(model_type: str) -> str | None:
    """Return the auto class of transformers that knows a model type; None if none of ours does."""
    from transformers.models.auto import modeling_auto as known

    if model_type in known.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return "AutoModelForImageTextToText"
    if model_type in known.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES:
        return "AutoModelForMultimodalLM"
    return None


def _why_not(model_type: str) -> str:
    from transformers import __version__
    from transformers.models.auto import modeling_auto as known
    from transformers.models.auto.auto_mappings import CONFIG_MAPPING_NAMES

    if model_type in known.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "it takes text only, no video nor pictures"
    if model_type in CONFIG_MAPPING_NAMES:
        return "it does not answer questions about video or pictures"
    return f"transformers {__version__} does not know it"
