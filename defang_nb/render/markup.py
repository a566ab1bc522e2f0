"""The few helpers that every HTML rendering uses: escaping, links, the outer card."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

from defang_nb.render.style import CLASS, STYLE
from defang_nb.render.words import Look, clean

_TYPED = re.compile(r"`([^`\n]+)`")

Link = Callable[[str], str]
"""Turns a service's own address into one that the reader's browser can open."""


def direct(url: str) -> str:
    """The link that changes nothing."""
    return url


def esc(text: object) -> str:
    """Text, as HTML text or attribute value; control characters are dropped."""
    return html.escape(clean(str(text)), quote=True)


def prose(text: str) -> str:
    """A sentence of ours: what it sets in `backticks` is something to type."""
    return _TYPED.sub(r"<code>\1</code>", esc(text))


def tag(name: str, inner: str, css: str = "") -> str:
    """`inner` is HTML already."""
    return f'<{name} class="{css}">{inner}</{name}>' if css else f"<{name}>{inner}</{name}>"


def anchor(url: str, link: Link, text: str = "", css: str = "") -> str:
    """A link where the address is one for browsers, else the address as text, which a narrow column breaks after its scheme."""
    shown = esc(text or url).replace("://", "://<wbr>", 1)
    target = link(url)
    if urlsplit(target).scheme not in ("http", "https", "") or target.startswith("//"):
        return f"<span>{shown}</span>"
    attribute = f' class="{css}"' if css else ""
    return f'<a{attribute} href="{esc(target)}" target="_blank" rel="noopener noreferrer">{shown}</a>'


def time_tag(seconds: float, shown: str) -> str:
    """`shown` (HTML) as an element that holds the whole time, for whoever (or whatever) asks for it."""
    at = datetime.fromtimestamp(seconds, UTC)
    return f'<time datetime="{at.isoformat(timespec="seconds")}" title="{at:%H:%M:%S} UTC">{shown}</time>'


def without_scheme(url: str) -> str:
    """A browser's address as browsers show it; any other whole, since its scheme says what answers there."""
    return url.removeprefix("https://").removeprefix("http://").rstrip("/")


def looked(look: Look) -> str:
    """Icon and word in their tone; the icon is decoration beside the word."""
    return f'<span class="{look.tone}"><span aria-hidden="true">{look.icon}</span> {esc(look.word)}</span>'


def card(inner: str, label: str, *, style: bool = True) -> str:
    """A self-contained fragment: the stylesheet, and `inner` under its class. Both colours are set inline too, since some front
    ends drop stylesheets from outputs that they don't trust. Without `style` the page has to hold the stylesheet."""
    colours = (
        "background:var(--bg, var(--vscode-editor-background, var(--jp-layout-color1, #fff)));"
        "color:var(--fg, var(--vscode-editor-foreground, var(--jp-ui-font-color0, #1f2328)))"
    )
    return (
        f'{STYLE if style else ""}<div class="{CLASS}" role="region" aria-label="{esc(label)}" style="{colours}">{inner}</div>'
    )


def fragment(inner: str) -> str:
    """`inner` under the card's class, for a place whose page holds a card (and so the stylesheet) already."""
    return f'<div class="{CLASS}">{inner}</div>'
