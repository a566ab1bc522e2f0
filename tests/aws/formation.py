"""CloudFormation stacks that take their time: resource after resource with its events, rolled back when one fails.

moto makes all in one call; a failure there is an error of the call that leaves what was made; and to look at a stack makes what
it lacks. What a test wants to fail is named beforehand (`fail`: logical id → reason).
Source of states: AWS CloudFormation user guide, "Stack status codes" and "DeletionPolicy attribute".
"""

from __future__ import annotations

import graphlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

from moto.cloudformation import models, responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import ResourceMap

_SUB = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.[^}]*)?\}")
_SETTLED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_KEPT = ("Retain", "RetainExceptOnCreate")


class Formation:
    """`pace`: seconds that each resource takes, asked anew for each."""

    def __init__(self, pace: Callable[[], float]) -> None:
        self._pace = pace
        self._stop = threading.Event()
        self._given = threading.local()
        self.fail: dict[str, str] = {}
        self._patch()

    def clear(self) -> None:
        """Leave what is under way where it is."""
        self._stop.set()
        self._stop = threading.Event()
        self.fail = {}

    def _patch(self) -> None:
        stack, backend, request = models.Stack, models.CloudFormationBackend, responses.CloudFormationResponse
        outputs, exports, create, update = stack.outputs.fget, stack.exports.fget, request.create_stack, request.update_stack

        def create_stack(own: Any) -> Any:
            kept = own._get_bool_param("DisableRollback") or own._get_param("OnFailure") == "DO_NOTHING"
            self._given.disable_rollback = bool(kept)
            return create(own)

        def update_stack(own: Any) -> Any:
            found = own.cloudformation_backend.get_stack(own._get_param("StackName"))
            if found.status not in (*_SETTLED, "UPDATE_ROLLBACK_FAILED"):
                raise ValidationError(message=f"Stack:{found.stack_id} is in {found.status} state and can not be updated.")
            return update(own)

        stack.create_resources = lambda own: self._begin(self._create, own, self._given.disable_rollback)
        stack.update = lambda own, template, role_arn=None, parameters=None, tags=None: self._begin(
            self._update, own, template, parameters, tags
        )
        stack.outputs = property(lambda own: outputs(own) if own.status in _SETTLED else None)
        stack.exports = property(lambda own: exports(own) if own.status in _SETTLED else [])
        stack.stack_resources = property(lambda own: _made(own.resource_map).values())
        backend.delete_stack = lambda own, name: self._delete_stack(own, name)
        request.create_stack, request.update_stack = create_stack, update_stack

    def _delete_stack(self, backend: Any, name: str) -> None:
        found = next((each for each in backend.stacks.values() if name in (each.name, each.stack_id)), None)
        if found is None or found.status == "DELETE_IN_PROGRESS":
            return
        if found.enable_termination_protection:
            raise ValidationError(message=f"Stack [{found.name}] cannot be deleted while TerminationProtection is enabled")
        self._begin(self._delete, found, backend)

    def _begin(self, do: Callable[..., None], stack: Any, *more: Any) -> None:
        what = {"_create": "CREATE", "_update": "UPDATE", "_delete": "DELETE"}[do.__name__]
        _become(stack, f"{what}_IN_PROGRESS", "User Initiated", told=what != "CREATE")  # moto tells that one
        threading.Thread(target=do, args=(self._stop, stack, *more), daemon=True).start()

    def _create(self, stop: threading.Event, stack: Any, disable_rollback: bool) -> None:
        failed = ""
        for name in _order(stack.template_dict):
            if stop.wait(self._pace()):
                return
            if failed := self._make(stack, name):
                break
        if not failed:
            _become(stack, "CREATE_COMPLETE")
            return
        why = f"The following resource(s) failed to create: [{failed}]."
        if disable_rollback:
            _become(stack, "CREATE_FAILED", why)
            return
        _become(stack, "ROLLBACK_IN_PROGRESS", f"{why} Rollback requested by user.")
        left = self._unmake(stop, stack, kept=("Retain",))
        _become(stack, "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE", _could_not(left))

    def _make(self, stack: Any, name: str) -> str:
        """Make one resource; its name if that failed."""
        _tell(stack, name, "CREATE_IN_PROGRESS")
        try:
            if name in self.fail:
                raise ValueError(self.fail[name])
            _ = stack.resource_map[name]  # None for a type that moto does not know: taken as made
        except Exception as problem:  # noqa: BLE001 whatever a service refuses is the reason of the failure
            _tell(stack, name, "CREATE_FAILED", str(problem))
            return name
        _tell(stack, name, "CREATE_COMPLETE")
        return ""

    def _unmake(self, stop: threading.Event, stack: Any, kept: tuple[str, ...], *, only: set[str] | None = None) -> list[str]:
        """Delete what was made, in reverse, again for as long as that helps; the names of what is left."""
        template = stack.resource_map._resource_json_map
        made = _made(stack.resource_map)
        names = [
            each for each in reversed(list(_order({"Resources": template}))) if each in made and (only is None or each in only)
        ]
        for name in [each for each in names if template[each].get("DeletionPolicy") in kept]:
            _tell(stack, name, "DELETE_SKIPPED")
            names.remove(name)
        reasons: dict[str, str] = {}
        while names:
            before = list(names)
            for name in before:
                if stop.wait(self._pace()):
                    return names
                _tell(stack, name, "DELETE_IN_PROGRESS")
                try:
                    stack.resource_map._delete_resource(made[name], template[name])
                except Exception as problem:  # noqa: BLE001 whatever a service refuses is the reason
                    reasons[name] = str(problem)
                    continue
                stack.resource_map._parsed_resources.pop(name, None)
                _tell(stack, name, "DELETE_COMPLETE")
                names.remove(name)
            if names == before:
                break
        for name in names:
            _tell(stack, name, "DELETE_FAILED", reasons[name])
        return names

    def _update(self, stop: threading.Event, stack: Any, template: str, parameters: Any, tags: Any) -> None:
        before = stack.template, stack.parameters
        new = stack.parse_template(template)
        changes = stack.resource_map.build_resource_diff(new, parameters)
        words = {"Add": "CREATE", "Modify": "UPDATE", "Remove": "DELETE"}
        told = [(name, words[kind]) for kind in ("Add", "Modify", "Remove") for name in changes[kind]]
        try:
            for name, word in told:
                if stop.wait(self._pace()):
                    return
                _tell(stack, name, f"{word}_IN_PROGRESS", template=new if word == "CREATE" else None)
                if name in self.fail:
                    raise ValueError(self.fail[name])
            _take(stack, template, parameters)
            for name, word in told:
                _tell(stack, name, f"{word}_COMPLETE", template=new if word == "CREATE" else None)
        except Exception as problem:  # noqa: BLE001 whatever a service refuses is the reason
            _tell(stack, name, f"{word}_FAILED", str(problem), template=new)
            _become(stack, "UPDATE_ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to update: [{name}].")
            stop.wait(self._pace())
            if stack.template != before[0]:
                _take(stack, *before)
            _become(stack, "UPDATE_ROLLBACK_COMPLETE")
            return
        stack.tags = stack.tags if tags is None else tags
        _become(stack, "UPDATE_COMPLETE")

    def _delete(self, stop: threading.Event, stack: Any, backend: Any) -> None:
        left = self._unmake(stop, stack, _KEPT)
        if left:
            _become(stack, "DELETE_FAILED", _could_not(left))
            return
        for name in [key for key, each in backend.exports.items() if each.exporting_stack_id == stack.stack_id]:
            backend.exports.pop(name)
        backend.stacks.pop(stack.stack_id, None)
        backend.deleted_stacks[stack.stack_id] = stack
        _become(stack, "DELETE_COMPLETE")


def _take(stack: Any, template: str, parameters: Any) -> None:
    stack.template = template
    stack._parse_template()
    stack.resource_map.update(stack.template_dict, parameters)
    stack.output_map = stack._create_output_map()
    stack.parameters = parameters or stack.parameters


def _become(stack: Any, status: str, reason: str | None = None, *, told: bool = True) -> None:
    stack.status = status
    if told:
        stack._add_stack_event(status, resource_status_reason=reason)


def _could_not(left: list[str]) -> str | None:
    return f"The following resource(s) failed to delete: [{', '.join(left)}]." if left else None


def _tell(stack: Any, name: str, status: str, reason: str | None = None, *, template: dict[str, Any] | None = None) -> None:
    made = _made(stack.resource_map).get(name)
    kind = (template or {}).get("Resources", {}).get(name) or stack.resource_map._resource_json_map.get(name) or {}
    event = models.Event(
        stack_id=stack.stack_id,
        stack_name=stack.name,
        logical_resource_id=name,
        physical_resource_id=str(getattr(made, "physical_resource_id", "") or ""),
        resource_type=kind.get("Type", ""),
        resource_status=status,
        resource_status_reason=reason,
        resource_properties=None,
    )
    stack.events.append(event)


def _made(resources: ResourceMap) -> dict[str, Any]:
    """What is there by now, with none made by looking."""
    return {
        name: resources._parsed_resources[name] for name in resources._resource_json_map if name in resources._parsed_resources
    }


def _order(template: dict[str, Any]) -> Iterator[str]:
    """Resources, each after those that it names."""
    resources = template["Resources"]
    sorter: graphlib.TopologicalSorter[str] = graphlib.TopologicalSorter()
    for name, each in resources.items():
        depends = each.get("DependsOn", [])
        named = {*([depends] if isinstance(depends, str) else depends), *_named(each.get("Properties", {}))}
        sorter.add(name, *(other for other in sorted(named) if other in resources and other != name))
    return sorter.static_order()


def _named(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield from _named(each)
    elif isinstance(value, dict):
        match value:
            case {"Ref": str(name)}:
                yield name
            case {"Fn::GetAtt": str(text)}:
                yield text.partition(".")[0]
            case {"Fn::GetAtt": [name, *_]}:
                yield name
            case {"Fn::Sub": str(text)} | {"Fn::Sub": [str(text), *_]}:
                yield from _SUB.findall(text)
        for each in value.values():
            yield from _named(each)
