"""The boundaries that a deployment crosses, by name, and the death (or the sleep) of the process at one of them.

`<root>/kill` holds the name of the boundary at which the next process to cross it ends itself by SIGKILL (then it is moved to
`<root>/killed`), `<root>/stop` the one at which it stops itself by SIGSTOP (`<root>/stopped` then holds its process id);
`<root>/crossed` lists what was crossed, a line each. Names are the same in each run, whatever the order.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec

from defang_nb.provision.journal import Begin, End, Entry, Seal
from defang_nb.provision.lease import Holding


class Boundaries:
    """Of one deployment: the second time that a name comes is another boundary than the first."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: Counter[str] = Counter()

    def cross(self, names: Sequence[str]) -> None:
        for name in names:
            self._seen[name] += 1
        told = [name if self._seen[name] == 1 else f"{name} #{self._seen[name]}" for name in names]
        with (self._root / "crossed").open("a") as log:
            log.writelines(f"{name}\n" for name in told)
        if self._wanted("kill") in told:
            (self._root / "kill").rename(self._root / "killed")
            os.kill(os.getpid(), signal.SIGKILL)
        if self._wanted("stop") in told:
            (self._root / "stop").unlink()
            (self._root / "stopped").write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGSTOP)

    def _wanted(self, what: str) -> str | None:
        try:
            return (self._root / what).read_text()
        except FileNotFoundError:
            return None


def writes(key: str, data: bytes) -> list[str]:
    """What a write to the store is about: a name for each thing that it makes durable; none for batches that time makes."""
    if _once(key):
        return []
    _, _, place = key.partition("projects/app/")
    match place.split("/"):
        case ["lease"]:
            held = msgspec.json.decode(data.partition(b"\n")[0], type=Holding)
            return ["lease released" if held.released else "lease taken"]
        case ["state", "head"]:
            return ["head"]
        case ["state", "snapshots", _]:
            return ["snapshot"]
        case ["state", "journal", *_]:
            return [_entry(each) for each in msgspec.json.decode(data.partition(b"\n")[0], type=list[Entry])]
        case ["deployments", _, "request.json"]:
            return ["story request"]
        case ["deployments", _, "events", first]:
            if first.startswith("00000001."):
                return ["story begins"]
            return ["story ends"] if b'"finished":{' in data.replace(b" ", b"") else []
    if key.startswith("running/"):
        return ["story marked as running"]
    return ["story in the index" if b'"finished":null' in data or b'"outcome":null' in data else "story closed"]


def _once(key: str) -> bool:
    """What is tried when a store is used for the first time, under names that are never used again."""
    return key.startswith("probe/") or key == "bootstrap.json"


def removes(key: str) -> list[str]:
    """What a deletion from the store is about."""
    if _once(key):
        return []
    if key.startswith("running/"):
        return ["mark of running removed"]
    kind = next((kind for kind in ("journal", "snapshots", "events", "deployments", "contexts") if f"{kind}/" in key), key)
    return [f"old {kind} removed"]


def _entry(entry: Entry) -> str:
    match entry:
        case Begin(urn=urn, action=action):
            return f"journal begin {action.value} {_stable(urn)}"
        case End(urn=urn, recorded=None):
            return f"journal gone {_stable(urn)}"
        case End(urn=urn, recorded=record):
            return f"journal {'ready' if record and record.ready else 'end'} {_stable(urn)}"
        case Seal():
            return "journal sealed"


def _stable(urn: str) -> str:
    """Without the id that a retired resource's urn ends with."""
    base, mark, _ = urn.partition("~")
    return base + mark
