"""A self-contained HTML page: tables, charts that fill its width, pictures. Nothing is loaded from anywhere."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from timeground.files.whole_files import write_text
from timeground.report.row_table import ASSETS, Column, TableRow, row_table, scripts


class Page:
    """A page that is filled from top to bottom. All text is escaped."""

    def __init__(self, title: str, hidden: Sequence[Path] = ()) -> None:
        """Begin with a title. hidden: folders of this machine, which are left out of paths wherever they stand."""
        self.title, self.hidden = title, hidden
        self.parts: list[str] = [f"<h1>{html.escape(title)}</h1>"]
        self.num_row_tables = 0

    def heading(self, text: str, level: int = 2) -> None:
        """Add a heading."""
        self.parts.append(f"<h{level}>{html.escape(text)}</h{level}>")

    def note(self, text: str) -> None:
        """Add a paragraph in a softer colour."""
        self.parts.append(f'<p class="note">{html.escape(text)}</p>')

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; numbers are shown as they are given."""
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape('' if c is None else str(c))}</td>" for c in row) + "</tr>"
            for row in rows
        )
        self.parts.append(f"<table><tr>{head}</tr>{body}</table>")

    def bars(self, title: str, values: Mapping[str, float], unit: str = "") -> None:
        """Add a bar for each name, with its value above it."""
        if not values:
            return
        width, height, top = 900, 190, max(max(values.values()), 1e-9)
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
        """Add a drawing of curves of percent over percent, the first one strong. axes: what is across, and up."""
        width, height, edge = 900, 320, 30
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

    def intervals(self, title: str, values: Mapping[str, Sequence[tuple[float, float | None, float | None]]]) -> None:
        """Add a line for each name with its points and their intervals, of one side or of two, in percent.

        values: point, low and high of each side; None where there is no interval.
        """
        if not values:
            return
        width, left, step = 900, 200, 26
        scale = (width - left - 70) / 100
        marks = []
        for place, (name, sides) in enumerate(values.items()):
            middle = step * place + step / 2
            marks.append(f'<text class="name" x="0" y="{middle + 4:.1f}">{html.escape(name)}</text>')
            for side, (point, low, high) in enumerate(sides):
                kind, y = "other" if side else "first", middle + (side - (len(sides) - 1) / 2) * 9
                x = left + point * scale
                if low is not None and high is not None:
                    marks.append(f'<path class="{kind}" d="M{left + low * scale:.1f} {y} H{left + high * scale:.1f}"/>')
                marks.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y}" r="4"/>')
                right = left + max(point, high or point) * scale + 8
                marks.append(f'<text x="{right:.1f}" y="{y + 4}">{point:.1f}</text>')
        height = step * len(values) + 20
        grid = "".join(
            f'<path class="rest" d="M{left + tick * scale} 0 V{height - 20}"/>'
            f'<text x="{left + tick * scale}" y="{height - 4}" text-anchor="middle">{tick}</text>'
            for tick in range(0, 101, 20)
        )
        picture = f'<svg viewBox="0 0 {width} {height}" role="img">{grid}{"".join(marks)}</svg>'
        self.parts.append(f"<figure><figcaption>{html.escape(title)}</figcaption>{picture}</figure>")

    def rows(self, columns: Sequence[Column], rows: Sequence[TableRow], order: Sequence[tuple[int, str]] = ()) -> None:
        """Add a table of rows that can be searched, sorted and filtered, and opened one by one."""
        self.num_row_tables += 1
        self.parts.append(row_table(f"rows-{self.num_row_tables}", columns, rows, order))

    def drawing(self, title: str, svg: str) -> None:
        """Add a drawing that is SVG already, under a caption; nothing where it is empty."""
        if svg:
            self.parts.append(f"<figure><figcaption>{html.escape(title)}</figcaption>{svg}</figure>")

    def picture(self, png: bytes, caption: str) -> None:
        """Add a picture, held in the page itself."""
        data = base64.b64encode(png).decode()
        self.parts.append(
            f'<figure><img alt="{html.escape(caption, quote=True)}" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        )

    def write(self, path: Path) -> None:
        """Write the page at once."""
        head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        style = (ASSETS / "page.css").read_text(encoding="utf-8")
        start = f"<!doctype html><html lang=en>{head}<title>{html.escape(self.title)}</title><style>{style}</style>"
        text = self._without_hidden(start + "\n".join(self.parts))
        write_text(path, text + (scripts() if self.num_row_tables else "") + "</html>\n")

    def _without_hidden(self, text: str) -> str:
        """Return a text without the folders that nobody else is to see, and with ~ for the home folder."""
        named = {str(form) for folder in self.hidden for form in (folder, folder.absolute(), folder.resolve())}
        for folder in sorted((name for name in named if len(Path(name).parts) > 1), key=len, reverse=True):
            text = text.replace(html.escape(folder).rstrip("/") + "/", "")
        home = html.escape(str(Path.home()))
        return text.replace(f"{home}/", "~/") if len(home) > 1 else text
