"""The narrator: turns the engine's steps into what people ask about, their services.

It stands between the engine and the story: each step's event goes through, and what it means for services follows it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from defang_nb.model.events import (
    BuildLine,
    EndpointFound,
    Payload,
    ServiceChanged,
    ServiceState,
    Stage,
    StageChanged,
    StepFinished,
    StepStarted,
    StepStatus,
)
from defang_nb.model.image import ImageSource
from defang_nb.model.plan import Action, Plan
from defang_nb.model.resource import Resource
from defang_nb.model.value import Json
from defang_nb.provision.ports import Emit
from defang_nb.provision.state import State

_BUILDING = (ServiceState.BUILD_QUEUED, ServiceState.BUILD_RUNNING)


class Narrator:
    """`plan` and `desired` are about to be applied to `state`, whose records are looked at again as steps end."""

    def __init__(
        self, tell: Emit, plan: Plan, desired: Sequence[Resource], state: State, images: Sequence[ImageSource] = ()
    ) -> None:
        self._tell = tell
        self._plan = plan
        self._desired = {resource.urn: resource for resource in desired}
        self._state = state
        self._images = {image.reference: image.services for image in images}
        self._mains = {each.urn: each.service for each in state.recorded.values() if each.main}
        self._mains |= {each.urn: each.service for each in desired if each.main}
        self._states: dict[str, ServiceState] = {}
        self._waiting = {step.urn for step in plan.mutations}
        self._endpoints: set[tuple[str, str]] = set()

    def introduce(self) -> None:
        """Where every service stands before the first step: unchanged, to be built, or to be changed."""
        for step in self._plan.steps:
            main = self._main(step.urn)
            if step.action is Action.KEEP:
                if main:
                    self._change(main, ServiceState.DEPLOYMENT_COMPLETED, "unchanged")
                    self._tell_endpoints(step.urn)
                continue
            if main and step.action is not Action.DELETE:
                self._change(main, ServiceState.UPDATE_QUEUED, _first_words(step.cause))
        for step in self._plan.mutations:
            for service in self._built_for(step.urn) if step.action is not Action.ADOPT else ():
                self._change(service, ServiceState.BUILD_QUEUED)

    def hear(self, payload: Payload) -> None:
        """The engine's `Emit`. A build's line does not say for which services it is: that is known here."""
        if isinstance(payload, BuildLine):
            payload = msgspec.structs.replace(payload, services=tuple(self._built_for(payload.urn)))
        self._tell(payload)
        match payload:
            case StepStarted(urn=urn, action=action):
                self._began(urn, action)
            case StepFinished() as it:
                self._ended(it)
            case BuildLine(step=step, steps=steps, services=services) if step and steps:
                for service in services:
                    self._change(service, ServiceState.BUILD_RUNNING, f"step {step}/{steps}")
            case _:
                pass

    def _began(self, urn: str, action: Action) -> None:
        if action is not Action.DELETE:
            for service in self._built_for(urn):
                self._change(service, ServiceState.BUILD_RUNNING)
            if main := self._main(urn):
                self._change(main, ServiceState.DEPLOYMENT_PENDING, "starting")
        elif main := self._main(urn):
            self._change(main, ServiceState.DEPLOYMENT_PENDING, "stopping")
        self._all_begun(urn)

    def _all_begun(self, urn: str) -> None:
        """Once no step is left to begin, all that remains is to wait."""
        if self._waiting:
            self._waiting.discard(urn)
            if not self._waiting:
                self._tell(StageChanged(stage=Stage.SETTLING))

    def _ended(self, it: StepFinished) -> None:
        self._all_begun(it.urn)
        failed = it.status in (StepStatus.FAILED, StepStatus.ROLLED_BACK)
        for service in self._built_for(it.urn) if it.action is not Action.DELETE else ():
            if failed:
                self._change(service, ServiceState.BUILD_FAILED, it.message)
            elif it.status is StepStatus.DONE and self._states.get(service) in _BUILDING:
                self._change(service, ServiceState.UPDATE_QUEUED, "built")
        main = self._main(it.urn)
        if not main:
            return
        match it.status:
            case StepStatus.DONE if it.action is Action.DELETE:
                if not self._replaced(it.urn):
                    self._change(main, ServiceState.DEPLOYMENT_SCALED_IN, "removed")
            case StepStatus.DONE:
                self._change(main, ServiceState.DEPLOYMENT_COMPLETED, it.message or self._how(it.urn))
                self._tell_endpoints(it.urn)
            case StepStatus.SKIPPED:
                if it.message.startswith("cancelled"):
                    self._change(main, ServiceState.NOT_SPECIFIED, it.message)
                elif self._states.get(main) is not ServiceState.BUILD_FAILED:
                    self._change(main, ServiceState.DEPLOYMENT_FAILED, it.message or "not begun")
            case _ if failed:
                self._change(main, ServiceState.DEPLOYMENT_FAILED, it.message)
                if it.status is StepStatus.ROLLED_BACK:
                    self._tell_endpoints(it.urn)

    def _main(self, urn: str) -> str:
        """The service that this resource is, if it is one."""
        return self._mains.get(urn, "")

    def _replaced(self, urn: str) -> bool:
        """Whether something desired takes this one's place: then its end is not the service's."""
        return urn in self._desired or urn.partition("~")[0] in self._desired

    def _built_for(self, urn: str) -> Sequence[str]:
        """The services that an image's resource is built for."""
        resource = self._desired.get(urn)
        return self._images.get(str(resource.inputs.get("reference", "")), ()) if resource and not resource.main else ()

    def _how(self, urn: str) -> str:
        """How a service that is ready came to be so, in a few words: its type's, if it has any."""
        record = self._state.recorded.get(urn)
        return str(record.outputs.get("detail", "")) if record and record.outputs.get("detail") else "healthy"

    def _change(self, service: str, state: ServiceState, detail: str = "") -> None:
        self._states[service] = state
        self._tell(ServiceChanged(service=service, state=state, detail=detail))

    def _tell_endpoints(self, urn: str) -> None:
        record = self._state.recorded.get(urn)
        listed: Json = record.outputs.get("endpoints", ()) if record else ()
        for each in listed or ():
            url = str(each["url"])
            if record and (record.service, url) not in self._endpoints:
                self._endpoints.add((record.service, url))
                port, public = int(each.get("port", 0)), bool(each.get("public", True))
                self._tell(EndpointFound(service=record.service, url=url, port=port, public=public))


def _first_words(cause: str) -> str:
    return cause if len(cause) <= 60 else cause[:59] + "…"
