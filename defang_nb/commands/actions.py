"""What the commands that need the client do, for whichever face asked. Everything they raise is a `DefangError`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from defang_nb.client import api
from defang_nb.commands import secrets
from defang_nb.commands.host import Host
from defang_nb.commands.options import STDIN, TAIL
from defang_nb.commands.parse import Invocation
from defang_nb.commands.words import Face
from defang_nb.errors import DefangError, UsageError

if TYPE_CHECKING:
    from defang_nb.client.deployment import Deployment

Action = Callable[[Invocation, Host], Any]


def inputs(invocation: Invocation, host: Host) -> dict[str, Any]:
    """Which project a command is about, as the client's functions take it: the named files, else the face's own text."""
    known: dict[str, Any] = {
        "project": invocation.text("project"),
        "stack": stack(invocation, host),
        "services": invocation.words,
        "profiles": invocation.many("profiles"),
        "env_files": invocation.many("env_files"),
    }
    known |= {each: said for each in ("engine", "builder") if (said := invocation.text(each))}
    if files := invocation.many("files"):
        if STDIN not in files:
            return {**known, "files": files}
        if len(files) > 1:
            raise UsageError(f"`-f {STDIN}` takes the whole project from stdin: give no other file")
        return {**known, "text": host.stdin(), "name": "stdin"}
    if source := host.source(known["project"]):
        return {**known, "text": source.text, "name": source.label, "project": known["project"] or source.project or None}
    return known


def stack(invocation: Invocation, host: Host) -> str:
    return invocation.text("stack") or host.stack


def project(invocation: Invocation, host: Host) -> str | None:
    """The project's name, where the line or the face's own text says one; else None: the client looks in the folder."""
    if name := invocation.text("project"):
        return name
    if not invocation.many("files") and host.source(None) is None:
        return None
    checked = api.check(**{**inputs(invocation, host), "services": ()})
    return checked.project.name


def _about(invocation: Invocation, host: Host) -> dict[str, Any]:
    return {"project": project(invocation, host), "stack": stack(invocation, host)}


def _up(invocation: Invocation, host: Host) -> Deployment:
    deployment = api.start_up(
        **inputs(invocation, host),
        build=invocation.flag("build"),
        dry_run=invocation.flag("dry_run"),
        yes=invocation.flag("yes"),
        wait_timeout=invocation.number("wait_timeout"),
        plan=invocation.text("plan"),
    )
    return _shown(deployment, host, detach=invocation.flag("detach"))


def _preview(invocation: Invocation, host: Host) -> Deployment:
    file = invocation.text("out")
    deployment = api.start_up(**inputs(invocation, host), build=invocation.flag("build"), dry_run=True, leave_out=file)
    shown = _shown(deployment, host)
    if file and deployment.done:
        host.note(f"the plan is saved: `up --plan {api.save_plan(deployment.view, file)}` carries it out")
    return shown


def _refresh(invocation: Invocation, host: Host) -> Deployment:
    return _shown(api.start_refresh(**_about(invocation, host), accept=invocation.flag("accept")), host)


def _down(invocation: Invocation, host: Host) -> Deployment:
    deployment = api.start_down(
        **_about(invocation, host),
        dry_run=invocation.flag("dry_run"),
        yes=invocation.flag("yes"),
        wait_timeout=invocation.number("wait_timeout"),
    )
    return _shown(deployment, host, detach=invocation.flag("detach"))


def _attach(invocation: Invocation, host: Host) -> Deployment:
    deployment = api.attach(_deployment(invocation), project=invocation.text("project"), stack=stack(invocation, host))
    return _shown(deployment, host)


def _shown(deployment: Deployment, host: Host, *, detach: bool = False) -> Deployment:
    """Show it; raise how it ended, in a line, since the view that was shown says everything else."""
    if host.watch(deployment, detach=detach):
        try:
            deployment.wait()
        except DefangError as error:
            error.diagnostics = ()
            if deployment.view.hint:
                error.hint = ""
            raise
    return deployment


def _cancel(invocation: Invocation, host: Host) -> Deployment:
    deployment = api.cancel(_deployment(invocation), project=invocation.text("project"), stack=stack(invocation, host))
    if deployment.done:
        host.note(f"deployment {deployment.id} is over already: {deployment.status}")
    else:
        host.note(f"deployment {deployment.id} was asked to end; {host.face.value} attach {deployment.id} shows how it does")
    return deployment


def _deployment(invocation: Invocation) -> str:
    return invocation.words[0] if invocation.words else "latest"


def _ps(invocation: Invocation, host: Host) -> Sequence[object]:
    from defang_nb.render.listings import status_table

    about = _about(invocation, host)
    statuses = api.ps(**about)
    title = f"{about['project']} → {about['stack']}" if about["project"] else f"Services on {about['stack']}"
    host.table(status_table(statuses, now=time.time(), title=title), statuses)
    return statuses


def _logs(invocation: Invocation, host: Host) -> None:
    _written(invocation, host, follow=invocation.flag("follow"), lines=None)


def _tail(invocation: Invocation, host: Host) -> None:
    _written(invocation, host, follow=True, lines=TAIL)


def _written(invocation: Invocation, host: Host, *, follow: bool, lines: int | None) -> None:
    """Show what was written; where neither lines nor a time are said, the last `lines` of it."""
    tail, since = invocation.number("tail"), invocation.text("since")
    last = None if since else lines
    records = api.logs(
        invocation.words,
        **_about(invocation, host),
        follow=follow,
        since=since,
        until=invocation.text("until"),
        tail=last if tail is None else int(tail),
        kind=invocation.text("kind") or "run",
        containing=invocation.text("containing") or "",
    )
    host.logs(records, follow=follow)


def _exec(invocation: Invocation, host: Host) -> None:
    service, *command = invocation.words
    terminal = None if invocation.flag("no_tty") else host.terminal()
    replica = invocation.number("index")
    running = api.start_exec(
        service,
        command,
        **_about(invocation, host),
        replica=1 if replica is None else int(replica),
        env=_variables(invocation.many("env"), terminal=terminal is not None),
        workdir=invocation.text("workdir") or "",
        user=invocation.text("user") or "",
        terminal=terminal,
        masked=host.face is not Face.CLI,
    )
    with running:
        host.running(running, f"{command[0]} in {service}")


def _variables(given: Sequence[str], *, terminal: bool) -> dict[str, str]:
    """`KEY=VALUE`, or `KEY` for one's own value, as docker compose takes them; and what programs ask of a terminal."""
    found = {"TERM": os.environ.get("TERM") or "xterm"} if terminal else {}
    for each in given:
        key, has_value, value = each.partition("=")
        if not key:
            raise UsageError(f"--env {each}: a variable has a name", hint="--env KEY=VALUE")
        if has_value or key in os.environ:
            found[key] = value if has_value else os.environ[key]
    return found


def _restart(invocation: Invocation, host: Host) -> Sequence[object]:
    from defang_nb.render.listings import status_table

    statuses = api.restart(invocation.words, **_about(invocation, host))
    host.table(status_table(statuses, now=time.time(), title="Restarted"), statuses)
    return statuses


def _scale(invocation: Invocation, host: Host) -> Deployment:
    replicas: dict[str, int] = {}
    for word in invocation.words:
        name, _, number = word.partition("=")
        if not name or not number.isdecimal():
            raise UsageError(f"{word!r} says not how many of what", hint="for example: scale web=3")
        replicas[name] = int(number)
    return _shown(api.start_scale(replicas, **_about(invocation, host)), host, detach=invocation.flag("detach"))


def _dashboard(invocation: Invocation, host: Host) -> Any:
    named, chosen = invocation.text("project"), invocation.text("stack")
    return host.dashboard(lambda: api.overview(chosen, project=named))


def _stats(invocation: Invocation, host: Host) -> None:
    about = _about(invocation, host)
    most = invocation.number("samples")
    if most is not None and most < 1:
        raise UsageError(f"--samples {most:.0f}: one is the least")
    title = f"{about['project']} → {about['stack']}" if about["project"] else f"Services on {about['stack']}"
    most = 1 if invocation.flag("no_stream") else most
    samples = api.stats(invocation.words, **about)
    host.usage(samples, title=title, most=None if most is None else int(most))


def _config_set(invocation: Invocation, host: Host) -> None:
    settings = secrets.settings(invocation, host)
    about = _about(invocation, host)
    for setting in settings:
        api.config_set(setting.name, setting.value, file=setting.file, random=setting.random, **about)
        host.note(f"config {setting.name} is set; services that need it get it with the next up")
    if secrets.stands_in_cell(invocation, host):
        host.note(f"▲ {secrets.WARNING}")


def _config_ls(invocation: Invocation, host: Host) -> Sequence[object]:
    from defang_nb.render.listings import config_table

    names = api.config_ls(**_about(invocation, host))
    needed = _needed(invocation, host)
    host.table(config_table(names, needed), [{"name": name, "needed_by": needed.get(name, ())} for name in names])
    return names


def _needed(invocation: Invocation, host: Host) -> Mapping[str, Sequence[str]]:
    """Which services of the present project need which values; nothing where there is no (sound) project at hand."""
    try:
        return api.check(**inputs(invocation, host)).project.config_keys()
    except DefangError:
        return {}


def _config_rm(invocation: Invocation, host: Host) -> None:
    about = _about(invocation, host)
    for name in invocation.words:
        api.config_rm(name, **about)
        host.note(f"config {name} is removed; services that have it keep it until they are started anew")


def _deployments(invocation: Invocation, host: Host) -> object:
    place, named = stack(invocation, host), invocation.text("project")
    if invocation.words:
        from defang_nb.render.past import past_tables

        found = api.deployment(invocation.words[0], project=named, stack=place)
        first, *others = past_tables(found)
        host.table(first, [found])
        for each in others:
            host.table(each, [])
        return found
    from defang_nb.render.listings import deployments_table

    limit, kind, outcome = invocation.number("limit"), invocation.text("kind"), invocation.text("outcome")
    limit = 20 if limit is None else int(limit)
    summaries = api.deployments(named, stack=place, limit=int(limit), kind=kind, outcome=outcome)
    host.table(deployments_table(summaries, now=time.time(), title=f"Deployments on {place}"), summaries)
    return summaries


def _rollback(invocation: Invocation, host: Host) -> Deployment:
    named = invocation.words[0] if invocation.words else None
    deployment = api.start_rollback(
        named,
        project=invocation.text("project") if named else project(invocation, host),
        stack=stack(invocation, host),
        dry_run=invocation.flag("dry_run"),
        yes=invocation.flag("yes"),
        wait_timeout=invocation.number("wait_timeout"),
    )
    return _shown(deployment, host, detach=invocation.flag("detach"))


def _repair(invocation: Invocation, host: Host) -> Deployment:
    return _shown(api.start_repair(**_about(invocation, host)), host)


def _stack_doctor(invocation: Invocation, host: Host) -> Any:
    from defang_nb.render.listings import orphans_table

    place = stack(invocation, host)
    found = api.orphans(invocation.text("project"), stack=place)
    if not (invocation.flag("remove_orphans") and found):
        host.table(orphans_table(found, title=f"What no record knows on {place}"), found)
        return found
    if not invocation.flag("yes"):
        host.table(orphans_table(found, title=f"What no record knows on {place}"), found)
        data = " and the data in them" if any(each.holds_data for each in found) else ""
        raise UsageError(f"this would delete the {len(found)} of them{data}", hint="say `--yes` to allow it")
    for name in dict.fromkeys(each.project for each in found):
        _shown(api.start_orphan_removal(name, stack=place), host)
    return found


ACTIONS: Mapping[tuple[str, ...], Action] = {
    ("up",): _up,
    ("preview",): _preview,
    ("refresh",): _refresh,
    ("down",): _down,
    ("ps",): _ps,
    ("logs",): _logs,
    ("tail",): _tail,
    ("exec",): _exec,
    ("restart",): _restart,
    ("scale",): _scale,
    ("dashboard",): _dashboard,
    ("stats",): _stats,
    ("config", "set"): _config_set,
    ("config", "ls"): _config_ls,
    ("config", "rm"): _config_rm,
    ("deployments",): _deployments,
    ("attach",): _attach,
    ("cancel",): _cancel,
    ("rollback",): _rollback,
    ("stack", "repair"): _repair,
    ("stack", "doctor"): _stack_doctor,
}
