"""Which services take part: profiles turn them on, names pick them (with what they depend on), and the rest goes."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping, Sequence

from defang_nb.compose.finish import section, services_of, workloads
from defang_nb.compose.nodes import Map
from defang_nb.compose.problems import Problems, did_you_mean, known_here


def active(model: Map, profiles: Collection[str], wanted: Sequence[str] = ()) -> dict[str, Map]:
    """The services that `profiles` turn on; those `wanted` by name that are off bring their own profiles along."""
    services = services_of(model)
    on = set(profiles)
    for name in wanted:
        if name in services and not _is_on(services[name], profiles):
            on.update(services[name].get("profiles", ()))
    return {name: service for name, service in services.items() if _is_on(service, on)}


def _is_on(workload: Map, profiles: Collection[str]) -> bool:
    own = workload.get("profiles")
    return not own or "*" in profiles or not set(own).isdisjoint(profiles)


def drop_inactive_jobs(model: Map, profiles: Collection[str]) -> None:
    """Take away the jobs that `profiles` leave off."""
    jobs = section(model, "jobs")
    for name in [name for name, job in jobs.items() if not _is_on(job, profiles)]:
        del jobs[name]


def select(services: Mapping[str, Map], wanted: Sequence[str], problems: Problems) -> dict[str, Map]:
    """Those `wanted` and all that they depend on, in the file's order; everything when nothing is asked for."""
    if not wanted:
        return dict(services)
    keep: set[str] = set()
    open_ = [each for name in wanted for each in fnmatch.filter(services, name) or [name]]
    while open_:
        name = open_.pop()
        if name not in services:
            if name in wanted and not problems.is_gone("services", name):
                hint = did_you_mean(name, services) or known_here(services, "active service")
                problems.error("unknown-service", f'there is no service "{name}"', None, (), hint)
            continue
        if name not in keep:
            keep.add(name)
            open_ += section(services[name], "depends_on")
    return {name: service for name, service in services.items() if name in keep}


def forget_others(selected: Mapping[str, Map]) -> None:
    """Take away dependencies on services that were not selected."""
    for service in selected.values():
        depends = section(service, "depends_on")
        for other in [other for other in depends if other not in selected]:
            del depends[other]


def drop_unused(model: Map) -> None:
    """Take away networks, volumes, secrets, configs and models that no service uses."""
    used: dict[str, set[str]] = {key: set() for key in ("networks", "volumes", "secrets", "configs", "models")}
    for _, _, service in workloads(model):
        for key in ("networks", "models"):
            used[key].update(section(service, key))
        mounts = service.get("volumes", ())
        used["volumes"].update(mount["source"] for mount in mounts if mount["type"] == "volume" and mount.get("source"))
        for key in ("secrets", "configs"):
            for owner in (service, section(service, "build")):
                used[key].update(each["source"] for each in owner.get(key, ()) if "source" in each)
    for key, names in used.items():
        resources = section(model, key)
        for name in [name for name in resources if name not in names]:
            del resources[name]
        if not resources:
            model.pop(key, None)
