"""What went wrong, or may: each with its place in the source, the quoted line, and what to do."""

from __future__ import annotations

from collections.abc import Sequence

from defang_nb.model.events import Outcome, StepStatus
from defang_nb.model.excerpt import quoted
from defang_nb.model.source import Diagnostic, Severity, is_said
from defang_nb.model.view import DeploymentView
from defang_nb.render.markup import esc, prose
from defang_nb.render.words import SEVERITIES, stage_look, step_title

_RANK = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def by_weight(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Errors first; each finding once."""
    return sorted(dict.fromkeys(diagnostics), key=lambda each: _RANK.index(each.severity))


def problems_section(view: DeploymentView) -> str:
    found = by_weight(view.diagnostics)
    return _ending(view) + failed_steps(view) + "".join(diagnostic_html(each) for each in found)


def _ending(view: DeploymentView) -> str:
    """How it ended, where it did not end well (or has something to say)."""
    if view.outcome is None or not (view.message or view.hint):
        return ""
    if any(each.message == view.message for each in view.diagnostics) and not view.hint:
        return ""
    look = stage_look(view)
    hint = f'<div class="hint">{prose(view.hint)}</div>' if view.hint else ""
    if view.outcome is Outcome.SUCCEEDED:
        return f'<div class="say plain"><span>{esc(view.message)}</span>{hint}</div>'
    return (
        f'<div class="say {look.tone}" role="alert"><b class="{look.tone}"><span aria-hidden="true">{look.icon}</span> '
        f"{esc(view.message or look.word)}</b>{hint}</div>"
    )


def failed_steps(view: DeploymentView) -> str:
    """Steps that failed for a reason that is told nowhere else."""
    told = {view.message, *(each.message for each in view.diagnostics)}
    rows = [
        f'<div class="say bad"><b class="bad"><span aria-hidden="true">✘</span> {esc(step_title(step))}</b> '
        f"{_message(step.message)}</div>"
        for step in view.steps.values()
        if step.status is StepStatus.FAILED and step.message and not any(step.message in each for each in told)
    ]
    return "".join(rows)


def _message(text: str) -> str:
    """One line stays in the sentence; several are a block of their own."""
    first, _, rest = text.partition("\n")
    return esc(first) + (f'<pre tabindex="0">{esc(rest)}</pre>' if rest else "")


def diagnostic_html(diagnostic: Diagnostic) -> str:
    look = SEVERITIES[diagnostic.severity]
    places = [str(diagnostic.position)] if diagnostic.position else []
    places += [diagnostic.path] if diagnostic.path and not is_said(diagnostic) else []
    where = f' <span class="mono mute">{esc(" · ".join(places))}</span>' if places else ""
    hint = f'<div class="hint">{prose(diagnostic.hint)}</div>' if diagnostic.hint else ""
    tag = "span" if diagnostic.severity is Severity.INFO else "b"
    return (
        f'<div class="say {look.tone}"><b class="{look.tone}"><span aria-hidden="true">{look.icon}</span> {look.word}:</b> '
        f"<{tag}>{esc(diagnostic.message)}</{tag}>{where}{hint}{excerpt(diagnostic)}</div>"
    )


def excerpt(diagnostic: Diagnostic) -> str:
    """The quoted source line with its number, and a caret under the column."""
    if not diagnostic.excerpt or diagnostic.position is None:
        return ""
    gutter = f"{diagnostic.position.line:>4} │ "
    text, blanks = quoted(diagnostic.excerpt, diagnostic.position.column)
    caret = " " * len(gutter) + blanks
    return f'<pre tabindex="0">{gutter}{esc(text)}\n<span aria-hidden="true" class="bad">{caret}^</span></pre>'
