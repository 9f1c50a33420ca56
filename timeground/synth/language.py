"""Sentences for what happens in a SynthMoments scene, and the sentence of the same thing played backwards."""

from __future__ import annotations

from timeground.synth.scene import MIRRORED

PHRASES: dict[str, tuple[str, ...]] = {
    "visible": (
        "the {a} is visible",
        "the {a} is on the screen",
        "the {a} can be seen",
        "the {a} is in the picture",
    ),
    "left": ("the {a} moves left", "the {a} slides to the left", "the {a} goes left"),
    "right": ("the {a} moves right", "the {a} slides to the right", "the {a} goes right"),
    "up": ("the {a} moves up", "the {a} rises", "the {a} goes up"),
    "down": ("the {a} moves down", "the {a} sinks", "the {a} goes down"),
    "grow": ("the {a} grows", "the {a} gets bigger", "the {a} becomes larger"),
    "shrink": ("the {a} shrinks", "the {a} gets smaller", "the {a} becomes smaller"),
    "blink": ("the {a} blinks", "the {a} flashes", "the {a} flickers on and off"),
    "turn": ("the {a} turns", "the {a} rotates", "the {a} spins around"),
    "together": (
        "the {a} and the {b} come together",
        "the {a} and the {b} meet",
        "the {a} and the {b} move towards each other",
    ),
    "apart": (
        "the {a} and the {b} move apart",
        "the {a} and the {b} separate",
        "the {a} and the {b} move away from each other",
    ),
}
ORDER = {
    "after_leaving": "after the {ref} disappears, {event}",
    "before_leaving": "before the {ref} disappears, {event}",
    "after_coming": "after the {ref} appears, {event}",
    "before_coming": "before the {ref} appears, {event}",
    "first": "the first time {event}",
    "last": "the last time {event}",
}
MIRRORED_ORDER = {
    "after_leaving": "before_coming",
    "before_coming": "after_leaving",
    "before_leaving": "after_coming",
    "after_coming": "before_leaving",
    "first": "last",
    "last": "first",
}


def sentence(action: str, phrasing: int, a: str, b: str = "", order: str = "", ref: str = "") -> str:
    """Return the sentence for an action of actor a (and b), perhaps placed before or after something else."""
    phrases = PHRASES[action]
    event = phrases[phrasing % len(phrases)].format(a=a, b=b)
    return ORDER[order].format(ref=ref, event=event) if order else event


def mirrored_sentence(action: str, phrasing: int, a: str, b: str = "", order: str = "", ref: str = "") -> str:
    """Return what the sentence becomes when the video is played backwards."""
    return sentence(MIRRORED.get(action, action), phrasing, a, b, MIRRORED_ORDER.get(order, ""), ref)


def is_time_sensitive(action: str, order: str = "") -> bool:
    """Return whether the sentence tells forward from backward (ArrowGEV's time-sensitive events)."""
    return action in MIRRORED or bool(order)
