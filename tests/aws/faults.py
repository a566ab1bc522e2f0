"""Faults on purpose: which calls are refused, slow, or carried out with the reply lost. Seeded: a run can be repeated."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from tests.aws.calls import Call

_SAID = {
    "throttle": ("ThrottlingException", "Rate exceeded", 400),
    "error": ("InternalFailure", "An internal error occurred", 500),
    "unavailable": ("ServiceUnavailable", "Service is unavailable", 503),
    "expired": ("ExpiredTokenException", "The security token included in the request is expired", 403),
    "denied": ("AccessDeniedException", "", 403),
}
_THROTTLED = {"ec2": "RequestLimitExceeded", "query": "Throttling", "rest-xml": "SlowDown"}
DENIED = {"ec2": "UnauthorizedOperation", "query": "AccessDenied", "rest-xml": "AccessDenied"}
"""Protocol → the code of what is not allowed; `AccessDeniedException` in the others."""
_OTHERWISE = {
    "expired": {"ec2": "RequestExpired", "query": "ExpiredToken", "rest-xml": "ExpiredToken"},
    "denied": DENIED,
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One fault. `calls`: a regular expression over `service:operation`; `share` of those, after `after`, `times` at most.

    `kind`: throttle, error (500), unavailable (503), denied, expired, lost (carried out, the connection dropped), lost-error
    (carried out, 500), latency (`seconds`), or refuse with `code`, `message` and `status`. Several rules add up.
    """

    kind: str
    calls: str = ".*"
    key: str = ""
    """A regular expression over the id of the access key: `ASIA.*` are those of tasks' roles."""
    share: float = 1.0
    after: int = 0
    times: int = 0
    seconds: float = 0.0
    code: str = ""
    message: str = ""
    status: int = 400


@dataclass
class Fault:
    """What happens to one call."""

    latency: float = 0.0
    refused: bool = False
    lost: str = ""
    code: str = ""
    message: str = ""
    status: int = 400


class Faults:
    """The rules in force. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set([])

    def set(self, rules: list[dict[str, Any]], seed: int = 0) -> None:
        """Replace the rules. Raises `TypeError` for one that is not understood."""
        with self._lock:
            self._rules = [Rule(**each) for each in rules]
            self._seen = [0] * len(rules)
            self._made = [0] * len(rules)
            self._random = random.Random(seed)

    def of(self, call: Call) -> Fault:
        fault = Fault()
        with self._lock:
            for number, rule in enumerate(self._rules):
                if not re.fullmatch(rule.calls, f"{call.service}:{call.operation}"):
                    continue
                if rule.key and not re.fullmatch(rule.key, call.key):
                    continue
                self._seen[number] += 1
                if self._seen[number] <= rule.after or (rule.times and self._made[number] >= rule.times):
                    continue
                if self._random.random() >= rule.share or fault.refused:
                    continue
                self._made[number] += 1
                _apply(rule, call, fault)
        return fault


def _apply(rule: Rule, call: Call, fault: Fault) -> None:
    match rule.kind:
        case "latency":
            fault.latency += rule.seconds
        case "lost":
            fault.lost = "connection"
        case "lost-error":
            fault.lost = "error"
        case "refuse":
            fault.refused, fault.code, fault.message, fault.status = True, rule.code, rule.message, rule.status
        case _:
            code, message, status = _SAID[rule.kind]
            if rule.kind == "throttle":
                code = _THROTTLED.get(call.protocol, code)
                status = 503 if call.protocol in ("ec2", "rest-xml") else status
            code = _OTHERWISE.get(rule.kind, {}).get(call.protocol, code)
            if rule.kind == "denied":
                action = f"{'elasticloadbalancing' if call.service == 'elbv2' else call.service}:{call.operation}"
                message = (
                    f"User: arn:aws:sts::123456789012:assumed-role/someone/session is not authorized to perform: {action} "
                    "because no identity-based policy allows the action"
                )
            fault.refused, fault.code, fault.message, fault.status = True, code, rule.message or message, status


def refusal(call: Call, code: str, message: str, status: int, start: Callable[..., Any]) -> Iterable[bytes]:
    """An error in the form of the call's protocol."""
    if call.protocol in ("json", "rest-json"):
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
        body = json.dumps({"__type": code, "message": message})
    else:
        headers = [("Content-Type", "text/xml")]
        inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
        match call.protocol, call.service:
            case "ec2", _:
                body = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>0</RequestID></Response>"
            case _, "s3":
                body = f"<Error>{inner}<RequestId>0</RequestId></Error>"
            case _:
                body = f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error><RequestId>0</RequestId></ErrorResponse>"
    start(f"{status} Refused", headers)
    return [body.encode()]
