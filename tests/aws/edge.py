"""CloudFront: distributions take their time, and serve what is in their buckets, as far as its policy lets them.

The edge remembers what it has served until it is told to forget it, and runs the functions that are published, where there is
node. moto keeps distributions, and neither refuses what AWS refuses nor knows how functions are published.
Source: Amazon CloudFront Developer Guide, "How CloudFront processes HTTP and HTTPS requests".
"""

from __future__ import annotations

import copy
import fnmatch
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import SplitResult, unquote

from moto.cloudfront.exceptions import CloudFrontException, InvalidIfMatchVersion, NoSuchOriginAccessControl
from moto.cloudfront.models import CloudFrontBackend, Distribution, Invalidation, cloudfront_backends
from moto.cloudfront.responses import CloudFrontResponse
from moto.cloudfront.urls import url_paths
from moto.core.responses import ActionResult
from moto.moto_api._internal import mock_random
from moto.s3.models import s3_backends

NODE = shutil.which("node")
PACES = 10
"""Until all the world knows of a distribution, or of a change of it."""
_FORGETTING = 5
"""Paces that it takes to forget something."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


class Edge:
    """`pace`: seconds, asked anew each time."""

    def __init__(self, pace: Callable[[], float]) -> None:
        self._pace = pace
        self._remembered: dict[tuple[str, str], Answer] = {}
        self._patch()

    def clear(self) -> None:
        self._remembered.clear()

    def answer(self, url: SplitResult, method: str) -> Answer | None:
        """None for a host that no distribution answers for."""
        found = next((each for each in _distributions() if url.hostname in _hosts(each)), None)
        if found is None:
            return None
        if not found.served or not found.said["Enabled"]:
            return Answer(503, {}, b"not deployed, or disabled")
        if url.scheme == "http" and found.said["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https":
            return Answer(301, {"Location": url._replace(scheme="https", path=url.path or "/").geturl()}, b"")
        if method not in ("GET", "HEAD"):
            return Answer(403, {}, b"this distribution is not configured to allow the HTTP request method")
        path = url.path or "/"
        answer = self._known(found, f"/{found.said['DefaultRootObject']}" if path == "/" else path)
        for each in (found.said.get("CustomErrorResponses") or {}).get("Items") or ():
            if answer.status == int(each["ErrorCode"]):
                answer = replace(self._known(found, each["ResponsePagePath"]), status=int(each["ResponseCode"]))
                break
        if answer.status < 400 and NODE:
            for each in (found.said["DefaultCacheBehavior"].get("FunctionAssociations") or {}).get("Items") or ():
                answer = _through(_published(each["FunctionARN"]), each["EventType"], answer)
        return answer

    def _known(self, of: Any, path: str) -> Answer:
        key = of.id, path
        if key not in self._remembered:
            answer = _origin(of, unquote(path.removeprefix("/")))
            if answer.status >= 400:
                return answer
            self._remembered[key] = answer
        return self._remembered[key]

    def forget(self, distribution: str, paths: list[str]) -> None:
        for key in list(self._remembered):
            if key[0] == distribution and any(fnmatch.fnmatchcase(key[1], each) for each in paths):
                del self._remembered[key]

    def _later(self, paces: float) -> float:
        return time.monotonic() + paces * self._pace()

    def _patch(self) -> None:
        backend, edge = CloudFrontBackend, self
        init, update, delete = Distribution.__init__, backend.update_distribution, backend.delete_distribution
        invalidate, access = backend.create_invalidation, backend.create_origin_access_control

        def begin(own: Any, account_id: str, region_name: str, config: dict[str, Any]) -> None:
            said = copy.deepcopy(config)
            init(own, account_id, region_name, config)
            own.said, own.served, own.due = said, False, edge._later(PACES)

        def advance(own: Any) -> None:
            own.status = "Deployed" if time.monotonic() >= own.due else "InProgress"
            own.served = own.served or own.status == "Deployed"

        def change(own: Any, dist_config: dict[str, Any], _id: str, if_match: str) -> Any:
            said, found = copy.deepcopy(dist_config), own.distributions.get(_id)
            if found is not None and if_match != found.etag:
                raise InvalidIfMatchVersion
            made = update(own, dist_config, _id, if_match)
            found.said, found.due, found.etag = said, edge._later(PACES), mock_random.get_random_hex(13)
            found.advance()
            return found, found.location, found.etag if made else ""

        def remove(own: Any, distribution_id: str, if_match: str) -> None:
            found = own.distributions.get(distribution_id)
            if found is not None:
                found.advance()
                if if_match != found.etag:
                    raise InvalidIfMatchVersion
                if found.said["Enabled"] or found.status != "Deployed":
                    raise CloudFrontException("DistributionNotDisabled", "The distribution has not been disabled.")
            delete(own, distribution_id, if_match)

        def forget(own: Any, dist_id: str, paths: list[str], caller_ref: str) -> Any:
            known = next((each for each in own.invalidations.get(dist_id, ()) if each.caller_ref == caller_ref), None)
            if known is not None:
                return known
            made = invalidate(own, dist_id, paths, caller_ref)
            made.due = edge._later(_FORGETTING)
            edge.forget(dist_id, paths)
            return made

        def allow(own: Any, config_dict: dict[str, str]) -> Any:
            if any(each.name == config_dict["Name"] for each in own.origin_access_controls.values()):
                raise CloudFrontException("OriginAccessControlAlreadyExists", "One of this name already exists.")
            return access(own, config_dict)

        Distribution.__init__, Distribution.advance = begin, advance
        backend.update_distribution, backend.delete_distribution = change, remove
        backend.create_invalidation, backend.create_origin_access_control = forget, allow
        backend.delete_origin_access_control, backend.delete_function = _delete_access, _deleter(backend.delete_function)
        Invalidation.status = property(
            lambda own: "Completed" if time.monotonic() >= own.due else "InProgress", lambda own, value: None
        )
        _know_functions()


def _delete_access(own: Any, control_id: str) -> None:
    if control_id not in own.origin_access_controls:
        raise NoSuchOriginAccessControl
    for each in own.distributions.values():
        if any(it.get("OriginAccessControlId") == control_id for it in each.said["Origins"]["Items"]):
            raise CloudFrontException("OriginAccessControlInUse", "It is in use.")
    own.origin_access_controls.pop(control_id)


def _deleter(delete: Any) -> Any:
    def remove(own: Any, name: str, if_match: str) -> None:
        arn = own.describe_function(name).arn
        for each in own.distributions.values():
            if arn in json.dumps(each.said["DefaultCacheBehavior"].get("FunctionAssociations") or {}):
                raise CloudFrontException("FunctionInUse", "It is in use.")
        delete(own, name, if_match)

    return remove


def _know_functions() -> None:
    """moto does not publish or change them."""

    def publish(own: Any) -> ActionResult:
        found = own.backend.describe_function(own._get_param("Name"))
        found.published, found.stage, found.status = found.code, "LIVE", "UNASSOCIATED"
        return ActionResult({"FunctionSummary": found.function_summary})

    def update(own: Any) -> ActionResult:
        found = own.backend.describe_function(own._get_param("Name"))
        if own._get_param("IfMatch") != found.etag:
            raise InvalidIfMatchVersion
        found.code, found.config = own._get_param("FunctionCode"), own._get_param("FunctionConfig", {})
        found.etag = mock_random.get_random_hex(13)
        return ActionResult({"FunctionSummary": found.function_summary, "ETag": found.etag})

    CloudFrontResponse.publish_function, CloudFrontResponse.update_function = publish, update
    url_paths["{0}/2020-05-31/function/(?P<function_name>[^/]+)/publish$"] = CloudFrontResponse.dispatch


def _distributions() -> Iterator[Any]:
    for _, _, backend in list(cloudfront_backends.iter_backends()):
        for each in list(backend.distributions.values()):
            each.advance()
            yield each


def _hosts(of: Any) -> list[str]:
    return [of.domain_name, *((of.said.get("Aliases") or {}).get("Items") or ())]


def _origin(of: Any, key: str) -> Answer:
    """What the bucket answers to the distribution."""
    [origin] = of.said["Origins"]["Items"]
    name = origin["DomainName"].partition(".")[0]
    bucket = next((it.buckets[name] for _, _, it in list(s3_backends.iter_backends()) if name in it.buckets), None)
    signed = origin.get("OriginAccessControlId")
    if bucket is None:
        return Answer(404, {"Content-Type": "application/xml"}, b"<Code>NoSuchBucket</Code>")
    allowed = _allowed(bucket.policy, of.arn) if signed else set()
    found = bucket.keys.get(key)
    if "s3:GetObject" not in allowed or (found is None and "s3:ListBucket" not in allowed):
        return Answer(403, {"Content-Type": "application/xml"}, b"<Code>AccessDenied</Code>")
    if found is None:
        return Answer(404, {"Content-Type": "application/xml"}, b"<Code>NoSuchKey</Code>")
    headers = {str(name).lower(): str(value) for name, value in found.metadata.items()}
    return Answer(200, {**headers, "etag": found.etag}, found.value)


def _allowed(policy: Any, arn: str) -> set[str]:
    """What a bucket's policy lets a distribution do."""
    found: set[str] = set()
    for each in json.loads(policy or b"{}").get("Statement", ()):
        source = (each.get("Condition") or {}).get("StringEquals", {}).get("AWS:SourceArn")
        if each["Effect"] == "Allow" and each["Principal"] == {"Service": "cloudfront.amazonaws.com"} and source == arn:
            found |= {each["Action"]} if isinstance(each["Action"], str) else set(each["Action"])
    return found


def _published(arn: str) -> str:
    """The live code of a function; "" for one that was never published."""
    for _, _, backend in list(cloudfront_backends.iter_backends()):
        for each in backend.functions.values():
            if each.arn == arn:
                code = getattr(each, "published", b"")
                return code.decode() if isinstance(code, bytes) else str(code)
    return ""


def _through(code: str, event: str, answer: Answer) -> Answer:
    headers = {key.lower(): {"value": value} for key, value in answer.headers.items()}
    given = {"context": {"eventType": event}, "response": {"statusCode": answer.status, "headers": headers}}
    made = json.loads(_run(code, json.dumps(given)))
    return Answer(made["statusCode"], {key: it["value"] for key, it in made["headers"].items()}, answer.body)


@cache
def _run(code: str, event: str) -> str:
    script = f"{code}\nconsole.log(JSON.stringify(handler({event})))"
    return subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True, timeout=20).stdout
