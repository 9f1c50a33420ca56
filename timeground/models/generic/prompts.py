"""Has a checkpoint's own processor write prompts: messages through its chat template, frames at their true times.

Shape legend: L tokens of the part that questions share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from timeground.chat.layout import TextSegment, TimeEncoding, draw_times, encode_time
from timeground.chat.parts import Message, Text
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.files.json_text import without_surrogates
from timeground.media.clip import Clip

RATE = 1000.0
"""The frame rate that processors are told: they write ``index / rate``, so an index is a time in milliseconds."""
QUESTION = "[[the question stands here]]"
ONE_VIEW = {"do_image_splitting": False, "crop_to_patches": False, "slice_mode": False, "max_crops": 1}
"""Settings by which image processors cut a picture into several; a frame is one view."""


@dataclass
class Shown:
    """What a conversation shows, in order."""

    images: list[Any] = field(default_factory=list)
    """Single pictures (PIL)."""
    videos: list[Tensor] = field(default_factory=list)
    """uint8 ``[T, C, H, W]`` each."""
    metadata: list[dict[str, Any]] = field(default_factory=list)
    """Of each video: which frames of which rate, so that they stand at their true times."""


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
        self.tokenizer = processor.tokenizer

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
        before, after, shown = self._rendered(messages, profile)
        made = self.processed(before, shown)
        cut = self._last_special(made["input_ids"][0].tolist()) + 1
        length = made["input_ids"].shape[1]
        inputs = {key: value[:, :cut] if _is_per_token(value, length) else value for key, value in made.items()}
        rest = self.tokenizer.decode(made["input_ids"][0, cut:].tolist(), skip_special_tokens=False)
        return Head(inputs["input_ids"][0], inputs, rest, after, len(shown.images) + len(shown.videos))

    def whole(self, messages: Sequence[Message], question: Message, profile: Profile) -> dict[str, Any]:
        """Return a whole prompt in one piece, as the processor makes it."""
        before, after, shown = self._rendered(messages, profile, question.role)
        return self.processed(before + question.text + after, shown)

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
            raise self._refused(error) from error
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
        said = [Message.of("user", "?"), Message.of("assistant", QUESTION)]
        try:
            text = self._template([_as_dict(message) for message in said], False)
        except UserError:
            return None
        ids = self.tokenizer.encode(text.partition(QUESTION)[2], add_special_tokens=False)
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

    def _rendered(self, messages: Sequence[Message], profile: Profile, role: str = "user") -> tuple[str, str, Shown]:
        """Return the prompt's text before and after the question, and what it shows."""
        shown = Shown()
        question = Message.of("user", QUESTION)
        parts = [self._content(message, profile, shown) for message in _merged([*messages, question], profile)]
        text = self._template(parts, True)
        if text.count(QUESTION) != 1:
            raise UserError(f"{self.name}: its chat template drops the question")
        before, _, after = text.partition(QUESTION)
        return before, after, shown

    def _template(self, messages: list[dict[str, Any]], answer_follows: bool) -> str:
        try:
            return str(
                self.processor.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=answer_follows, **self._no_thoughts
                )
            )
        except Exception as error:  # a template of anybody's fails in ways of its own
            raise self._refused(error) from error

    @cached_property
    def _no_thoughts(self) -> dict[str, Any]:
        """Return the switch that many templates have for thinking; our answers are short ones."""
        return {"enable_thinking": False} if "enable_thinking" in str(self.processor.chat_template) else {}

    def _content(self, message: Message, profile: Profile, shown: Shown) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        for part in message.parts:
            content += [_text(part.text)] if isinstance(part, Text) else self._clip(part.clip, profile, shown)
        return {"role": message.role, "content": content}

    def _clip(self, clip: Clip, profile: Profile, shown: Shown) -> list[dict[str, Any]]:
        """Return a clip's parts of a message, and note its frames."""
        if profile.time_encoding is TimeEncoding.STAMPED_IMAGES:
            return self._stamped(clip, profile, shown)
        clip = clip.paired()
        if profile.time_encoding is TimeEncoding.DRAWN:
            clip = draw_times(clip)
        shown.videos.append(clip.frames)
        shown.metadata.append(metadata_of(clip))
        return [{"type": "video"}]

    def _stamped(self, clip: Clip, profile: Profile, shown: Shown) -> list[dict[str, Any]]:
        """Return every second frame as an image after its stamp, as servers are sent them."""
        clip, segments = encode_time(clip.thinned(), TimeEncoding.STAMPED_IMAGES, profile.stamp)
        content: list[dict[str, Any]] = []
        for segment in segments:
            if isinstance(segment, TextSegment):
                content.append(_text(segment.text))
            else:
                shown.images.append(_picture(clip.frames[segment.first_frame]))
                content.append({"type": "image"})
        if self._keeps_order:
            return content
        # The template gathers all images at one place; what stands in a text it leaves there.
        return [_text("".join(part.get("text", self._image_text) for part in content))]

    @cached_property
    def _keeps_order(self) -> bool:
        """Return whether the template leaves images where they stand between texts."""
        marks = [f"[[{number}]]" for number in range(3)]
        parts = [part for mark in marks for part in (_text(mark), {"type": "image"})]
        text = self._template([{"role": "user", "content": parts}], True)
        return all(mark in text for mark in marks) and not any(
            a + b in text.replace("\n", "").replace(" ", "") for a, b in pairwise(marks)
        )

    @cached_property
    def _image_text(self) -> str:
        """Return what the template writes for an image."""
        mark = {"role": "user", "content": [_text(QUESTION)]}
        before, _, after = self._template([mark], True).partition(QUESTION)
        shown = self._template([{**mark, "content": [{"type": "image"}, *mark["content"]]}], True)
        before_shown, _, after_shown = shown.partition(QUESTION)
        return before_shown.removeprefix(before) + after_shown.removesuffix(after)

    def _refused(self, error: Exception) -> UserError:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return UserError(f"{self.name}: its {type(self.processor).__name__} refuses the prompt: {reason}")


def metadata_of(clip: Clip) -> dict[str, Any]:
    """Return what a processor is told of a clip, so that the times that it works out are the true ones."""
    indices = [round(seconds * RATE) for seconds in clip.frame_times_s.tolist()]
    spacing = (indices[-1] - indices[0]) / max(1, len(indices) - 1)
    total = round(spacing * len(indices)) or len(indices)
    height, width = clip.frames.shape[2:]
    return {
        "fps": RATE,
        "frames_indices": indices,
        "total_num_frames": total,
        "duration": clip.duration_s,
        "height": int(height),
        "width": int(width),
    }


def _merged(messages: Sequence[Message], profile: Profile) -> list[Message]:
    """Return messages of which no two in a row have the same role."""
    found: list[Message] = []
    for message in messages:
        if found and found[-1].role == message.role:
            parts = (*found[-1].parts, *message.parts)
            found[-1] = replace(found[-1], parts=parts[::-1] if profile.text_first and len(parts) == 2 else parts)
        else:
            found.append(message)
    return found


def _as_dict(message: Message) -> dict[str, Any]:
    return {"role": message.role, "content": [_text(message.text)]}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": without_surrogates(text)}


def _picture(frame_CHW: Tensor) -> Any:
    from PIL import Image

    return Image.fromarray(frame_CHW.permute(1, 2, 0).contiguous().cpu().numpy())


def _is_per_token(value: Any, length: int) -> bool:
    return isinstance(value, torch.Tensor) and value.shape == (1, length)
