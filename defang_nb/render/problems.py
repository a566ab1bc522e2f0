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


def errors_section(view: DeploymentView) -> str:
    """Why it did not end well, and every error: what a reader of a failed deployment looks for first."""
    return _bad_end(view) + failed_steps(view) + "".join(_error(each, view) for each in _found(view, errors=True))


def remarks_section(view: DeploymentView) -> str:
    """What else there is to know: what to do after a good end, warnings, notes."""
    hint = f'<div class="say plain">{prose(view.hint)}</div>' if view.hint and view.outcome is Outcome.SUCCEEDED else ""
    return hint + "".join(map(diagnostic_html, _found(view, errors=False)))


def _found(view: DeploymentView, *, errors: bool) -> list[Diagnostic]:
    return [each for each in by_weight(view.diagnostics) if (each.severity is Severity.ERROR) is errors]


def _error(diagnostic: Diagnostic, view: DeploymentView) -> str:
    """Of one that the end tells already, what there is beside its message."""
    if view.message.startswith(diagnostic.message):
        rest = _where(diagnostic) + _rest(diagnostic)
        return f'<div class="say bad on">{rest}</div>' if rest else ""
    return diagnostic_html(diagnostic)


def told_at_the_end(view: DeploymentView) -> list[str]:
    """The sentences of the end, which nothing else need say."""
    return [view.message, *(each.message for each in view.diagnostics)] if view.done else []


def _bad_end(view: DeploymentView) -> str:
    if view.outcome in (None, Outcome.SUCCEEDED) or not (view.message or view.hint):
        return ""
    look = stage_look(view)
    hint = f'<div class="hint">{prose(view.hint)}</div>' if view.hint else ""
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
    tag = "span" if diagnostic.severity is Severity.INFO else "b"
    return (
        f'<div class="say {look.tone}"><b class="{look.tone}"><span aria-hidden="true">{look.icon}</span> {look.word}:</b> '
        f"<{tag}>{prose(diagnostic.message)}</{tag}> {_where(diagnostic)}{_rest(diagnostic)}</div>"
    )


def _where(diagnostic: Diagnostic) -> str:
    places = [str(diagnostic.position)] if diagnostic.position else []
    places += [diagnostic.path] if diagnostic.path and not is_said(diagnostic) else []
    return f'<span class="mono mute">{esc(" · ".join(places))}</span>' if places else ""


def _rest(diagnostic: Diagnostic) -> str:
    hint = f'<div class="hint">{prose(diagnostic.hint)}</div>' if diagnostic.hint else ""
    return hint + excerpt(diagnostic)


def excerpt(diagnostic: Diagnostic) -> str:
    """The quoted source line with its number, and a caret under the column."""
    if not diagnostic.excerpt or diagnostic.position is None:
        return ""
    gutter = f"{diagnostic.position.line:>4} │ "
    text, blanks = quoted(diagnostic.excerpt, diagnostic.position.column)
    caret = " " * len(gutter) + blanks
    return f'<pre tabindex="0">{gutter}{esc(text)}\n<span aria-hidden="true" class="bad">{caret}^</span></pre>'
