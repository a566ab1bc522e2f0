"""`estimate`: what the project would cost in a month."""

from __future__ import annotations

from typing import TYPE_CHECKING

from defang_nb.client.begin import Inputs
from defang_nb.client.costs import estimate as asked
from defang_nb.commands.actions import inputs
from defang_nb.commands.host import Host
from defang_nb.commands.parse import Invocation
from defang_nb.render.tables import Cell, Table

if TYPE_CHECKING:
    from defang_nb.providers.aws.estimate import Estimate


def estimate(invocation: Invocation, host: Host) -> Estimate:
    said = inputs(invocation, host)
    found = asked(Inputs(None, said.pop("files", ()), **said), mode=invocation.text("mode"), region=invocation.text("region"))
    host.table(table(found), [found])
    return found


def table(found: Estimate) -> Table:
    """By service, each with its sum, and the sum of all."""
    rows: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys(each.service for each in found.costs):
        costs = [each for each in found.costs if each.service == name]
        total = sum(each.monthly for each in costs)
        for index, each in enumerate(costs):
            first = index == 0
            rows.append(
                (
                    Cell(name if first else ""),
                    Cell(each.what),
                    Cell(_usd(each.monthly) + ("" if each.confirmed else "*")),
                    Cell(_usd(total) if first else ""),
                )
            )
    rows.append((Cell("all"), Cell(""), Cell(""), Cell(_usd(found.monthly))))
    notes = [f"list prices in US dollars of {found.date}, {found.region}, without taxes"]
    if not all(each.confirmed for each in found.costs):
        notes.append("* about: this price, or that it holds for this region, is not confirmed")
    return Table(
        f"{found.project} on AWS, {found.region}, {found.mode}: about {_usd(found.monthly)} a month",
        ("Service", "What", "A month", "Together"),
        tuple(rows),
        notes=(*notes, f"not included: {found.not_included}"),
    )


def _usd(amount: float) -> str:
    return f"${amount:,.2f}"
