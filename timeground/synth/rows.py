"""The data rows of a scene: queries with their exact spans, questions with options, yes/no, and event lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from timeground.data.rows import Row
from timeground.spans import Span, clamp, merge, shifted
from timeground.synth.language import PHRASES, is_time_sensitive, mirrored_sentence, sentence
from timeground.synth.scene import ACTIONS, COLOURS, SHAPES, TURNABLE, Scene, is_unseen

MARGIN_S = 0.5
"""An ordered query or a "no" window keeps at least this distance from what would make it wrong."""
_SEEN_NAMES = [f"{c} {s}" for c in COLOURS for s in SHAPES if not is_unseen(c, s)]
"""Names that may stand for something absent: a held-out one never does, or its absence would be learnt."""


@dataclass(frozen=True)
class Event:
    """Everything one actor (or pair) does under one name: all spans of `action`."""

    action: str
    a: str
    b: str
    spans: tuple[Span, ...]
    is_clear: bool = True
    """Whether none of it is a glimpse at the border of what is shown, of which nobody could say that it happens."""


def events_of(scene: Scene) -> list[Event]:
    """Return all that can be asked about, with every span in which it happens."""
    found: dict[tuple[str, str, str], list[Span]] = defaultdict(list)
    for index, actor in enumerate(scene.actors):
        if actor.visible:
            found["visible", actor.name, ""] = list(actor.visible)
        for act in actor.acts:
            if act.other is None:
                found[act.action, actor.name, ""].append(act.span)
            elif act.other > index:
                found[act.action, actor.name, scene.actors[act.other].name].append(act.span)
    return [_event(scene, *key, merge(spans)) for key, spans in found.items()]


def _event(scene: Scene, action: str, a: str, b: str, spans: Sequence[Span]) -> Event:
    shown = tuple(clamp(span, 0.0, scene.duration_s) for span in spans)
    glimpses = [s.length_s < min(MARGIN_S, 0.5 * whole.length_s) for s, whole in zip(shown, spans, strict=True)]
    return Event(action, a, b, shown, not any(glimpses))


def make_rows(scene: Scene, video: str) -> list[Row]:
    """Return every row of a scene, in a fixed order; ids are ``<video stem>-<number>``."""
    rng = np.random.default_rng([scene.seed, 23])
    all_events = events_of(scene)
    events = [event for event in all_events if event.is_clear]
    rows = [grounding_row(scene, event, rng, event.spans) for event in events if not _is_everywhere(scene, event)]
    rows += [row for event in events for row in _ordered_rows(scene, event, rng)]
    rows += [_absent_row(scene, all_events, rng) for _ in range(2)]
    if events:
        rows += [_yes_no_row(scene, all_events, wanted, rng) for wanted in ("yes", "no")]
        rows += _choice_rows(scene, events, rng)
        rows.append(_events_row(scene, events))
    rows += [_moment_row(scene, rng) for _ in range(3)]
    rows += [row for _ in range(4) if (row := _doing_row(scene, rng)) is not None]
    rows.append(_who_row(scene))
    return numbered(rows, video)


def numbered(rows: list[Row], video: str, first: int = 0) -> list[Row]:
    """Return rows with their video and ids ``<video stem>-<number>``."""
    stem = video.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    for number, row in enumerate(rows, first):
        row.id, row.video = f"{stem}-{number}", video
    return rows


def scene_row(scene: Scene, query: str, spans: Sequence[Span], kind: str, **more: object) -> Row:
    """Return a row about a scene, in the time that its clip is shown in. more: other fields of it."""
    end_s = scene.clock_s + scene.duration_s
    row = Row(
        id="new",
        video="new",
        duration=end_s,
        query=query,
        spans=shifted(spans, scene.clock_s),
        window=Span(scene.clock_s, end_s) if scene.clock_s else None,
        source="synthmoments",
    )
    row.meta = {"kind": kind}
    for name, value in more.items():
        setattr(row, name, value)
    return row


def told(scene: Scene, time_s: float) -> str:
    """Return a moment of a scene as a question says it."""
    return f"{time_s + scene.clock_s:.1f}"


def grounding_row(
    scene: Scene,
    event: Event,
    rng: np.random.Generator,
    spans: Sequence[Span],
    order: str = "",
    ref: str = "",
) -> Row:
    """Return a grounding row for an event, with its mirrored sentence and sensitivity."""
    phrasing = int(rng.integers(len(PHRASES[event.action])))
    words = (event.action, phrasing, event.a, event.b, order, ref)
    kind = "absent" if not spans else "ordered" if order else "single" if len(spans) == 1 else "multi"
    row = scene_row(scene, sentence(*words), spans, kind)
    row.direction = "sensitive" if is_time_sensitive(event.action, order) else "insensitive"
    row.mirrored_query = mirrored_sentence(*words)
    row.meta["action"] = event.action
    return row


def _is_everywhere(scene: Scene, event: Event) -> bool:
    """Return whether an event lasts all of the video: nothing to find."""
    return event.spans[0].end_s - event.spans[0].start_s > 0.95 * scene.duration_s


def _ordered_rows(scene: Scene, event: Event, rng: np.random.Generator) -> list[Row]:
    """Return rows that pick one of several spans by what comes before or after it."""
    if len(event.spans) < 2 or event.action == "visible":
        return []
    rows = [grounding_row(scene, event, rng, event.spans[:1], "first")]
    rows.append(grounding_row(scene, event, rng, event.spans[-1:], "last"))
    for actor in scene.actors:
        if len(actor.visible) != 1 or actor.name in (event.a, event.b):
            continue
        for order, moment in (("leaving", actor.visible[0].end_s), ("coming", actor.visible[0].start_s)):
            before = [s for s in event.spans if s.end_s + MARGIN_S <= moment]
            after = [s for s in event.spans if s.start_s - MARGIN_S >= moment]
            clear = len(before) + len(after) == len(event.spans) and before and after
            if clear and MARGIN_S < moment < scene.duration_s - MARGIN_S:
                rows.append(grounding_row(scene, event, rng, after, f"after_{order}", actor.name))
                rows.append(grounding_row(scene, event, rng, before, f"before_{order}", actor.name))
    return rows


def absent_event(scene: Scene, events: Sequence[Event], rng: np.random.Generator) -> Event:
    """Return something that does not happen: an actor that is not there, or one doing what it never does."""
    done = {(e.action, e.a) for e in events}
    names = [actor.name for actor in scene.actors if actor.visible]
    while True:
        name = str(rng.choice(_SEEN_NAMES if rng.random() < 0.5 or not names else names))
        action = str(rng.choice(["visible", *ACTIONS]))
        if action == "turn" and name.split()[1] not in TURNABLE:
            continue
        if (action, name) not in done and (name not in names or action != "visible"):
            return Event(action, name, "", ())


def _absent_row(scene: Scene, events: Sequence[Event], rng: np.random.Generator) -> Row:
    return grounding_row(scene, absent_event(scene, events, rng), rng, [])


def _yes_no_row(scene: Scene, events: Sequence[Event], wanted: str, rng: np.random.Generator) -> Row:
    """Return whether something happens between two times. "No" is another time, or an event that never happens."""
    clear = [event for event in events if event.is_clear]
    event = clear[int(rng.integers(len(clear)))]
    span = event.spans[rng.integers(len(event.spans))]
    start, end = (float(np.round(t, 1)) for t in (span.start_s, span.end_s))
    if wanted == "no":
        window = _free_window(scene, event, rng)
        if window is None or rng.random() < 0.3:
            event = absent_event(scene, events, rng)
        else:
            start, end = window
    phrasing = int(rng.integers(len(PHRASES[event.action])))
    query = sentence(event.action, phrasing, event.a, event.b)
    question = f"Does this happen between {told(scene, start)} and {told(scene, end)} seconds: {query}?"
    spans = list(event.spans) if wanted == "yes" else []
    return scene_row(scene, query, spans, "yes_no", question=question, answer=wanted)


def _free_window(scene: Scene, event: Event, rng: np.random.Generator) -> tuple[float, float] | None:
    """Return a stretch of at least two seconds in which the event does not happen."""
    borders = [0.0, *(t for s in event.spans for t in (s.start_s, s.end_s)), scene.duration_s]
    gaps = [(a + MARGIN_S, b - MARGIN_S) for a, b in zip(borders[::2], borders[1::2], strict=True)]
    gaps = [(a, b) for a, b in gaps if b - a >= 2.0]
    if not gaps:
        return None
    low, high = gaps[rng.integers(len(gaps))]
    length = rng.uniform(2.0, min(8.0, high - low))
    start = rng.uniform(low, high - length)
    return float(np.round(start, 1)), float(np.round(start + length, 1))


def _choice_rows(scene: Scene, events: Sequence[Event], rng: np.random.Generator) -> list[Row]:
    """Return questions with four options: what an actor does, who does it, what happens at a time."""
    single = [e for e in events if e.action in ACTIONS]
    if not single:
        return []
    event = single[rng.integers(len(single))]
    done = {e.action for e in single if e.a == event.a}
    others = [a for a in ACTIONS if a not in done and (a != "turn" or event.a.split()[1] in TURNABLE)]
    if len(others) < 3:  # it does nearly everything: no wrong options are left
        return []
    wrong = [str(a) for a in rng.choice(others, 3, replace=False)]
    said = {a: sentence(a, 0, "#")[len("the # ") :] for a in (*wrong, event.action)}
    what = (f"What does the {event.a} do?", said[event.action], [said[a] for a in wrong])
    doers = {e.a for e in single if e.action == event.action}
    rows = [_choice(scene, event, *what, rng)]
    strangers = [n for n in _names_like(scene, event.a, rng) if n not in doers][:3]
    who = (f"Which shape {said[event.action]}?", event.a, strangers)
    rows.append(_choice(scene, event, *who, rng))
    return rows


def _names_like(scene: Scene, name: str, rng: np.random.Generator) -> list[str]:
    """Return other actors of the scene first, then names that are not there."""
    present = [actor.name for actor in scene.actors if actor.visible and actor.name != name]
    absent = [n for n in _SEEN_NAMES if n not in (*present, name)]
    few = min(3, len(absent))  # in hours nearly every name is there
    return present + [absent[i] for i in rng.choice(max(len(absent), 1), few, replace=False)]


def _choice(
    scene: Scene, event: Event, question: str, right: str, wrong: Sequence[str], rng: np.random.Generator
) -> Row:
    options = [*wrong]
    place = int(rng.integers(4))
    options.insert(place, right)
    query = sentence(event.action, 0, event.a)
    return scene_row(scene, query, event.spans, "choice", question=question, options=options, answer="ABCD"[place])


def _events_row(scene: Scene, events: Sequence[Event]) -> Row:
    """Return all that moves or changes, in order, each with its time; appearing counts where nothing else does."""
    named = [(s, sentence(e.action, 0, e.a, e.b)) for e in events if e.action != "visible" for s in e.spans]
    if not named:
        named = [(s, sentence(e.action, 0, e.a)) for e in events for s in e.spans]
    named.sort()
    row = scene_row(scene, "everything that happens", [s for s, _ in named], "events")
    row.question = "List the events with their times."
    texts = [text for _, text in named]
    row.meta["events"] = [{"query": q, "span": s.to_list()} for q, s in zip(texts, row.spans, strict=True)]
    return row


def _who_row(scene: Scene) -> Row:
    """Return a question about who is in the video at all."""
    answer = ", ".join(sorted(actor.name for actor in scene.actors if actor.visible)) or "nothing"
    return scene_row(scene, "", [], "who", question="What can be seen in the video?", answer=answer)


def _moment_row(scene: Scene, rng: np.random.Generator) -> Row:
    """Return what can be seen at one moment, away from any coming or going."""
    borders = [t for a in scene.actors for s in a.visible for t in (s.start_s, s.end_s)]
    for _ in range(20):
        time_s = float(np.round(rng.uniform(0.0, scene.duration_s - 0.2), 1))
        if min((abs(time_s - b) for b in borders), default=MARGIN_S + 1.0) > MARGIN_S:
            break
    seen = sorted(a.name for a in scene.actors if any(s.start_s <= time_s < s.end_s for s in a.visible))
    question = f"What is visible at {told(scene, time_s)} seconds?"
    return scene_row(scene, "", [], "moment", question=question, answer=", ".join(seen) or "nothing")


def _doing_row(scene: Scene, rng: np.random.Generator) -> Row | None:
    """Return what one actor does at one moment, away from where that changes; None where no such moment is found.

    It teaches to see motion: started on "when" alone, a model says that motions do not happen.
    """
    for _ in range(20):
        actor = scene.actors[rng.integers(len(scene.actors))]
        within = Span(0.0, scene.duration_s - 0.2)
        if actor.acts and rng.random() < 0.6:  # standing still would be the answer nearly always
            within = clamp(actor.acts[rng.integers(len(actor.acts))].span, 0.0, within.end_s)
        time_s = float(np.round(rng.uniform(within.start_s, within.end_s), 1))
        spans = [*actor.visible, *(act.span for act in actor.acts)]
        if any(abs(time_s - t) <= MARGIN_S for s in spans for t in (s.start_s, s.end_s)):
            continue
        doing = [act for act in actor.acts if act.span.start_s <= time_s < act.span.end_s]
        if doing and doing[0].other is not None:
            continue
        answer = sentence(doing[0].action, 0, "#")[len("the # ") :] if doing else "stands still"
        if not any(s.start_s <= time_s < s.end_s for s in actor.visible):
            answer = "is not there"
        question = f"What does the {actor.name} do at {told(scene, time_s)} seconds?"
        return scene_row(scene, "", [], "doing", question=question, answer=answer)
    return None
