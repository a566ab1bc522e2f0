"""Compose's `models:`: for each one that a service uses, a gateway that speaks as OpenAI does, and calls Bedrock.

The gateway is LiteLLM in a service of the model's name. Who uses the model is told its address and name as Docker Model Runner
tells them (Compose specification, "models"), and a key, without which OpenAI's clients refuse to start: the network is the
project's own, so nothing has to be proven.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

import msgspec

from defang_nb.model.project import (
    Condition,
    Dependency,
    Healthcheck,
    Managed,
    ManagedKind,
    ModelUse,
    Port,
    PortMode,
    Project,
    Resources,
    Service,
)
from defang_nb.model.value import Text

IMAGE = "litellm/litellm:v1.92.0"
PORT = 4000
_ALIVE = f"import urllib.request; urllib.request.urlopen('http://localhost:{PORT}/health/liveliness')"
_CPUS, _MEMORY = 0.5, 2**30
"""What LiteLLM needs to hold its libraries and some requests at a time."""
_WORLD = {"us": "us", "ca": "us", "eu": "eu", "ap": "apac"}
"""How a region begins → how the inference profiles of its part of the world do."""


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    profile: bool = False


def used(project: Project) -> dict[str, list[str]]:
    """Each model that services use, with those services."""
    found: dict[str, list[str]] = {}
    for service in project.services.values():
        for name in service.models:
            found.setdefault(name, []).append(service.name)
    return found


def named(project: Project, name: str) -> str:
    """What the file says that the model `name` is: `ai/llama3.1`, or an id of Bedrock."""
    return str(project.rest.get("models", {}).get(name, {}).get("model", ""))


def on_bedrock(model: str, region: str) -> str | None:
    """The id that Bedrock is asked for in `region`; None for a model that is not known to be there."""
    lower = model.lower()
    fitting = [key for key in _table() if lower == key or lower.startswith(key + ("" if ":" in key else ":"))]
    if fitting:
        found = _table()[max(fitting, key=len)]
        world = _WORLD.get(region.partition("-")[0])
        return f"{world}.{found.id}" if found.profile and world else found.id
    said = model.removeprefix("bedrock/")
    written_as_one = said.startswith("arn:") or ("." in said and "/" not in said)
    return said if written_as_one else None


def with_gateways(project: Project, region: str) -> Project:
    """The project with a service for each model that is used, and with what those who use it are told."""
    models = {name: on_bedrock(named(project, name), region) for name in used(project)}
    if not models:
        return project
    services = {each.name: _told(each, project) for each in project.services.values()}
    gateways = {name: _gateway(name, named(project, name), model, region) for name, model in models.items() if model}
    return msgspec.structs.replace(project, services=services | gateways)


def url(name: str) -> str:
    return f"http://{name}:{PORT}/v1/"


def _told(service: Service, project: Project) -> Service:
    """What the file says of its environment goes before."""
    if not service.models:
        return service
    told = dict(part for name, use in service.models.items() for part in _variables(name, use, named(project, name)))
    waits = {name: Dependency(condition=Condition.HEALTHY) for name in service.models}
    return msgspec.structs.replace(
        service, environment={**told, **service.environment}, depends_on={**waits, **service.depends_on}
    )


def _variables(name: str, use: ModelUse, model: str) -> Iterator[tuple[str, Text]]:
    stem = name.upper().replace("-", "_").replace(".", "_")
    yield use.endpoint_var or f"{stem}_URL", (url(name),)
    yield use.model_var or f"{stem}_MODEL", (model,)
    yield "OPENAI_API_KEY", ("none-is-needed",)


def _gateway(name: str, said: str, model: str, region: str) -> Service:
    return Service(
        name=name,
        image=IMAGE,
        command=("--port", str(PORT), "--drop_params", "--model", f"bedrock/{model}", "--alias", said),
        environment={"AWS_REGION": (region,), "AWS_REGION_NAME": (region,)},
        ports=(Port(target=PORT, mode=PortMode.HOST),),
        healthcheck=Healthcheck(
            test=("CMD", "python3", "-c", _ALIVE), interval=5.0, timeout=10.0, retries=10, start_period=60.0
        ),
        resources=Resources(cpus=_CPUS, memory=_MEMORY),
        managed=Managed(kind=ManagedKind.LLM),
    )


@cache
def _table() -> Mapping[str, _Model]:
    text = files("defang_nb.providers.aws").joinpath("models.toml").read_text(encoding="utf-8")
    return {name: msgspec.convert(said, _Model) for name, said in tomllib.loads(text).items()}
