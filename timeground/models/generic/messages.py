"""Messages as a checkpoint's own chat template writes them: a text with placeholders, and the frames that go there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

from torch import Tensor

from timeground.chat.layout import TextSegment, TimeEncoding, draw_times, encode_time
from timeground.chat.parts import Frames, Message, Text
from timeground.chat.profile import Profile
from timeground.errors import UserError
from timeground.files.json_text import without_surrogates
from timeground.media.clip import Clip

RATE = 1000.0
"""The frame rate that processors are told: they write ``index / rate``, so an index is a time in milliseconds."""
QUESTION = "[[the question stands here]]"


@dataclass
class Shown:
    """What a conversation shows, in order."""

    images: list[Any] = field(default_factory=list)
    """Single pictures (PIL)."""
    videos: list[Tensor] = field(default_factory=list)
    """uint8 ``[T, C, H, W]`` each."""
    metadata: list[dict[str, Any]] = field(default_factory=list)
    """Of each video: which frames of which rate, so that they stand at their true times."""


class ChatText:
    """Writes conversations with one checkpoint's chat template."""

    def __init__(self, name: str, processor: Any) -> None:
        self.name, self.processor = name, processor

    def after_answer(self) -> str:
        """Return what the template puts behind an answer; "" where that cannot be told."""
        said = [Message.of("user", "?"), Message.of("assistant", QUESTION)]
        try:
            text = self._template([self._content(message, Profile(), Shown()) for message in said], False)
        except UserError:
            return ""
        return text.partition(QUESTION)[2]

    def around_question(self, messages: Sequence[Message], profile: Profile) -> tuple[str, str, Shown]:
        """Return a prompt's text before and after the question that follows messages, and what it shows.

        Raise UserError where the template refuses them, in its own words.
        """
        shown = Shown()
        question = Message.of("user", QUESTION)
        parts = [self._content(message, profile, shown) for message in _merged([*messages, question], profile)]
        text = self._template(parts, True, profile.enable_thinking)
        if text.count(QUESTION) != 1:
            raise UserError(f"{self.name}: its chat template drops the question")
        before, _, after = text.partition(QUESTION)
        return before, after, shown

    def _template(self, messages: list[dict[str, Any]], answer_follows: bool, thinking: bool = False) -> str:
        switch = {"enable_thinking": thinking} if self._can_think else {}
        try:
            return str(
                self.processor.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=answer_follows, **switch
                )
            )
        except Exception as error:  # a template of anybody's fails in ways of its own
            raise refused(self.name, self.processor, error) from error

    @cached_property
    def _can_think(self) -> bool:
        """Return whether the template has the switch that many have for thinking."""
        return "enable_thinking" in str(self.processor.chat_template)

    def _content(self, message: Message, profile: Profile, shown: Shown) -> dict[str, Any]:
        if self._plain_texts and not any(isinstance(part, Frames) for part in message.parts):
            return {"role": message.role, "content": without_surrogates(message.text)}
        content: list[dict[str, Any]] = []
        for part in message.parts:
            content += [_text(part.text)] if isinstance(part, Text) else self._clip(part.clip, profile, shown)
        return {"role": message.role, "content": content}

    @cached_property
    def _plain_texts(self) -> bool:
        """Return whether the template wants a message without media as a text: it prints a list of parts as Python."""
        said = [{"role": role, "content": [_text(QUESTION)]} for role in ("user", "assistant")]
        try:
            return f"'{QUESTION}'" in self._template(said, False)
        except UserError:
            return True

    def _clip(self, clip: Clip, profile: Profile, shown: Shown) -> list[dict[str, Any]]:
        """Return a clip's parts of a message, and note its frames."""
        clip = profile.in_its_time(clip)
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


def refused(name: str, processor: Any, error: Exception) -> UserError:
    """Return what a processor's failure is for a user: the model's name, and the processor's own words."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return UserError(f"{name}: its {type(processor).__name__} refuses the prompt: {reason}")


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


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": without_surrogates(text)}


def _picture(frame_CHW: Tensor) -> Any:
    from PIL import Image

    return Image.fromarray(frame_CHW.permute(1, 2, 0).contiguous().cpu().numpy())
