"""The folded logs of a view: one pane for each image's build and each service that wrote something worth telling."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from defang_nb.model.events import ServiceState, StepStatus
from defang_nb.model.view import BuildView, DeploymentView, Log
from defang_nb.render.markup import esc
from defang_nb.render.words import clean, duration, plural, step_seconds

KEPT = 40_000
"""Characters of all logs that an output holds: a saved notebook stays small."""
_LEAST = 1_000
_HEAD = 200
"""Characters of a line in which its level is looked for."""

_LEVEL = re.compile(
    r"""(?:^|[\s\[("'=:|])(?:
    (?P<bad>ERROR|FATAL|CRITICAL|PANIC|SEVERE|ERR!?|Traceback|[eE]rror(?=:|\]|"|\s*=)|[A-Z]\w*(?:Error|Exception)(?=:|$)
        |level"?[=:]\s?"?(?:error|fatal))
    |(?P<warn>WARN(?:ING)?|[wW]arn(?:ing)?(?=:|\]|"))
    |(?P<mute>DEBUG|TRACE|[dD]ebug(?=:|\]|"))
    )(?!\w)""",
    re.VERBOSE,
)
_LEVELS = {"bad": "bad", "warn": "warn", "mute": "mute"}


class LogPane(NamedTuple):
    """`note` is what it is, and what the closed pane says beside the title; `open` marks the one that a reader wants first."""

    key: str
    title: str
    note: str
    log: Log
    open: bool

    @property
    def label(self) -> str:
        """What it is, whatever it says: `web build`."""
        return f"{self.title} {self.note.partition(' · ')[0]}"


def panes(view: DeploymentView) -> list[LogPane]:
    builds = [_build_pane(build, view) for build in view.builds.values() if build.log.lines]
    services = [
        LogPane(
            key=f"log {service.name}",
            title=service.name,
            note=f"log · {count_lines(service.log)}",
            log=service.log,
            open=service.state is ServiceState.DEPLOYMENT_FAILED,
        )
        for service in view.services.values()
        if service.log.lines
    ]
    return builds + services


def _build_pane(build: BuildView, view: DeploymentView) -> LogPane:
    """While it runs, its note changes with its steps alone: the timeline has its time, and its log its lines."""
    step = view.steps.get(build.urn)
    running = step is not None and step.status is StepStatus.RUNNING and not view.done
    failed = step is not None and step.status is StepStatus.FAILED
    steps = [f"step {build.step}/{build.steps}"] if build.steps else []
    if running:
        said = steps or ["running"]
    else:
        said = [duration(step_seconds(step, view.finished or 0.0))] if step is not None else []
        said += ["failed"] if failed else []
        said += steps if failed or step is None else []
        said.append(count_lines(build.log))
    return LogPane(
        key=f"build {build.urn}",
        title=", ".join(build.services) or build.urn.rpartition("/")[2],
        note=" · ".join(["build", *said]),
        log=build.log,
        open=running or failed,
    )


def count_lines(log: Log) -> str:
    return plural(len(log.lines) + log.dropped, "line")


def dropped_note(log: Log, tail: int | None = None) -> str:
    """`12 lines dropped`, or nothing when every line is here (of which the last `tail` are shown)."""
    hidden = log.dropped + (max(0, len(log.lines) - tail) if tail is not None else 0)
    return f"… {plural(hidden, 'line')} dropped" if hidden else ""


def log_pre(log: Log, label: str, tail: int | None = None) -> str:
    """The lines as a scrollable block that the keyboard can reach. With `tail` (a log that grows) its end is what one sees, and
    each line is an element of its own, so that what is selected in it or scrolled to stays where it is."""
    note = dropped_note(log, tail)
    first = f'<span class="drop">{esc(note)}</span>\n' if note else ""
    if tail is None:
        return _pre(first + "\n".join(map(_line, log.lines)), label)
    lines = "".join(f"<span>{_line(line)}\n</span>" for line in log.lines[-tail:])
    return _pre(f'<span class="lines">{first}{lines}</span>', label, ' class="grows"')


def _pre(inner: str, label: str, more: str = "") -> str:
    return f'<pre{more} tabindex="0" role="log" aria-live="off" aria-label="{esc(label)}">{inner}</pre>'


def _line(line: str) -> str:
    """In its level's tone; the line has the word for it already."""
    said = esc(clean(line))
    found = _LEVEL.search(line[:_HEAD])
    return f'<span class="{_LEVELS[found.lastgroup]}">{said}</span>' if found and found.lastgroup else said


def fitting(log: Log, most: int) -> Log:
    """Its last lines, no more than `most` characters of them; those before count as dropped."""
    room, kept = most, 0
    for line in reversed(log.lines):
        room -= len(line)
        if room < 0:
            break
        kept += 1
    if kept == len(log.lines):
        return log
    return Log(lines=log.lines[len(log.lines) - kept :], dropped=log.dropped + len(log.lines) - kept)


def found_lines(lines: Iterable[tuple[str, str]], wanted: str, most: int) -> str:
    """The last `most` of the (source, line)s that hold `wanted`, whatever its case, with what was found marked."""
    last: deque[tuple[str, str]] = deque(maxlen=most)
    count = searched = 0
    pattern = re.compile(re.escape(wanted), re.IGNORECASE)
    for source, line in lines:
        searched += 1
        if pattern.search(line):
            count += 1
            last.append((source, line))
    said = f"{plural(count, 'line')} of {searched:,} with “{esc(wanted)}”"
    dropped = f'<span class="drop">… {plural(count - len(last), "line")} dropped</span>\n' if count > len(last) else ""
    text = "\n".join(f'<span class="mute">{esc(source)} |</span> {_marked(line, pattern)}' for source, line in last)
    pre = _pre(dropped + text, "Lines found") if last else ""
    return f'<div class="body" role="status">{said}</div>{pre}'


def _marked(line: str, pattern: re.Pattern[str]) -> str:
    parts, at = [], 0
    line = clean(line)
    first = pattern.search(line)
    start = max(0, first.start() - _HEAD) if first else 0
    line = line[start : start + 5 * _HEAD]
    for found in pattern.finditer(line):
        parts += [esc(line[at : found.start()]), f"<mark>{esc(found[0])}</mark>"]
        at = found.end()
    return "".join([*parts, esc(line[at:])])


def logs_section(view: DeploymentView) -> str:
    shown = panes(view)
    shown = [pane._replace(log=fitting(pane.log, max(_LEAST, KEPT // len(shown)))) for pane in shown]
    return "".join(
        f"<details{' open' if pane.open else ''}><summary><b>{esc(pane.title)}</b> {esc(pane.note)}</summary>"
        f"{log_pre(pane.log, f'{pane.title} {pane.note}')}</details>"
        for pane in shown
    )
