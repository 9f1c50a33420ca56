"""The layout of the page, and which handler each of its parts calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from timeground.models.knowledge import REAL_MODELS, checkpoint_knows, in_words

from . import pictures
from .api import add_endpoints
from .components import own_component
from .guard import GuardedBlocks
from .handlers import Handlers
from .opening import FIELDS, OPENED, Opening
from .settings import DemoSettings

SWEEP_EVERY_S = 600  # how often old files are looked for
PRIVATE: dict[str, Any] = {"api_visibility": "private", "api_name": "page"}  # not for programs
QUIET: dict[str, Any] = {"show_progress": "hidden", "preprocess": False, **PRIVATE}
TABS = {"find": "Find", "ask": "Ask", "arrow": "Arrow of time", "look": "Model's view"}
LIBRARY = "library"
BUTTONS = {"arrow": "Compare both ways", "look": "Show what the model is given", LIBRARY: "Search all videos"}
"""What stands on the button of a tab, where that is not its title."""
CALLS_AT_ONCE = 16  # requests of one kind under way; the model still answers one at a time


def build(settings: DemoSettings, handlers: Handlers, cut_clip: Callable[..., Any]) -> GuardedBlocks:
    """Build the page. cut_clip: called by the player's script with a video's id and the ends of a span."""
    keep_s = max(1, round(settings.keep_hours * 3600))

    def cut(request: Any) -> Any:  # a function of its own: Gradio writes its mark on it
        return cut_clip(request)

    page = GuardedBlocks(title="timeground", analytics_enabled=False, delete_cache=(min(SWEEP_EVERY_S, keep_s), keep_s))
    with page:
        parts: dict[str, Any] = {"head": own_component("head", model_facts(settings))}
        with gr.Row(equal_height=False, elem_id="tg-columns"):
            with gr.Column(scale=5, min_width=320, elem_id="tg-asking"):
                parts["choose"] = _choose(settings, handlers)
                parts |= _tabs(handlers, settings)
                parts["status"] = own_component("status")
            with gr.Column(scale=8, min_width=320, elem_id="tg-result"):
                parts["player"] = own_component("player", server_functions=[cut])
                parts["seen"] = own_component("seen")
                if settings.library:
                    parts["found"] = own_component("found")
        _connect(page, handlers, parts)
        add_endpoints(handlers)
    page.queue(max_size=settings.max_waiting, default_concurrency_limit=CALLS_AT_ONCE)
    return page


def model_facts(settings: DemoSettings) -> dict[str, str]:
    """Return what the head of the page says of the model: its name, what it knows, and what to know of that."""
    knows = checkpoint_knows(settings.model)
    if knows is None:
        return {"model": settings.shown_model, "knows": "for videos of any kind", "warning": ""}
    return {
        "model": settings.shown_model,
        "knows": f"knows {in_words(knows)}",
        "warning": f"On any other video its answers mean nothing. For those, start the page with {REAL_MODELS}.",
    }


def _choose(settings: DemoSettings, handlers: Handlers) -> Any:
    """Make the box for a video; the first example is taken when the page is opened."""
    examples = [
        {"name": e.path.stem, "duration_s": e.duration_s, "queries": e.queries, "poster": pictures.poster(e)}
        for e in handlers.examples
    ]
    most = settings.max_upload_mb
    return own_component("choose", {"example": 0}, examples=examples, limits=settings.limits, max_mb=most)


def _tabs(handlers: Handlers, settings: DemoSettings) -> dict[str, Any]:
    """Make the ways of asking, filled for the first example; return the fields and buttons by name."""
    tabs = TABS | ({LIBRARY: "All videos"} if settings.library else {})
    filled = dict(zip(FIELDS, handlers.examples[0].fields, strict=True))

    def field(name: str, label: str, lines: int = 1) -> Any:
        elem_id = f"tg-{name.replace('_', '-')}"
        return gr.Textbox(filled[name], label=label, lines=lines, max_lines=max(8, lines), elem_id=elem_id)

    made: dict[str, Any] = {}
    with gr.Tabs(elem_id="tg-tabs", elem_classes=["tg-five"] if settings.library else None):
        for name, title in tabs.items():
            with gr.Tab(title, id=name) as tab:
                if name == "find":
                    made["queries"] = field("queries", "What to look for, one query a line", 3)
                elif name == "ask":
                    made["question"] = field("question", "Question")
                    made["options"] = field("options", "Options, one a line", 4)
                elif name == "arrow":
                    made["arrow_query"] = field("arrow_query", "What to look for, forwards and backwards")
                elif name == LIBRARY:
                    label = "What to look for in all videos of the library"
                    made["library_query"] = gr.Textbox(label=label, elem_id="tg-library-query")
                else:
                    made["look_query"] = field("look_query", "Query")
                words = BUTTONS.get(name, title)
                made[name] = gr.Button(words, variant="primary", elem_id=f"tg-{name}")
            tab.select(None, None, None, js=f"() => tgOpenTab('{name}')", **PRIVATE)
    return made


def _connect(page: GuardedBlocks, handlers: Handlers, parts: dict[str, Any]) -> None:
    """Let each part call its handler. What is under way ends when something else is asked."""
    p, opening = parts, Opening(handlers)
    choose, both, opened = p["choose"], [p["player"], p["status"]], [p[name] for name in OPENED]
    loaded = page.load(opening.open, choose, opened, **QUIET)
    running = [
        p["find"].click(handlers.find, [choose, p["queries"]], both, cancels=loaded, **QUIET),
        p["ask"].click(handlers.ask, [choose, p["question"], p["options"]], both, cancels=loaded, **QUIET),
        p["arrow"].click(handlers.arrow, [choose, p["arrow_query"]], both, cancels=loaded, **QUIET),
        p["look"].click(handlers.look, [choose, p["look_query"]], [p["seen"], *both], cancels=loaded, **QUIET),
    ]
    if "found" in p:
        asked = p[LIBRARY].click(
            handlers.library, p["library_query"], [p["found"], p["status"]], cancels=loaded, **QUIET
        )
        running += [asked, p["found"].take(opening.open_found, p["found"], opened, cancels=[loaded, *running], **QUIET)]
    taken = choose.take(opening.open, choose, opened, cancels=[loaded, *running], trigger_mode="always_last", **QUIET)
    p["status"].cancel(handlers.cancelled, None, p["status"], cancels=[loaded, taken, *running], queue=False, **PRIVATE)
