"""Small tables: what `ps`, `deployments`, `config ls`, a checked project and a preview show, as text and as HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from unicodedata import east_asian_width

from defang_nb.render.markup import Link, anchor, card, direct, esc, without_scheme
from defang_nb.render.words import Look, Tone

_SHORT = 24
"""Characters of a cell that are not broken into lines."""


class Cell(NamedTuple):
    """Text in a tone; `urls` are shown as links after it, `chart` (HTML, decoration) where there is HTML."""

    text: str = ""
    tone: Tone | None = None
    urls: tuple[str, ...] = ()
    chart: str = ""

    @classmethod
    def of(cls, look: Look) -> Cell:
        return cls(look.text, look.tone)


class Table(NamedTuple):
    """`facts` stand beside the title, `notes` under the rows; `empty` instead of rows when there are none."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    empty: str = "nothing"
    notes: tuple[str, ...] = ()
    facts: tuple[Cell, ...] = ()


def table_text(table: Table, *, link: Link = direct) -> str:
    title = " · ".join([table.title, *(_plain(each, link) for each in table.facts)])
    if not table.rows:
        return "\n".join([f"{title}: {table.empty}", *table.notes])
    rows = [tuple(_plain(cell, link) for cell in row) for row in table.rows]
    heads = [head if any(row[index] for row in rows) else "" for index, head in enumerate(table.columns)]
    lines = columns([heads, *rows])[0 if any(heads) else 1 :]
    return "\n".join([title, *(f"  {line}" for line in lines), *table.notes])


def table_html(table: Table, *, link: Link = direct) -> str:
    return card(f'<div class="body">{table_body(table, link)}</div>', table.title)


def table_body(table: Table, link: Link) -> str:
    """Without the card, for a page of several."""
    notes = "".join(f'<div class="mute">{esc(note)}</div>' for note in table.notes)
    facts = f" <small>· {' · '.join(_html(each, link) for each in table.facts)}</small>" if table.facts else ""
    if not table.rows:
        body = f'<div class="mute">{esc(table.empty)}</div>'
    else:
        used = [index for index in range(len(table.columns)) if any(row[index] != Cell() for row in table.rows)]
        head = "".join(f'<th scope="col">{esc(table.columns[index])}</th>' for index in used)
        rows = "".join(_row([(table.columns[index], row[index]) for index in used], link) for row in table.rows)
        named = f'tabindex="0" role="group" aria-label="{esc(table.title)}"'
        body = (
            f'<div class="scroll" {named}><table class="rows"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        )
    return f"<h4>{esc(table.title)}{facts}</h4>{body}{notes}"


def _row(row: Sequence[tuple[str, Cell]], link: Link) -> str:
    (_, first), *rest = row
    cells = "".join(_cell(column, cell, link) for column, cell in rest)
    return f'<tr><th scope="row">{_html(first, link)}</th>{cells}</tr>'


def _cell(column: str, cell: Cell, link: Link) -> str:
    """What is short stays on its line. What does not say what it is names its column, for where there is no room for heads."""
    keep = ' class="keep"' if len(cell.text) <= _SHORT else ""
    named = f' data-c="{esc(column)}"' if cell.text and not cell.tone and not cell.urls else ""
    return f"<td{keep}{named}>{_html(cell, link)}</td>"


def _html(cell: Cell, link: Link) -> str:
    text = f'<span class="{cell.tone}">{esc(cell.text)}</span>' if cell.tone else esc(cell.text)
    text = f'<span class="charted">{text}{cell.chart}</span>' if cell.chart else text
    return "<br>".join([*([text] if cell.text else []), *(anchor(url, link, without_scheme(url)) for url in cell.urls)])


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
