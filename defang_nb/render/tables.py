"""Small tables: what `ps`, `deployments`, `config ls`, a checked project and a preview show, as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

from defang_nb.render.markup import Link, anchor, card, direct, esc
from defang_nb.render.words import Look, Tone

_SHORT = 20
"""Characters of a cell that are not broken into lines."""


class Cell(NamedTuple):
    """Text in a tone; `urls` are shown as links after it."""

    text: str = ""
    tone: Tone | None = None
    urls: tuple[str, ...] = ()

    @classmethod
    def of(cls, look: Look) -> Cell:
        return cls(look.text, look.tone)


class Table(NamedTuple):
    """`notes` stand under the rows; `empty` instead of them when there are none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "nothing"
    notes: tuple[str, ...] = ()


def table_text(table: Table, *, link: Link = direct) -> str:
    if not table.rows:
        return "\n".join([f"{table.title}: {table.empty}", *table.notes])
    rows = [tuple(_plain(cell, link) for cell in row) for row in table.rows]
    heads = [head if any(row[index] for row in rows) else "" for index, head in enumerate(table.columns)]
    lines = columns([heads, *rows])[0 if any(heads) else 1 :]
    return "\n".join([table.title, *(f"  {line}" for line in lines), *table.notes])


def table_html(table: Table, *, link: Link = direct) -> str:
    return card(f'<div class="body">{table_body(table, link)}</div>', table.title)


def table_body(table: Table, link: Link) -> str:
    """Without the card, for a page of several."""
    notes = "".join(f'<div class="mute">{esc(note)}</div>' for note in table.notes)
    if not table.rows:
        body = f'<div class="mute">{esc(table.empty)}</div>'
    else:
        used = [index for index in range(len(table.columns)) if any(row[index] != Cell() for row in table.rows)]
        head = "".join(f'<th scope="col">{esc(table.columns[index])}</th>' for index in used)
        rows = "".join(_row([row[index] for index in used], link) for row in table.rows)
        named = f'tabindex="0" role="group" aria-label="{esc(table.title)}"'
        body = f'<div class="scroll" {named}><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    return f"<h4>{esc(table.title)}</h4>{body}{notes}"


def _row(row: Sequence[Cell], link: Link) -> str:
    first, *rest = row
    return f'<tr><th scope="row">{_html(first, link)}</th>{"".join(_cell(cell, link) for cell in rest)}</tr>'


def _cell(cell: Cell, link: Link) -> str:
    """What is short stays on its line."""
    keep = ' class="keep"' if len(cell.text) <= _SHORT else ""
    return f"<td{keep}>{_html(cell, link)}</td>"


def _html(cell: Cell, link: Link) -> str:
    text = f'<span class="{cell.tone}">{esc(cell.text)}</span>' if cell.tone else esc(cell.text)
    return "<br>".join([*([text] if cell.text else []), *(anchor(url, link) for url in cell.urls)])


def _plain(cell: Cell, link: Link) -> str:
    return ", ".join([*([cell.text] if cell.text else []), *(link(url) for url in cell.urls)])


def columns(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines of aligned columns, two spaces apart; columns that are empty everywhere are left out."""
    table = [[each.replace("\n", " ") for each in row] for row in rows]
    if not table:
        return []
    used = [index for index in range(len(table[0])) if any(row[index] for row in table)]
    widths = {index: max(_width(row[index]) for row in table) for index in used}
    return ["  ".join(row[index] + " " * (widths[index] - _width(row[index])) for index in used).rstrip() for row in table]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
