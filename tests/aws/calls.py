"""Which call a request is: service and operation as boto3's clients name them, and whether it changes anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from botocore.loaders import Loader

_CLIENTS = {
    "elasticloadbalancing": "elbv2",
    "elasticfilesystem": "efs",
    "tagging": "resourcegroupstaggingapi",
    "monitoring": "cloudwatch",
}
"""The name that a service's calls are signed with → its client's; the others are the same."""
_READS = re.compile(
    r"Describe|List|Get|Head|BatchGet|BatchCheck|Lookup|Search|Query|Scan|Filter|Validate|Simulate|Estimate|Test|Preview|Select"
    r"|AssumeRole|Discover|Decode|Check|StartLiveTail"
)
_REST_XML = ("s3", "route53", "cloudfront", "s3control")
_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d+/([^/]+)/([^/]+)/aws4_request")
_CBOR = re.compile(r"/service/[^/]+/operation/(\w+)")


@dataclass(frozen=True)
class Call:
    """`protocol`: json, query, ec2, rest-xml or rest-json, which says what a refusal looks like. `key`: the access key's id."""

    service: str
    operation: str
    protocol: str
    region: str = ""
    key: str = ""

    @property
    def mutation(self) -> bool:
        return _READS.match(self.operation) is None


def identify(environ: Mapping[str, Any], body: bytes) -> Call:
    """Read from the signature, the headers, the path and the body of a request."""
    query = environ.get("QUERY_STRING", "")
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    if scope is None:
        presigned = dict(parse_qsl(query)).get("X-Amz-Credential", "")
        scope = _SCOPE.search(f"Credential={presigned}")
    key, region, service = scope.groups() if scope else ("", "", "s3")
    service = _CLIENTS.get(service, service)
    if target := environ.get("HTTP_X_AMZ_TARGET", ""):
        return Call(service, target.rpartition(".")[2], "json", region, key)
    if match := _CBOR.match(environ.get("PATH_INFO", "")):
        return Call(service, match[1], "json", region, key)
    form = body.decode("latin-1") if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded") else query
    if action := parse_qs(form).get("Action"):
        return Call(service, action[0], "ec2" if service == "ec2" else "query", region, key)
    protocol = "rest-xml" if service in _REST_XML else "rest-json"
    return Call(service, _by_path(service, environ), protocol, region, key)


@dataclass(frozen=True)
class _Route:
    method: str
    path: re.Pattern[str]
    needs: frozenset[str]
    headers: frozenset[str]
    weight: int
    operation: str


def _by_path(service: str, environ: Mapping[str, Any]) -> str:
    """The operation whose method, path, and required parameters and headers all fit, the most of them."""
    given = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    pairs = {*given, *(f"{key}={value}" for key, value in given.items())}
    path = environ.get("PATH_INFO", "/").rstrip("/") or "/"
    fitting = [
        route
        for route in _routes(service)
        if route.method == environ["REQUEST_METHOD"]
        and route.path.fullmatch(path)
        and route.needs <= pairs
        and all(f"HTTP_{each.upper().replace('-', '_')}" in environ for each in route.headers)
    ]
    best = max(fitting, key=lambda each: each.weight, default=None)
    return best.operation if best else f"{environ['REQUEST_METHOD']} {path}"


@cache
def _routes(service: str) -> tuple[_Route, ...]:
    loader = Loader()
    if service not in loader.list_available_services("service-2"):
        return ()
    model = loader.load_service_model(service, "service-2")
    return tuple(_route(name, each, model["shapes"]) for name, each in model["operations"].items())


def _route(name: str, operation: dict[str, Any], shapes: dict[str, Any]) -> _Route:
    path, _, query = operation["http"]["requestUri"].partition("?")
    shape = shapes[operation["input"]["shape"]] if "input" in operation else {}
    required = [shape["members"][each] for each in shape.get("required", ())]
    needs = {each for each in query.split("&") if each and "{" not in each}
    needs |= {each["locationName"] for each in required if each.get("location") == "querystring"}
    headers = {each["locationName"] for each in required if each.get("location") == "header"}
    parts = [_part(part) for part in re.split(r"(\{[^}]+\})", path.rstrip("/"))]
    literal = sum(len(part) for part in re.split(r"\{[^}]+\}", path))
    weight = 10 * (len(needs) + len(headers)) + literal
    return _Route(
        operation["http"]["method"], re.compile("".join(parts) or "/"), frozenset(needs), frozenset(headers), weight, name
    )


def _part(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    return ".+" if part.endswith("+}") else "[^/]+"
