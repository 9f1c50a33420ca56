"""A self-contained HTML page: tables, bar charts, pictures. Nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from timeground.files.whole_files import write_text

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b2430, #e6ebf2); --soft: light-dark(#5b6878, #9aa7b8);
  --line: light-dark(#d8dee7, #36414f); --bar: light-dark(#2f62b4, #7aa5e8); --back: light-dark(#fff, #151b23); }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: .6rem 0 1.2rem; } th, td { padding: .25rem .8rem .25rem 0;
  border-bottom: 1px solid var(--line); text-align: right; } th:first-child, td:first-child { text-align: left; }
.note { color: var(--soft); } figure { margin: 0 0 1.2rem; } figcaption { color: var(--soft); font-size: .9em; }
svg { width: 100%; height: auto; max-width: 42rem; } svg rect { fill: var(--bar); } svg text { fill: var(--soft);
  font: 11px system-ui, sans-serif; } svg path { fill: none; stroke: var(--bar); stroke-width: 2; }
svg path.rest { stroke: var(--soft); stroke-dasharray: 4 4; stroke-width: 1; }
img { max-width: 100%; border: 1px solid var(--line); }
"""


class Page:
    """A page that is filled from top to bottom. All text is escaped."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.parts: list[str] = [f"<h1>{html.escape(title)}</h1>"]

    def heading(self, text: str, level: int = 2) -> None:
        """Return a heading."""
        self.parts.append(f"<h{level}>{html.escape(text)}</h{level}>")

    def note(self, text: str) -> None:
        """Return a paragraph in a softer colour."""
        self.parts.append(f'<p class="note">{html.escape(text)}</p>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Return a table; numbers are shown as they are given."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape('' if c is None else str(c))}</td>" for c in row) + "</tr>"
            for row in rows
        )
        self.parts.append(f"<table><tr>{head}</tr>{body}</table>")

    def bars(self, title: str, values: Mapping[str, float], unit: str = "") -> None:
        """Return a bar for each name, with its value above it."""
        if not values:
            return
        width, height, top = 640, 170, max(max(values.values()), 1e-9)
        step = width / len(values)
        marks = []
        for place, (name, value) in enumerate(values.items()):
            tall = value / top * (height - 50)
            x, middle = place * step + step * 0.12, place * step + step / 2
            marks.append(
                f'<rect x="{x:.1f}" y="{height - 20 - tall:.1f}" width="{step * 0.76:.1f}" height="{tall:.1f}"/>'
            )
            marks.append(f'<text x="{middle:.1f}" y="{height - 5}" text-anchor="middle">{html.escape(name)}</text>')
            shown = f"{value:.3g}{unit}"
            marks.append(f'<text x="{middle:.1f}" y="{height - 25 - tall:.1f}" text-anchor="middle">{shown}</text>')
        picture = f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(marks)}</svg>'
        self.parts.append(f"<figure><figcaption>{html.escape(title)}</figcaption>{picture}</figure>")

    def curves(self, title: str, lines: Mapping[str, Sequence[tuple[float, float]]], axes: tuple[str, str]) -> None:
        """Return a drawing of curves of percent over percent, the first one strong. axes: what is across, and up."""
        width, height, edge = 640, 300, 30
        top = max(10.0, *(y for points in lines.values() for _, y in points))
        marks = [
            f'<path class="rest" d="M{edge} {edge} V{height - edge} H{width - edge}"/>',
            f'<text x="{edge}" y="{edge - 10}">{html.escape(axes[1])}, 0 to {top:.3g} %</text>',
            f'<text x="{edge}" y="{height - 10}">{html.escape(axes[0])}, 0 to 100 %</text>',
        ]
        for number, (name, points) in enumerate(lines.items()):
            kind, key = "rest" if number else "first", edge + 15 * (number + 1)
            places = [
                f"{edge + x / 100 * (width - 2 * edge):.1f} {height - edge - y / top * (height - 2 * edge):.1f}"
                for x, y in points
            ]
            marks.append(f'<path class="{kind}" d="M{" L".join(places)}"/>')
            marks.append(f'<path class="{kind}" d="M{edge + 10} {key} h25"/>')
            marks.append(f'<text x="{edge + 42}" y="{key + 4}">{html.escape(name)}</text>')
        picture = f'<svg viewBox="0 0 {width} {height}" role="img">{"".join(marks)}</svg>'
        self.parts.append(f"<figure><figcaption>{html.escape(title)}</figcaption>{picture}</figure>")

    def picture(self, png: bytes, caption: str) -> None:
        """Return a picture, held in the page itself."""
        data = base64.b64encode(png).decode()
        self.parts.append(
            f'<figure><img alt="{html.escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    def write(self, path: Path) -> None:
        """Write the page at once."""
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        text = f"<!doctype html><html lang=en>{head}<title>{html.escape(self.title)}</title><style>{STYLE}</style>"
        write_text(path, text + "\n".join(self.parts) + "</html>\n")
