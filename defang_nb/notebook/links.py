"""Addresses that the reader's browser can open: on a hub, this machine's ports are reached through jupyter-server-proxy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

_HERE = frozenset({"localhost", "127.0.0.1", "0.0.0.0", "::1"})  # noqa: S104 - names to recognise, nothing is bound


def proxied(url: str, base: str) -> str:
    """`url` through the server at `base` ("" for none: the address as it is). Only addresses of this machine are changed."""
    parts = urlsplit(url)
    if not base or parts.scheme not in ("http", "https") or parts.hostname not in _HERE or parts.port is None:
        return url
    path = f"{base.rstrip('/')}/proxy/{parts.port}/{parts.path.lstrip('/')}"
    return f"{path}?{parts.query}" if parts.query else path


def server_base(environment: Mapping[str, str] = os.environ) -> str:
    """The path of the hub's server that this kernel runs under; "" where there is no hub."""
    return environment.get("JUPYTERHUB_SERVICE_PREFIX", "")
