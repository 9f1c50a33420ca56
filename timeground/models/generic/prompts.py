"""Has a checkpoint's own processor write prompts, cut where questions begin.

Shape legend: L tokens of the part that questions share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from timeground.chat.parts import Message
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.files.json_text import without_surrogates
from timeground.models.generic.messages import ChatText, Shown, refused

ONE_VIEW = {"do_image_splitting": False, "crop_to_patches": False, "slice_mode": False, "max_crops": 1}
"""Settings by which image processors cut a picture into several; a frame is one view."""


@dataclass(frozen=True)
class Head:
    """The part of a prompt that all questions share: up to the last special token before the question."""

    ids_L: Tensor
    inputs: dict[str, Any]
    """All that the model is given for it: token ids and types ``[1, L]``, pixels, grids."""
    before: str
    """The text between that token and the question."""
    after: str
    """The text from the question to where the answer begins."""
    num_media: int
    """How many clips or pictures it shows."""


class PromptWriter:
    """Writes prompts with one checkpoint's processor."""

    def __init__(self, name: str, processor: Any, config: Any, ends: Sequence[int] = ()) -> None:
        """Take a processor and configuration. ends: tokens at which the checkpoint's own settings end an answer."""
        self.name, self.processor, self.config, self.ends = name, processor, config, tuple(ends)
        self.tokenizer, self.chat = processor.tokenizer, ChatText(name, processor)

    @cached_property
    def media_ids(self) -> frozenset[int]:
        """Return the tokens that stand for pictures, video and sound: never part of an answer."""
        found: set[Any] = set()
        for holder in (self.processor, self.config, self.tokenizer):
            for medium in ("image", "video", "audio"):
                for ending in ("_token_id", "_token_index", "_patch_id"):
                    found.add(getattr(holder, medium + ending, None))
                several = getattr(holder, f"{medium}_token_ids", None)
                found.update(several if isinstance(several, (list, tuple)) else ())
        vocabulary = len(self.tokenizer)
        unknown = self.tokenizer.unk_token_id
        return frozenset(i for i in found if isinstance(i, int) and 0 <= i < vocabulary and i != unknown)

    def head(self, messages: Sequence[Message], profile: Profile) -> Head:
        """Return what all questions after these messages share. Raise UserError where the processor refuses it."""
        before, after, shown = self.chat.around_question(messages, profile)
        made = self.processed(before, shown)
        cut = self._last_special(made["input_ids"][0].tolist()) + 1
        length = made["input_ids"].shape[1]
        inputs = {key: value[:, :cut] if _is_per_token(value, length) else value for key, value in made.items()}
        rest = self.tokenizer.decode(made["input_ids"][0, cut:].tolist(), skip_special_tokens=False)
        return Head(inputs["input_ids"][0], inputs, rest, after, len(shown.images) + len(shown.videos))

    def whole(self, messages: Sequence[Message], question: str, profile: Profile) -> dict[str, Any]:
        """Return a whole prompt in one piece, as the processor makes it."""
        before, after, shown = self.chat.around_question(messages, profile)
        return self.processed(before + without_surrogates(question) + after, shown)

    def tail(self, head: Head, question: str) -> list[int]:
        """Return the tokens from behind the shared part to where the answer begins."""
        last = self.tokenizer.convert_ids_to_tokens(int(head.ids_L[-1]))
        text = last + head.before + without_surrogates(question) + head.after
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        if ids[:1] != [int(head.ids_L[-1])]:
            raise UserError(f"{self.name}: its tokenizer does not give its own token {last!r} back")
        if not self.media_ids.isdisjoint(ids[1:]):
            raise UserError(f"the question names a token of the model that stands for pictures: {question[:80]!r}")
        return list(ids[1:])

    def processed(self, text: str, shown: Shown) -> dict[str, Any]:
        """Return what the processor makes of a text with its pictures. Raise UserError in its own words."""
        bos = self.tokenizer.bos_token
        options: dict[str, Any] = {"add_special_tokens": not (bos and text.startswith(bos)), "return_tensors": "pt"}
        if shown.videos:
            options["videos"] = shown.videos
            options["videos_kwargs"] = {**self._as_it_is, "video_metadata": shown.metadata}
        if shown.images:
            options["images"], options["images_kwargs"] = [shown.images], self._one_view
        try:
            made = dict(self.processor(text=[text], **options))
        except Exception as error:  # a processor of anybody's fails in ways of its own
            raise refused(self.name, self.processor, error) from error
        return {key: value for key, value in made.items() if value is not None}

    def answer_ids(self, text: str) -> list[int]:
        """Return the tokens of an answer, with the one that ends it."""
        return [*self.tokenizer.encode(text, add_special_tokens=False), self.end_id]

    @cached_property
    def end_ids(self) -> tuple[int, ...]:
        """Return the tokens that end an answer: the one that the template puts there, and what generation stops at."""
        template, own = self._ends_turn(), self.tokenizer.eos_token_id
        found = dict.fromkeys([*([] if template is None else [template]), *self.ends, *([] if own is None else [own])])
        if not found:
            raise UserError(f"{self.name}: neither its tokenizer nor its configuration says which token ends an answer")
        return tuple(found)

    @property
    def end_id(self) -> int:
        """Return the token that ends an answer in this chat."""
        return self.end_ids[0]

    def _ends_turn(self) -> int | None:
        """Return the special token that the template puts after an answer; None where it puts none."""
        ids = self.tokenizer.encode(self.chat.after_answer(), add_special_tokens=False)
        specials = self._specials - self.media_ids
        return next((i for i in ids if i in specials), None)

    @cached_property
    def _specials(self) -> frozenset[int]:
        return frozenset(self.tokenizer.get_added_vocab().values()) | frozenset(self.tokenizer.all_special_ids)

    def _last_special(self, ids: Sequence[int]) -> int:
        """Return where the last special token stands: text is cut into tokens on each side of it alone."""
        found = next((at for at in range(len(ids) - 1, -1, -1) if ids[at] in self._specials), None)
        if found is None:
            raise UserError(f"{self.name}: its chat template puts no special token before the question")
        return found

    @cached_property
    def _as_it_is(self) -> dict[str, Any]:
        """Return the settings for a video whose frames were chosen already."""
        cap = "cap_pixels_per_frame"  # without a word on it some warn
        video = getattr(self.processor, "video_processor", None)
        return {"do_sample_frames": False, **({cap: False} if getattr(video, cap, True) is None else {})}

    @cached_property
    def _one_view(self) -> dict[str, Any]:
        images = getattr(self.processor, "image_processor", None)
        return {key: value for key, value in ONE_VIEW.items() if hasattr(images, key)}


def _is_per_token(value: Any, length: int) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == (1, length)
