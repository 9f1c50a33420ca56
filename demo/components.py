"""The page's own components and colours: skeletons, scripts and styles from ``web/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

WEB = Path(__file__).parent / "web"
SCRIPTS = {"player": ["clock", "pills", "zoom", "track", "answers", "player"], "choose": ["clock", "choose"]}
"""The scripts of a component, in their order, where it has more than its own; ``dom`` comes before all."""


def read_web(name: str) -> str:
    """Return one file of ``web/``."""
    return (WEB / name).read_text(encoding="utf-8")


def own_component(name: str, value: Any = None, **more: Any) -> gr.HTML:
    """Return a component of ours. Values are data, drawn by its script, and never markup."""
    scripts = ["dom", *SCRIPTS.get(name, [name])]
    return gr.HTML(
        {} if value is None else value,
        html_template=read_web(f"{name}.html"),
        js_on_load="".join(read_web(f"{script}.js") for script in scripts),
        css_template=read_web(f"{name}.css"),
        apply_default_css=False,
        elem_id=f"tg-{name}",
        **more,
    )


def theme() -> Any:
    """Return Gradio's theme in the page's colours, which are variables of ``web/page.css`` for light and dark."""
    # The bold weight: the half bold one that Gradio ships has letters for its own words only.
    made = gr.themes.Default(font=[gr.themes.LocalFont("Source Sans Pro", weights=(400, 700)), "system-ui"])
    colours = {
        "body_background_fill": "ground",
        "body_text_color": "ink",
        "body_text_color_subdued": "quiet",
        "background_fill_primary": "card",
        "background_fill_secondary": "sunk",
        "border_color_primary": "line",
        "color_accent": "accent",
        "color_accent_soft": "soft",
        "link_text_color": "link",
        "block_background_fill": "card",
        "block_border_color": "line",
        "block_label_text_color": "quiet",
        "block_title_text_color": "ink",
        "block_info_text_color": "quiet",
        "input_background_fill": "card",
        "input_border_color": "edge",
        "input_border_color_focus": "accent",
        "input_placeholder_color": "quiet",
        "button_primary_background_fill": "accent",
        "button_primary_background_fill_hover": "pressed",
        "button_primary_text_color": "on-accent",
        "button_secondary_background_fill": "sunk",
        "button_secondary_text_color": "ink",
    }
    for name, colour in colours.items():
        setattr(made, name, f"var(--tg-{colour})")
        setattr(made, f"{name}_dark", f"var(--tg-{colour})")
    return made
