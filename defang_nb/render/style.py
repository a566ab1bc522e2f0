"""The stylesheet (`style.css`, beside this file) under a class name that no page and no other version uses."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path


def _compact(css: str) -> str:
    """Without comments and indentation: it travels with every output."""
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)).strip()


_CSS = _compact(Path(__file__).with_name("style.css").read_text("utf-8"))

CLASS = f"dnb-{hashlib.sha256(_CSS.encode()).hexdigest()[:8]}"
"""The class of the outermost element; a hash of the stylesheet, so that old outputs keep their own looks beside new ones."""

# The class is said twice, so that a page's own rules for tables and headings in outputs don't win over these.
STYLE = f"<style>{_CSS.replace('.view', f'.{CLASS}.{CLASS}')}</style>"
