"""The thin layer in front of moto: counts calls, makes faults, and has a door for tests, below `/_simulation/`."""

from __future__ import annotations

import json
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from tests.aws.calls import Call, identify
from tests.aws.faults import DENIED, Faults, refusal
from tests.aws.iam.guard import Guard
from tests.aws.ledger import Ledger
from tests.aws.server import LostReplyError

CONTROL = "/_simulation/"
Start = Callable[..., Any]
Control = Callable[[Any], Any]


class Layer:
    """The WSGI application. `controls`: name → what answers `POST /_simulation/<name>` (JSON in and out), or `GET
    /_simulation/<name>/<more>`."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.faults = Faults()
        self.guard = Guard()
        self.before: list[Callable[[Call, bytes], None]] = []
        """Asked before a call is carried out, to bring moto up to date."""
        self.controls: dict[str, Control] = {
            "counts": lambda _: self.ledger.counts(),
            "bodies": lambda _: self.ledger.bodies(),
            "search": lambda asked: self.ledger.search(asked["text"]),
            "problems": lambda _: self.ledger.problems,
            "forget": lambda _: self.ledger.clear(),
            "enforce": lambda _: setattr(self.guard, "on", True),
            "denied": lambda _: self.guard.denied,
            "faults": lambda asked: self.faults.set(asked["rules"], seed=asked.get("seed", 0)),
        }
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path.startswith(CONTROL):
            return self._control(path.removeprefix(CONTROL), environ, start)
        if path.startswith("/moto-api"):
            return self._moto(environ, start)
        return self._call(environ, start)

    def _control(self, name: str, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        name, _, rest = name.partition("/")
        status, answer = "404 Not Found", f"there is no {name}"
        if name in self.controls:
            try:
                status, answer = "200 OK", self.controls[name](rest or json.loads(body or b"{}"))
            except Exception:  # noqa: BLE001 a test's mistake is for the test to see
                status, answer = "500 Failed", traceback.format_exc()
        start(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def _call(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = environ["wsgi.input"].read()
        environ["wsgi.input"].seek(0)
        call = identify(environ, body)
        self.ledger.note(call, environ.get("RAW_URI", ""), body)
        fault = self.faults.of(call)
        if fault.latency:
            time.sleep(fault.latency)
        if why := self.guard.refusal(call, environ, body):
            code = DENIED.get(call.protocol, "AccessDeniedException")
            return refusal(call, code, why, 403, start)
        if fault.refused:
            return refusal(call, fault.code, fault.message, fault.status, start)
        for each in self.before:
            each(call, body)
        status, headers, data = self._ask_moto(call, environ)
        if fault.lost == "connection":
            raise LostReplyError
        if fault.lost == "error":
            return refusal(call, "InternalFailure", "the reply was lost", 500, start)
        start(status, headers)
        return [data]

    def _ask_moto(self, call: Call, environ: dict[str, Any]) -> tuple[str, list[tuple[str, str]], bytes]:
        answer: list[Any] = []

        def keep(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
            answer[:] = [status, headers]

        said = ""
        try:
            data = b"".join(self._moto(environ, keep))
            # moto answers calls that it does not know, and its own crashes, with a page for people.
            if answer[0].startswith("5") and b"<!doctype html" in data[:64].lower():
                said = "the simulation does not know this call, or moto crashed"
        except Exception as crash:  # noqa: BLE001 moto's own mistakes: told, and answered as no fault of AWS that is tried again
            said = f"moto crashed: {crash!r}\n{traceback.format_exc()}"
        if said:
            self.ledger.problems.append(f"{call.service}:{call.operation}: {said}")
            first = said.splitlines()[0]
            data = b"".join(refusal(call, "SimulationLacks", f"{call.service}:{call.operation}: {first}", 400, keep))
        return answer[0], answer[1], data
