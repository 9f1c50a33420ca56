"""The layout of the page, and which handler each of its parts calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr

from timeground.data.rows import Row, read_rows
from timeground.models.knowledge import REAL_MODELS, checkpoint_knows

from .api import Api
from .guard import GuardedBlocks
from .handlers import Handlers
from .settings import DemoSettings
from .videos import shipped_folder

WEB = Path(__file__).parent / "web"
FILE_TYPES = ["video", ".mkv", ".ts", ".avi", ".flv", ".webm", ".mov", ".m4v"]
SWEEP_EVERY_S = 600  # how often old files are looked for
CSS = ".gradio-container { max-width: 1400px !important; } footer { opacity: 0.7; }"
PRIVATE: dict[str, Any] = {"api_visibility": "private", "api_name": "page"}  # not for programs
UNSEEN: dict[str, Any] = {"show_progress": "hidden", **PRIVATE}
EXAMPLE_FIELDS = ["queries", "question", "options", "arrow_query", "look_query"]
CALLS_AT_ONCE = 16  # requests of one kind under way; the model still answers one at a time


def own_component(name: str, **more: Any) -> gr.HTML:
    """Return a component of ours: its skeleton, script and style from ``web/``. Values are data, never markup."""
    parts = [(WEB / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("html", "js", "css")]
    skeleton, script, style = parts
    return gr.HTML(
        {},
        html_template=skeleton,
        js_on_load=(WEB / "dom.js").read_text(encoding="utf-8") + script,
        css_template=style,
        apply_default_css=False,
        elem_id=f"tg-{name}",
        **more,
    )


def build(settings: DemoSettings, handlers: Handlers, cut_clip: Callable[..., Any]) -> GuardedBlocks:
    """Build the page. cut_clip: called by the player's script with a video's id and the ends of a span."""
    keep_s = max(1, round(settings.keep_hours * 3600))

    def cut(request: Any) -> Any:  # a function of its own: Gradio writes its mark on it
        return cut_clip(request)

    page = GuardedBlocks(title="timeground", analytics_enabled=False, delete_cache=(min(SWEEP_EVERY_S, keep_s), keep_s))
    with page:
        gr.Markdown("# timeground\nFind **when** something happens in a video.")
        with gr.Row():
            with gr.Column(scale=2, min_width=320):
                file = gr.File(label="Video", file_types=FILE_TYPES, height=120, elem_id="tg-file")
                examples = _examples()
                if checkpoint_knows(settings.model) is not None:
                    gr.Markdown(_toy_note(settings.model), elem_id="tg-toy")
                gr.Markdown(f"{settings.limits} Uploads are removed after {settings.keep_hours:g} hours.")
                fields = _tabs()
                cancel = gr.Button("Cancel", size="sm", elem_id="tg-cancel")
            with gr.Column(scale=3, min_width=320):
                status = own_component("status")
                player = own_component("player", server_functions=[cut])
        _connect(handlers, file, fields, player, status, cancel)
        for row, button in examples:
            button.click(partial(_take, row), None, [file, *(fields[name] for name in EXAMPLE_FIELDS)], **UNSEEN)
        _api(Api(handlers))
    page.queue(max_size=settings.max_waiting, default_concurrency_limit=CALLS_AT_ONCE)
    return page


def _toy_note(model: str) -> str:
    """Return what to know of a page whose model knows rendered shapes only."""
    return (
        f"This page runs **{model}**, which knows coloured shapes (the examples above) only. On any other video its "
        f"answers mean nothing: start the page with {REAL_MODELS}."
    )


def _tabs() -> dict[str, Any]:
    """Make the four ways of asking; return the fields by name."""
    made: dict[str, Any] = {}
    with gr.Tabs():
        with gr.Tab("Find"):
            made["queries"] = gr.Textbox(label="What to look for, one query a line", lines=3, elem_id="tg-queries")
            made["find"] = gr.Button("Find", variant="primary", elem_id="tg-find")
        with gr.Tab("Ask"):
            made["question"] = gr.Textbox(label="Question", elem_id="tg-question")
            made["options"] = gr.Textbox(label="Options, one a line", lines=4, elem_id="tg-options")
            made["ask"] = gr.Button("Ask", variant="primary", elem_id="tg-ask")
        with gr.Tab("Arrow of time"):
            made["arrow_query"] = gr.Textbox(label="What to look for, forwards and backwards", elem_id="tg-arrow-query")
            made["arrow"] = gr.Button("Compare", variant="primary", elem_id="tg-arrow")
        with gr.Tab("How it sees time"):
            made["look_query"] = gr.Textbox(label="Query", elem_id="tg-look-query")
            made["look"] = gr.Button("Show what the model was given", variant="primary", elem_id="tg-look")
            made["seen"] = own_component("seen")
    return made


def _connect(handlers: Handlers, file: Any, fields: dict[str, Any], player: Any, status: Any, cancel: Any) -> None:
    """Let each button call its handler. Files reach handlers as named by Gradio, already checked to be uploads."""
    f = fields
    both: dict[str, Any] = {"outputs": [player, status], "show_progress": "minimal", "preprocess": False}
    running = [
        f["find"].click(handlers.find, [file, f["queries"]], **both, **PRIVATE),
        f["ask"].click(handlers.ask, [file, f["question"], f["options"]], **both, **PRIVATE),
        f["arrow"].click(handlers.arrow, [file, f["arrow_query"]], **both, **PRIVATE),
        f["look"].click(
            handlers.look, [file, f["look_query"]], **{**both, "outputs": [f["seen"], player, status]}, **PRIVATE
        ),
    ]
    cancel.click(handlers.cancelled, None, status, cancels=running, queue=False, **PRIVATE)
    file.change(handlers.open, file, cancels=running, **both, **PRIVATE)


def _examples() -> list[tuple[list[Row], gr.Button]]:
    """Return a button for each clip that ships, with the clip's rows."""
    of_clip: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(shipped_folder() / "annotations.jsonl"):
        of_clip[row.video].append(row)
    with gr.Row():
        return [
            (rows, gr.Button(f"Example: {Path(name).stem}", size="sm", min_width=80, elem_id=f"tg-example-{number}"))
            for number, (name, rows) in enumerate(of_clip.items(), start=1)
        ]


def _take(rows: list[Row]) -> list[Any]:
    """Return a clip's path, and questions that fit it, in the order of EXAMPLE_FIELDS."""
    queries = [row.query for row in rows if row.task == "ground"]
    choice: Row | None = next((row for row in rows if row.task == "choice"), None)
    directed = next((row.query for row in rows if row.direction == "sensitive" and row.spans), queries[0])
    question, options = (choice.question, "\n".join(choice.options or [])) if choice else ("", "")
    return [str(shipped_folder() / rows[0].video), "\n".join(queries[:3]), question, options, directed, queries[0]]


def _api(api: Api) -> None:
    """Add the two public endpoints, on fields that are not shown."""
    with gr.Row(visible=False):
        video, question, answer = gr.File(label="video"), gr.Textbox(label="question"), gr.JSON()
        queries, options, call = gr.JSON(label="queries"), gr.JSON(label="options"), gr.Button()
        call.click(api.ground(), [video, queries], answer, api_name="ground", preprocess=False)
        call.click(api.ask(), [video, question, options], answer, api_name="ask", preprocess=False)
