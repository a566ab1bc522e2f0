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

from defang_nb.model.resource import Resource
from defang_nb.provision.order import creation_order
from tests.providers.aws.plans import compiled

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
    found = {each.urn: told(each) for each in made}
    golden = CASES / f"{feature}.json"
    if os.environ.get("REGENERATE"):
        golden.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(golden.read_text())
    assert list(found) == list(json.loads(golden.read_text()))
    assert len(found) == len(made), "two resources have one name"
    creation_order(made)
