"""What a model family is asked for: sizes and token ids from a configuration, and how its class behaves."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from timeground.chat.layout import TimeEncoding, VisionSegment
from timeground.chat.profile import Profile
from timeground.errors import UserError


@dataclass(frozen=True)
class Family(ABC):
    """One checkpoint's family."""

    model_type: ClassVar[str]
    """As transformers' configurations name it."""
    title: ClassVar[str]
    """As its makers write it."""
    default_profile: ClassVar[Profile]
    """How its checkpoints are asked where nothing else is known."""
    not_carried: ClassVar[dict[TimeEncoding, str]]
    """Time encodings that it cannot carry, each with the reason and what to use instead."""
    block_start: ClassVar[str]
    """The text before the visual tokens of a block of frames."""
    block_end: ClassVar[str]
    """The text after them."""
    end_token: ClassVar[str]
    """Ends an answer."""
    keeps_states: ClassVar[bool] = False
    """Whether some layers of its decoder keep a state in place of keys and values."""
    lora_module: ClassVar[str]
    """The name of the module whose linear layers can get adapters (LoRA)."""
    lora_targets: ClassVar[tuple[str, ...]]
    """Which of them get one where a recipe does not say."""

    patch_size: int
    """Pixels on the side of a patch."""
    merge_size: int
    """Patches on the side of a visual token, which is two frames deep."""
    image_token_id: int
    video_token_id: int
    vision_start_id: int
    vision_end_id: int

    @classmethod
    @abstractmethod
    def from_config(cls, config: Any) -> Family:
        """Return the family of a transformers configuration."""

    @property
    def factor(self) -> int:
        """Return the number of pixels of which frame sides are multiples."""
        return self.patch_size * self.merge_size

    @property
    def visual_ids(self) -> tuple[int, int]:
        """Return the placeholders of images and of video."""
        return self.image_token_id, self.video_token_id

    @property
    def forbidden_ids(self) -> tuple[int, ...]:
        """Return tokens that must never be sampled into an answer."""
        return (*self.visual_ids, self.vision_start_id, self.vision_end_id)

    @classmethod
    def check_encoding(cls, encoding: TimeEncoding) -> None:
        """Raise UserError, with the reason, for a time encoding that it cannot carry."""
        if encoding in cls.not_carried:
            raise UserError(f"time encoding '{encoding.value}' {cls.not_carried[encoding]}")

    def grid_hw(self, height: int, width: int) -> tuple[int, int]:
        """Return the patches down and across a frame of so many pixels."""
        return height // self.patch_size, width // self.patch_size

    @abstractmethod
    def steps_per_pair(self, segment: VisionSegment) -> float:
        """Return the steps of the temporal position ids from one frame pair of a block to the next."""

    @property
    def steps_per_s(self) -> float | None:
        """Return the steps of the temporal position ids a second; None where they carry no seconds."""
        return None

    @abstractmethod
    def wraps_video(self, processor: Any | None) -> bool:
        """Say whether its processor keeps a vision start and end around the whole of a natively stamped video.

        processor: the checkpoint's; None stands for the one of the newest transformers.
        """

    @abstractmethod
    def chat(self, text: str, system: str) -> str:
        """Return a conversation of one user's text, up to where the answer begins, where no template is at hand."""

    # What a vLLM server is sent (`models/served/vllm/media.py`).

    @abstractmethod
    def why_not_native(self, profile: Profile) -> str | None:
        """Return why clips cannot be sent to vLLM as they are under a profile; None if they can."""

    @abstractmethod
    def pieces(self, vision: Sequence[VisionSegment]) -> list[VisionSegment]:
        """Return what vLLM takes as one piece of media each."""

    @abstractmethod
    def placeholders(self, ids: Sequence[int]) -> list[int]:
        """Return a prompt's token ids with one visual token in place of each piece of media."""

    @abstractmethod
    def frames_per_s(self, block: VisionSegment) -> float:
        """Return the frame rate that vLLM is told of a piece."""

    @abstractmethod
    def videos_in_prompt(self, num_pairs: int) -> int:
        """Return how many videos a prompt of so many frame pairs is for vLLM."""
