"""Addresses that the reader's browser can open, since the kernel may be on another machine.

On a hub its ports are reached through jupyter-server-proxy, in Colab through the proxy of the page.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

_HERE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - names to recognise, nothing is bound
_COLAB_SECONDS = 5.0
"""So long Colab's page may take to answer: it can't while it runs nothing, as in a notebook that is executed unseen."""


def proxied(url: str, base: str) -> str:
    """`url` through the server at `base` ("" for none: the address as it is). Only addresses of this machine are changed."""
    port = _port(url)
    return _at(f"{base.rstrip('/')}/proxy/{port}", url) if base and port else url


def through_hub(url: str) -> str:
    """`url` through the hub's server that this process runs under; as it is where there is no hub."""
    return proxied(url, server_base())


def through_colab(url: str) -> str:
    """`url` as Colab's page reaches it: an address of this machine, and only where the page says how."""
    port = _port(url)
    # The page answers the cell's own thread only.
    if not port or threading.current_thread() is not threading.main_thread():
        return url
    base = _colab_base(port)
    return _at(base.rstrip("/"), url) if base else url


def server_base(environment: Mapping[str, str] = os.environ) -> str:
    """The path of the hub's server that this kernel runs under; "" where there is no hub."""
    return environment.get("JUPYTERHUB_SERVICE_PREFIX", "")


@cache
def _colab_base(port: int) -> str:
    """Source: Colab's own notebook on advanced outputs, "Browsing to servers executing on the kernel"."""
    try:
        from google.colab import output

        return str(output.eval_js(f"google.colab.kernel.proxyPort({port})", timeout_sec=_COLAB_SECONDS) or "")
    except Exception:  # noqa: BLE001 - edge: whatever Colab's page answers
        return ""


def _port(url: str) -> int | None:
    """That of an address of this machine."""
    parts = urlsplit(url)
    return parts.port if parts.scheme in ("http", "https") and parts.hostname in _HERE else None


def _at(base: str, url: str) -> str:
    parts = urlsplit(url)
    path = f"{base}/{parts.path.lstrip('/')}"
    return f"{path}?{parts.query}" if parts.query else path
