"""What a project costs in a month on AWS, from its compiled resources and a dated table of list prices. Asks nobody."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from defang_nb.errors import UsageError
from defang_nb.model.image import ImageSource
from defang_nb.model.project import Project
from defang_nb.model.resource import Resource
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.bootstrap.base import Base
from defang_nb.providers.aws.compile import compile_project
from defang_nb.providers.aws.modes import Mode

SHARED = "shared"
DEFAULT_REGION = "us-east-1"
NOT_INCLUDED = (
    "traffic, requests, log lines, images, files of volumes, documents, language models, builds and one-off tasks, "
    "which are paid for by use"
)
_ZONES = 2
"""Zones that a load balancer is in, each with an address."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars a month. `source` is where AWS publishes the price; `confirmed`: others report the same of it."""

    service: str
    what: str
    monthly: float
    source: str
    confirmed: bool = True


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """`date` is the price table's; `monthly` is the sum in US dollars."""

    project: str
    region: str
    mode: str
    date: str
    monthly: float
    costs: tuple[Cost, ...]
    not_included: str = NOT_INCLUDED


def priced() -> list[str]:
    """The regions that the table knows."""
    return [region for each in _table()["prices"] for region in each["regions"]]


def estimate(project: Project, mode: Mode, *, mode_name: str, region: str) -> Estimate:
    """Raises `UsageError` for a region without prices. Services run as many as the file says; autoscaling may run more."""
    table = _table()
    prices = next((each for each in table["prices"] if region in each["regions"]), None)
    if prices is None:
        raise UsageError(f"there are no prices for the region {region!r} here", hint=f"regions: {', '.join(priced())}")
    digests = dict.fromkeys(project.config_keys(), "")
    resources = compile_project(project, _images(project), digests, base=_placeholder(region), mode=mode, stack="estimate")
    costs = tuple(_costs(resources, mode, prices, table["hours"]))
    if region in prices["unconfirmed"]:
        costs = tuple(msgspec.structs.replace(each, confirmed=False) for each in costs)
    return Estimate(
        project=project.name, region=region, mode=mode_name, date=table["date"],
        monthly=round(sum(each.monthly for each in costs), 2), costs=costs,
    )  # fmt: skip


def _costs(resources: Sequence[Resource], mode: Mode, prices: Mapping[str, Any], hours: int) -> Iterator[Cost]:
    tasks = {each.service: each.inputs for each in resources if each.type == kinds.TASK}
    for each in resources:
        said: Mapping[str, Any] = each.inputs
        match each.type:
            case kinds.SERVICE:
                yield from _service(each.service, said, tasks[each.service], mode, prices, hours)
            case kinds.BALANCER:
                yield _cost(SHARED, "load balancer", prices["balancer"], prices["balancer"]["hour"] * hours, "hour")
                address = prices["address"]
                yield _cost(
                    SHARED, f"{_ZONES} addresses of the load balancer", address, _ZONES * address["hour"] * hours, "hour"
                )
            case kinds.NAMESPACE:
                yield _cost(SHARED, "names of services", prices["zone"], prices["zone"]["month"], "month")
            case kinds.DATABASE:
                copies = 2 if said["multi_az"] else 1
                zones = " in two zones" if said["multi_az"] else ""
                price = prices["database"]
                yield _cost(
                    each.service,
                    f"Postgres {said['class']}{zones}",
                    price,
                    copies * price[said["class"]] * hours,
                    said["class"],
                )
                storage = copies * said["storage"] * price["storage"]
                yield _cost(each.service, f"{said['storage']} GB of storage{zones}", price, storage, "storage")
            case kinds.DISTRIBUTION:
                price = prices["edge"]
                what = f"CloudFront, by use: about ${price['gigabyte']:g} a GB above the first {price['free']} GB of a month"
                yield _cost(each.service, what, price, 0.0, "gigabyte")
            case kinds.DOCUMENT_NODE:
                size, price = said["class"], prices["documents"]
                yield _cost(each.service, f"DocumentDB {size}", price, price[size] * hours, size)
            case kinds.CACHE:
                nodes, price = 1 + said["replicas"], prices["cache"]
                yield _cost(
                    each.service, f"Redis {nodes} × {said['class']}", price, nodes * price[said["class"]] * hours, said["class"]
                )


def _service(
    name: str, said: Mapping[str, Any], task: Mapping[str, Any], mode: Mode, prices: Mapping[str, Any], hours: int
) -> Iterator[Cost]:
    count, cpus, memory = said["replicas"], task["cpu"] / 1024, task["memory"] / 1024
    architecture = task.get("architecture", "X86_64")
    per_cpu, per_gb = prices["fargate"][architecture]
    hourly = (cpus * per_cpu + memory * per_gb) * (prices["fargate"]["spot"] if mode.spot else 1)
    kind = "Fargate Spot, about" if mode.spot else "Fargate"
    arm = " (ARM)" if architecture == "ARM64" else ""
    yield _cost(
        name,
        f"{kind} {count} × {cpus:g} vCPU with {memory:g} GB{arm}",
        prices["fargate"],
        count * hourly * hours,
        "spot" if mode.spot else architecture,
    )
    address = prices["address"]
    yield _cost(name, f"{count} public address{'' if count == 1 else 'es'}", address, count * address["hour"] * hours, "hour")


def _cost(service: str, what: str, price: Mapping[str, Any], monthly: float, key: str) -> Cost:
    """`key` is what of the price was used."""
    confirmed = key not in price.get("unconfirmed", ())
    return Cost(service=service, what=what, monthly=round(monthly, 2), source=price["source"], confirmed=confirmed)


def _table() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("prices.toml").read_text(encoding="utf-8"))


def _images(project: Project) -> list[ImageSource]:
    """Of what is built, without looking into its folder."""
    return [
        ImageSource(
            reference=f"{project.name}/{each.name}:estimate", digest="", context_key="", services=(each.name,),
            dockerfile="Dockerfile", platform=each.platform,
        )
        for each in project.services.values()
        if each.build and not each.static_files
    ]  # fmt: skip


def _placeholder(region: str) -> Base:
    """An account that nobody has."""
    texts = {name: name for name, kind in Base.__annotations__.items() if kind == "str"}
    return Base(**{**texts, "region": region, "subnets": ("a", "b"), "revision": 0})  # type: ignore[arg-type]
