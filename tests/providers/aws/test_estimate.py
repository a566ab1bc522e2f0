"""What a project costs in a month, from the table of prices."""

from __future__ import annotations

import pytest

from defang_nb.client import begin, costs
from defang_nb.client.begin import Inputs
from defang_nb.client.workspace import Workspace
from defang_nb.errors import UnsupportedError, UsageError
from defang_nb.model.stack import Stack
from defang_nb.providers.aws import estimate as estimates
from defang_nb.providers.aws.compile import stores
from defang_nb.providers.aws.estimate import Estimate

APP = """
services:
  web: {image: nginx, ports: ["80"], deploy: {replicas: 2, resources: {reservations: {cpus: "1", memory: 2G}}}}
  job: {image: busybox, restart: "no", command: "true", environment: [SECRET]}
  db: {image: "postgres:16", x-defang-postgres: true}
  cache: {image: redis, x-defang-redis: true}
  docs: {image: mongo, x-defang-mongodb: true}
"""


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No account, and no region from around."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "DEFANG_STACK"):
        monkeypatch.delenv(name, raising=False)


def asked(text: str = APP, **said: str) -> Estimate:
    return costs.estimate(Inputs(None, text=text, name="compose.yaml", project="shop"), **said)


def of(found: Estimate, service: str) -> list[float]:
    return [each.monthly for each in found.costs if each.service == service]


def test_each_service_and_what_they_share() -> None:
    found = asked(mode="balanced")
    assert (found.region, found.mode) == ("us-east-1", "balanced")
    assert of(found, "web") == [pytest.approx(2 * 730 * (0.04048 + 2 * 0.004445), abs=0.01), 7.3]
    assert of(found, "db") == [pytest.approx(11.68), 2.3]
    assert of(found, "job") == []
    assert found.monthly == pytest.approx(sum(each.monthly for each in found.costs))
    assert all(each.source.startswith("https://") for each in found.costs)


def test_a_mode_changes_what_is_paid() -> None:
    cheap, usual, safe = (asked(mode=each) for each in ("affordable", "Balanced", "high_availability"))
    assert of(cheap, "web")[0] < of(usual, "web")[0]
    assert [2 * each for each in of(usual, "db")] == pytest.approx(of(safe, "db"))
    assert (of(cheap, "docs"), of(safe, "docs")) == ([54.9], [54.9, 54.9])
    assert of(safe, "cache")[0] == pytest.approx(2 * of(usual, "cache")[0], abs=0.02)


def test_what_is_not_confirmed_is_told() -> None:
    found = asked(mode="balanced")
    assert all(each.confirmed for each in found.costs if each.service == "db")
    assert not any(each.confirmed for each in asked(mode="balanced", region="us-west-2").costs)


def test_every_size_of_a_store_has_a_price_in_every_region_of_the_table() -> None:
    for each in estimates._table()["prices"]:
        priced = each["database"].keys() | each["cache"].keys() | each["documents"].keys()
        assert {rung.name for ladder in stores.LADDERS.values() for rung in ladder} <= priced


def test_what_is_deployed_costs_what_was_estimated_where_there_are_prices() -> None:
    here = Workspace(Stack(name="local", provider="local"))
    project = begin.load_project(here, Inputs(None, text=APP, project="shop")).project
    place = Stack(name="prod", provider="aws", settings={"DEFANG_MODE": "BALANCED", "AWS_REGION": "us-west-2"})
    assert costs.monthly(place, project) == asked(mode="balanced", region="us-west-2").monthly
    assert costs.monthly(Stack(name="far", provider="aws", settings={"AWS_REGION": "eu-central-1"}), project) is None
    assert not costs.known_for(Stack(name="local", provider="local"))


def test_what_can_not_be_estimated_is_said() -> None:
    with pytest.raises(UsageError, match="no prices for the region 'eu-central-1'") as refused:
        asked(region="eu-central-1")
    assert "us-east-1" in refused.value.hint
    with pytest.raises(UsageError, match="no mode 'cheap'"):
        asked(mode="cheap")
    with pytest.raises(UnsupportedError):
        asked("services: {web: {image: nginx, privileged: true}}")


def test_a_site_is_paid_for_by_use() -> None:
    found = asked("services: {web: {build: ., x-defang-static-files: ./nowhere}}", mode="balanced")
    [cost] = found.costs
    assert (cost.service, cost.monthly) == ("web", 0.0)
    assert "$0.085 a GB above the first 1024 GB" in cost.what and "cloudfront" in cost.source
