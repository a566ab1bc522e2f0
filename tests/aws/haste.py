"""What makes moto start and empty itself sooner."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import Any


def prepare() -> None:
    """Before moto is imported."""
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # thousands that nobody here asks for
    # CloudFormation loads every service; API Gateway's checks of OpenAPI documents take three seconds of that.
    whole, errors = ModuleType("openapi_spec_validator"), ModuleType("openapi_spec_validator.validation.exceptions")
    whole.validate, errors.OpenAPIValidationError = (lambda *_: None), ValueError
    for module in (whole, ModuleType("openapi_spec_validator.validation"), errors):
        sys.modules.setdefault(module.__name__, module)


def patch() -> None:
    """IAM reads its 1,500 managed policies for each of five partitions, each time that it is made."""
    from moto.iam.models import IAMBackend

    read = IAMBackend._init_aws_policies
    known: dict[str, list[Any]] = {}

    def policies(backend: Any) -> list[Any]:
        if backend.region_name != "aws":
            return []
        if backend.account_id not in known:
            known[backend.account_id] = read(backend)
        for each in known[backend.account_id]:
            each.attachment_count = 0
        return known[backend.account_id]

    IAMBackend._init_aws_policies = policies


def reset() -> None:
    """As moto's own reset does, but for making all anew before it throws that away."""
    from moto.core.base_backend import BackendDict, backend_lock

    with backend_lock:
        for each in BackendDict._instances:
            if each.service_name == "s3":
                for account in each.values():
                    account.reset()  # closes the files that hold contents
            each.clear()
        BackendDict._instances.clear()
