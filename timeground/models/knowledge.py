"""What a model knows, and which videos are of that kind.

A model that was trained on rendered videos alone answers anything about a real one, and knows nothing of it. Its
``grounding_config.json`` says what it knows (``knows``), exports and fine-tunes carry that along until rows about
other videos are trained, and every video that we render carries a tag. What has no tag counts as real.
"""

from __future__ import annotations

from timeground.chat.profile import Profile, load_profile, own_profile
from timeground.media.containers.tag import SYNTH
from timeground.models.names import is_url

REAL_MODELS = "--model TencentARC/TimeLens-8B, or any Qwen3-VL"
_WORDS = {SYNTH: "coloured shapes (SynthMoments) only"}


def checkpoint_knows(name: str) -> str | None:
    """Return what the checkpoint of that name says it knows; None where it says nothing, or is not on this machine."""
    file = None if is_url(name) else own_profile(name)
    return load_profile(file).knows if file else None


def in_words(knows: str) -> str:
    """Return what a checkpoint's ``knows`` means, for people."""
    return _WORDS.get(knows, knows)


def is_known(profile: Profile, made_by: str) -> bool:
    """Return whether videos with this tag are of the kind that a model knows."""
    return profile.knows is None or made_by.split(" ")[0] == profile.knows


def warning(model: str, profile: Profile, made_by: str) -> str | None:
    """Return one line for a video of which the model knows nothing; None where it may know something."""
    if is_known(profile, made_by):
        return None
    return (
        f"model {model} knows {in_words(profile.knows or '')}, and this video is none of those: its "
        f"answers mean nothing here; take {REAL_MODELS}"
    )
