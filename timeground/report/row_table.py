"""Tables of rows on a page: searched, sorted and filtered by DataTables, which the page holds itself.

Each row can be opened: pictures and lines that say more about it.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

ASSETS = Path(str(files("timeground") / "assets" / "report"))


@dataclass(frozen=True)
class Column:
    """A column of a table of rows."""

    name: str
    is_number: bool = False
    is_filter: bool = False
    """Rows can be narrowed to one of its values, of which there are few."""


@dataclass(frozen=True)
class TableRow:
    """A row of it."""

    cells: Sequence[object]
    """A value for each column; numbers are shown with up to two decimals, None as nothing."""
    lines: Sequence[str] = ()
    """What more is told of it."""
    picture: bytes | None = None
    """A PNG."""


def row_table(name: str, columns: Sequence[Column], rows: Sequence[TableRow], order: Sequence[tuple[int, str]]) -> str:
    """Return a table's HTML. name: unique on its page. order: what it is sorted by, "asc" or "desc"."""
    heads = "".join(f"<th{' data-filter' if c.is_filter else ''}>{html.escape(c.name)}</th>" for c in columns)
    body = "".join(_row(f"{name}-{number}", columns, row) for number, row in enumerate(rows))
    details = "".join(_detail(f"{name}-{number}", row) for number, row in enumerate(rows) if _has_detail(row))
    sorted_by = html.escape(json.dumps([[column + 1, how] for column, how in order]), quote=True)
    return (
        f'<div class="rows" data-order="{sorted_by}"><div class="filters"></div><table>'
        f'<thead><tr><th aria-label="more"></th>{heads}</tr></thead><tbody>{body}</tbody></table>{details}</div>'
    )


def scripts() -> str:
    """Return what makes the tables of a page work."""
    library, ours = ((ASSETS / name).read_text(encoding="utf-8") for name in ("dataTables.min.js", "rows.js"))
    return f"<script>{library}</script><script>{ours}</script>"


def _has_detail(row: TableRow) -> bool:
    return bool(row.lines or row.picture)


def _row(identity: str, columns: Sequence[Column], row: TableRow) -> str:
    more = f'<button data-detail="{identity}" aria-expanded="false" aria-label="more about this row">+</button>'
    cells = "".join(_cell(column, value) for column, value in zip(columns, row.cells, strict=True))
    return f"<tr><td>{more if _has_detail(row) else ''}</td>{cells}</tr>"


def _cell(column: Column, value: object) -> str:
    if isinstance(value, float):
        return f'<td class="number" data-order="{value}">{value:.2f}</td>'
    kind = ' class="number"' if column.is_number else ""
    return f"<td{kind}>{html.escape('' if value is None else str(value))}</td>"


def _detail(identity: str, row: TableRow) -> str:
    lines = "".join(f"<div>{html.escape(line)}</div>" for line in row.lines)
    picture = ""
    if row.picture:
        data = base64.b64encode(row.picture).decode()
        picture = f'<img alt="frames along the time axis" loading="lazy" src="data:image/png;base64,{data}">'
    return f'<template id="{identity}">{picture}{lines}</template>'
