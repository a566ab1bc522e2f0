"""A command's words with the ports that it listens on replaced by those of this machine."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_PORT_OPTION = re.compile(
    r"^-+(p|b|l|P|(\w+-)*(port|bind|listen|addr|address|http|host|socket)(-\w+)*)$|^-+\S*port$", re.IGNORECASE
)


def with_ports(words: Sequence[str], ports: Mapping[int, int], bind: str = "") -> list[str]:
    """`words` with each target port replaced: alone (`runserver 8000`), after a port-like option, or inside (`:8000`).

    `bind` is the address that stands for "every address" where one is written with a port (`0.0.0.0:8000`).
    """
    if bind:
        # Nobody else on the network is meant: as a container's ports are published here, on the loopback address only.
        words = [re.sub(r"(?<![\d.])0\.0\.0\.0(?=:\d)", bind, word) for word in words]
    moved = {str(target): str(here) for target, here in ports.items() if target != here}
    if not moved:
        return list(words)
    result: list[str] = []
    for index, word in enumerate(words):
        before = words[index - 1] if index else ""
        if word in moved and before.startswith("-") and "=" not in before and not _PORT_OPTION.match(before):
            result.append(word)
        else:
            result.append(_replaced(word, moved))
    return result


def _replaced(word: str, moved: Mapping[str, str]) -> str:
    known = "|".join(moved)
    # Within a longer word (a script for `sh -c`, `--bind=0.0.0.0:8000`) only where a port would be: after `:`, `=` or a blank.
    return re.sub(rf"(?:(?<=[:=\s])|^)({known})(?![\w.\-])", lambda match: moved[match[1]], word)
