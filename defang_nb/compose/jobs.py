"""Top-level `jobs`: containers that run to their end, when something triggers them. Source: compose-spec's schema (2026).

A job is what a service is, but for what only makes sense for one that stays, and has `triggers`: by hand, or a schedule of cron
expressions. `schedule` may also stand in the job itself.
"""

from __future__ import annotations

import re
from typing import Final

from defang_nb.compose.kinds import DROP, Bool, Context, Kind, Str, wrong_type
from defang_nb.compose.nodes import Map, Node, Path, Seq, show
from defang_nb.compose.shapes import ListOf, Struct, fields_of
from defang_nb.compose.spec import SERVICE
from defang_nb.model.source import Position

ONLY_SERVICES: Final = frozenset(
    {
        "attach", "container_name", "deploy", "develop", "external_links", "links", "post_start", "pre_start", "pre_stop",
        "provider", "restart", "scale",
    }
)  # fmt: skip
"""Keys of a service that a job has not."""

_MACRO: Final = re.compile(r"@(?:yearly|annually|monthly|weekly|daily|midnight|hourly)")
_PART: Final = re.compile(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d*))?")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _DAYS),
)


def wrong_in_cron(text: str) -> str:
    """What is wrong with a cron expression (`0 3 * * 1-5`, `@daily`); "" for nothing."""
    if _MACRO.fullmatch(text):
        return ""
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} fields, not five (minute, hour, day of the month, month, day of the week)"
    for field, (what, low, high, names) in zip(fields, _FIELDS, strict=True):
        for part in field.split(","):
            match = _PART.fullmatch(part)
            ends = [_number(each, low, names) for each in match.groups()[:2] if each] if match else [None]
            if any(each is None or not low <= each <= high for each in ends) or ends != sorted(ends, key=lambda end: end or 0):
                return f'"{part}" is no {what} ({low} to {high})'
    return ""


def _number(word: str, low: int, names: tuple[str, ...]) -> int | None:
    if word.lower() in names:
        return names.index(word.lower()) + low
    return int(word) if word.isdecimal() else None


class _Cron(Kind):
    allows = "a cron expression such as '0 3 * * *' or @daily"

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if not isinstance(value, str):
            return wrong_type(self.allows, value, at, path, ctx)
        wrong = "" if ctx.is_template(value) else wrong_in_cron(value)
        if wrong:
            return ctx.refuse(
                "wrong-cron", f"{show(path)} is no cron expression: {wrong}", at, path, "such as '0 3 * * *' or @daily"
            )
        return value


class _Schedule(Kind):
    """A cron expression, or a mapping with it; canonical: the mapping."""

    allows = "a cron expression, or a mapping with `cron`"
    long = Struct(
        {"cron": _Cron(), "timezone": Str(), "concurrency": Str(("forbid", "queue")), "missed_fires": Str(("one", "skip"))},
        required=("cron",),
    )

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        if isinstance(value, Map):
            return self.long.read(value, at, path, ctx)
        cron = self.long.fields["cron"].read(value, at, path, ctx)
        return DROP if cron is DROP else fields_of(Map(at), at, cron=cron)


_SCHEDULES: Final = ListOf(_Schedule())
_TRIGGERS: Final = Struct({"manual": Bool(), "schedule": _SCHEDULES})


class Job(Kind):
    """A job; canonical: all that triggers it is in `triggers`, each schedule as a mapping."""

    allows = "a mapping"
    long = Struct(
        {
            **{key: kind for key, kind in SERVICE.fields.items() if key not in ONLY_SERVICES},
            "triggers": _TRIGGERS,
            "schedule": ListOf(_Schedule(), single=True),
        }
    )

    def read(self, value: Node, at: Position | None, path: Path, ctx: Context) -> Node:
        read = self.long.read(value, at, path, ctx)
        if not isinstance(read, Map):
            return read
        if isinstance(schedule := read.pop("schedule", None), Seq):
            triggers = read.get("triggers")
            if not isinstance(triggers, Map):
                triggers = Map(schedule.at)
                fields_of(read, schedule.at, triggers=triggers)
            fields_of(triggers, schedule.at, schedule=schedule)
        known = ctx.problems.is_broken(path) or ctx.is_below((*path, "triggers"))
        if not read.get("triggers") and not known and "extends" not in read:
            hint = "add `triggers: {schedule: ['0 3 * * *']}`, or `triggers: {manual: true}`"
            ctx.problems.error("missing-key", f"{show(path)} says not what triggers it", at, (*path, "triggers"), hint)
        return read
