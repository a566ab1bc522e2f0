"""Golden plans: each `cases/<feature>.yaml` is a project, the JSON beside it is the resources that it is made of.

`REGENERATE=1 pytest tests/providers/aws/test_compile.py` writes them anew: look at the difference before it is committed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from defang_nb.model.image import Traits
from defang_nb.model.project import Healthcheck
from defang_nb.model.resource import Resource
from defang_nb.model.value import resolve
from defang_nb.providers.aws import kinds
from defang_nb.providers.aws.compile import compile_project
from defang_nb.providers.aws.types.distributions import configuration
from defang_nb.providers.aws.types.tasks import container, definition
from defang_nb.provision.order import creation_order
from tests.providers.aws.plans import BASE, MODE, STACK, compiled, images, project

CASES = Path(__file__).parent / "cases"
FEATURES = sorted(file.stem for file in CASES.glob("*.yaml"))


def told(resource: Resource) -> dict[str, Any]:
    """What differs from the usual, so that a case shows its feature."""
    needs = {urn: need.value for urn, need in resource.options.depends_on.items()}
    shown = {"inputs": msgspec.to_builtins(resource.inputs), "service": resource.service, "needs": needs}
    extra = {"main": resource.main, "protect": resource.options.protect}
    return {key: value for key, value in {**shown, **extra}.items() if value}


@pytest.mark.parametrize("feature", FEATURES)
def test_a_project_as_resources(feature: str) -> None:
    made = compiled((CASES / f"{feature}.yaml").read_text())
    found = json.loads(json.dumps({each.urn: told(each) for each in made}))
    golden = CASES / f"{feature}.json"
    if os.environ.get("REGENERATE"):
        golden.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(golden.read_text())
    assert list(found) == list(json.loads(golden.read_text()))
    assert len(found) == len(made), "two resources have one name"
    creation_order(made)


def test_a_second_service_changes_nothing_about_the_first() -> None:
    one = {each.urn: each.inputs for each in compiled("services:\n  web: {image: nginx, ports: ['80']}\n")}
    two = compiled(
        "services:\n  web: {image: nginx, ports: ['80']}\n  api: {image: python, ports: ['90'], depends_on: [web]}\n"
    )
    found = {each.urn: each.inputs for each in two}
    assert [urn for urn in one if one[urn] != found[urn]] == ["shop/aws:elb/LoadBalancer/front"], "another port is open"


def test_one_service_more_moves_no_other() -> None:
    """Rules keep their priorities, and what others are made from stays as it is."""
    services = [f"  s{number}: {{image: nginx, domainname: s{number}.example.org, ports: ['80']}}" for number in range(20)]
    some = {each.urn: each.inputs for each in compiled("services:\n" + "\n".join(services[::2]) + "\n")}
    all_ = {each.urn: each.inputs for each in compiled("services:\n" + "\n".join(services) + "\n")}
    assert [urn for urn in some if all_[urn] != some[urn]] == ["shop/aws:elb/Listener/443"], "it has more certificates"
    rules = [inputs["priority"] for urn, inputs in all_.items() if "/Rule/" in urn]
    assert len(set(rules)) == len(rules) and all(1 <= each <= 50_000 for each in rules)


def test_a_configuration_value_changes_its_users_only() -> None:
    text = (CASES / "config.yaml").read_text()
    found = project(text)
    before, after = (
        {each.urn: each.inputs for each in compile_project(found, (), digests, base=BASE, mode=MODE, stack=STACK)}
        for digests in ({"TOKEN": "1", "PASSWORD": "1"}, {"TOKEN": "2", "PASSWORD": "1"})
    )
    assert [urn for urn in before if before[urn] != after[urn]] == ["shop/aws:ecs/TaskDefinition/web"]


@pytest.mark.parametrize("feature", FEATURES)
def test_ecs_knows_every_word_of_a_task_definition(feature: str) -> None:
    """By the shapes of its own API."""
    import botocore.session
    from botocore.validate import validate_parameters

    shape = botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition").input_shape
    for resource in compiled((CASES / f"{feature}.yaml").read_text()):
        if resource.type == kinds.TASK:
            known = resolve(dict(resource.inputs), lambda urn, output: f"{urn}.{output}")
            body = definition(known, container(resource.urn), "eu-central-1")
            validate_parameters({"family": "x", **body}, shape)


@pytest.mark.parametrize("feature", FEATURES)
def test_cloudfront_knows_every_word_of_a_distribution(feature: str) -> None:
    import botocore.session
    from botocore.validate import validate_parameters

    shape = botocore.session.get_session().get_service_model("cloudfront").shape_for("DistributionConfig")
    for resource in compiled((CASES / f"{feature}.yaml").read_text()):
        if resource.type == kinds.DISTRIBUTION:
            known = resolve(dict(resource.inputs), lambda urn, output: f"{urn}.{output}")
            validate_parameters({"CallerReference": "x", "Comment": "x", **configuration(known)}, shape)


@pytest.mark.parametrize(
    ("said", "traits", "test"),
    [
        ("", None, None),
        ("", Traits(base="scratch"), None),
        ("", Traits(base="gcr.io/distroless/python3", shell=False), None),
        ("", Traits(base="python:3.12-slim"), ["CMD-SHELL", "exit 0"]),
        ("", Traits(base="own", shell=True), ["CMD-SHELL", "exit 0"]),
        ("", Traits(healthcheck=Healthcheck(test=("CMD", "ok"))), ["CMD", "ok"]),
        ("", Traits(shell=True, healthcheck=Healthcheck(disable=True)), None),
        ("healthcheck: {disable: true}", Traits(healthcheck=Healthcheck(test=("CMD", "ok"))), None),
        ("healthcheck: {test: [CMD, own]}", Traits(healthcheck=Healthcheck(test=("CMD", "ok"))), ["CMD", "own"]),
        ("healthcheck: {interval: 7s}", Traits(healthcheck=Healthcheck(test=("CMD", "ok"))), ["CMD", "ok"]),
    ],
)
def test_the_check_of_an_image_that_is_built(said: str, traits: Traits | None, test: list[str] | None) -> None:
    found = project(f"services:\n  web:\n    build: .\n    {said}\n")
    sources = [msgspec.structs.replace(each, traits=traits) for each in images(found)]
    made = compile_project(found, sources, {}, base=BASE, mode=MODE, stack=STACK)
    (task,) = [each for each in made if each.type == kinds.TASK]
    assert task.inputs.get("healthcheck", {}).get("test") == test
