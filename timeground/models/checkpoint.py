"""A model without its weights, opened in one place: its configuration, family and profile, and what prepares its input.

Models, training, its plan, the doctor and ``timeground serve`` take it; `loading` adds the weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Self

from timeground.chat.profile import Profile, named_profile, profile_for
from timeground.errors import UserError
from timeground.files.content_keys import PROFILE_NAME, model_contents
from timeground.media.sampling import Sampling
from timeground.models.checkpoint_files import check_config, check_folder, check_template
from timeground.models.families import Family, family_of
from timeground.models.hub import only_on_disk
from timeground.models.inputs import PromptBuilder
from timeground.models.local.towers import Normalisation
from timeground.models.names import resolve
from timeground.models.torchvision_repair import repair_torchvision
from timeground.models.transcript import Transcript
from timeground.quiet import quietly


@dataclass(frozen=True)
class Checkpoint:
    """A model as its files describe it. What takes time to read is read when it is first asked for."""

    name: str
    """As the user names it."""
    path: str
    """Its folder, or its id on the Hub."""
    revision: str | None
    """Of the Hub's repository; None is its newest."""
    config: Any
    """Its configuration, as transformers reads it."""
    family: Family
    profile: Profile
    """How it is asked: as its own file or the table of known models says, unless that was changed."""

    @classmethod
    def open(cls, name: str, *, revision: str | None = None) -> Self:
        """Return the checkpoint behind ``tiny``, a folder or a Hub id. Raise UserError where it is none of ours."""
        path = resolve(name)
        if Path(path).is_dir():
            check_config(Path(path))
        return cls.of(read_config(path, revision), name, path, revision)

    @classmethod
    def of(cls, config: Any, name: str, path: str, revision: str | None = None) -> Self:
        """Return the checkpoint of a configuration. Raise UserError for a family or a profile that we do not know."""
        family = family_of(config, name)
        return cls(name, path, revision, config, family, profile_for(path, family))

    def with_profile(self, profile: Profile) -> Self:
        """Return it asked in another way. Raise UserError for one that its family cannot carry."""
        return replace(self, profile=profile.checked(self.family))

    def asked_as(self, profile: str | None, changes: Mapping[str, Any]) -> Self:
        """Return it asked as a named profile of the table says (None: as before), with single settings changed."""
        base = named_profile(profile, self.profile.knows) if profile else self.profile
        return self.with_profile(base.with_changes(dict(changes)))

    @property
    def sampling(self) -> Sampling:
        """Return which frames of a video it wants."""
        return self.profile.sampling(self.family.factor)

    @cached_property
    def contents(self) -> str:
        """Return the identity of its files."""
        return model_contents(self.path, self.revision)

    @cached_property
    def processor(self) -> Any:
        """Return its own processor; raise UserError as `read_processor` does."""
        return read_processor(self.path, self.revision)

    @cached_property
    def norm(self) -> Normalisation:
        """Return what its processor does to the pixels of videos."""
        video = self.processor.video_processor
        return Normalisation(tuple(video.image_mean), tuple(video.image_std))

    @cached_property
    def builder(self) -> PromptBuilder:
        """Return what turns texts and frames into its tokens."""
        processor, nested = self.processor, self.family.wraps_video(self.processor)
        thinking = self.profile.enable_thinking
        return PromptBuilder(processor.tokenizer, processor.chat_template, self.family, nested, thinking)

    def transcript(self) -> Transcript:
        """Return an empty conversation, which turns messages into its tokens."""
        return Transcript(self.builder, self.profile)


def read_config(path: str, revision: str | None = None) -> Any:
    """Return a model's configuration. Raise UserError where it cannot be read."""
    repair_torchvision()
    from transformers import AutoConfig

    found = or_user_error(AutoConfig.from_pretrained, path, revision, trust_remote_code=False)
    fetch_profile(path, revision)
    return found


def fetch_profile(path: str, revision: str | None = None) -> None:
    """Bring the profile that a Hub id may have onto this machine, beside its configuration."""
    if Path(path).is_dir():
        return
    from transformers.utils.hub import cached_file

    may_lack = {f"_raise_exceptions_for_{what}": False for what in ("missing_entries", "connection_errors")}
    only_here = only_on_disk(path, revision)
    or_user_error(partial(cached_file, filename=PROFILE_NAME), path, revision, local_files_only=only_here, **may_lack)


def read_processor(path: str, revision: str | None = None) -> Any:
    """Return a checkpoint's own processor.

    Raise UserError where its files are missing or damaged, or it has no chat template.
    """
    repair_torchvision()
    from transformers import AutoProcessor

    if Path(path).is_dir():
        check_folder(Path(path), weights=False)
    processor = or_user_error(AutoProcessor.from_pretrained, path, revision)
    check_template(processor, path)
    return processor


def or_user_error(call: Any, path: str, revision: str | None, **options: Any) -> Any:
    """Call a ``from_pretrained``, and say in one line what is wrong with the model if it fails.

    A Hub id is looked for before, so that one that is mistyped or out of reach is told at once.
    """
    if not Path(path).is_dir() and only_on_disk(path, revision):
        options["local_files_only"] = True
    try:
        with quietly():
            return call(path, revision=revision, **options)
    except Exception as error:  # damaged files make libraries fail in ways of their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"model {path!r} cannot be loaded: {reason}. Give 'tiny', a Hub id, or a folder with config.json, "
            "the processor files and safetensors weights"
        ) from error
