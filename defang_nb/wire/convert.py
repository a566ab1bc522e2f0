"""model ↔ wire, generically: one walk over a message's descriptor for each direction, no copying of fields by hand.

A message field and the struct field of the same name hold the same thing. What differs: enums (`Stage.PLANNING` is
`STAGE_PLANNING` on the wire), times (epoch seconds are a Timestamp), an event's payload (a oneof, named as the payload's tag),
and the few `bytes` fields, which hold a struct's canonical JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import Enum, auto
from functools import cache
from typing import Any, TypeVar

import msgspec
from google.protobuf.message import Message

from defang_nb.model.events import Event
from defang_nb.model.request import DeployRequest
from defang_nb.wire.generated import cd_pb2 as pb

_TIMESTAMP = "google.protobuf.Timestamp"
_JSON = msgspec.json.Encoder(order="deterministic")
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def event_to_wire(event: Event) -> pb.Event:
    plain = msgspec.to_builtins(event)
    payload = plain.pop("payload")
    plain[payload.pop("type")] = payload
    return _fill(pb.Event(), plain)


def event_from_wire(message: pb.Event) -> Event:
    """Raises `ValueError` for an event that this version does not know."""
    plain = _plain(message)
    tag = message.WhichOneof("payload")
    plain["payload"] = {"type": tag, **plain.pop(tag or "", {})}
    return _convert(plain, Event)


def event_to_json(event: Event) -> str:
    """The proto's JSON mapping, on one line."""
    from google.protobuf import json_format

    return json_format.MessageToJson(event_to_wire(event), indent=None, ensure_ascii=False)


def event_from_json(line: str | bytes) -> Event:
    """Raises `ValueError` for what is no event; fields that a newer version added are left out."""
    from google.protobuf import json_format

    try:
        return event_from_wire(json_format.Parse(line, pb.Event(), ignore_unknown_fields=True))
    except json_format.ParseError as error:
        raise ValueError(str(error)) from None


def request_to_wire(request: DeployRequest) -> pb.DeployRequest:
    plain = msgspec.to_builtins(request)
    plain["project"] = _JSON.encode(request.project)
    plain["images"] = [_JSON.encode(image) for image in request.images]
    return _fill(pb.DeployRequest(), plain)


def request_from_wire(message: pb.DeployRequest) -> DeployRequest:
    """Raises `ValueError` for what is no request."""
    plain = _plain(message)
    try:
        plain["project"] = msgspec.json.decode(message.project)
        plain["images"] = [msgspec.json.decode(image) for image in message.images]
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    return _convert(plain, DeployRequest)


def _convert(plain: Mapping[str, Any], kind: type[_Struct]) -> _Struct:
    try:
        return msgspec.convert(plain, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None


_M = TypeVar("_M", bound=Message)


class _Kind(Enum):
    """How a field is copied."""

    SCALAR = auto()
    ENUM = auto()
    MAP = auto()
    TIMESTAMP = auto()
    MESSAGE = auto()


def _kind(field: Any) -> _Kind:
    if field.message_type is None:
        return _Kind.SCALAR if field.enum_type is None else _Kind.ENUM
    if field.message_type.GetOptions().map_entry:
        return _Kind.MAP
    return _Kind.TIMESTAMP if field.message_type.full_name == _TIMESTAMP else _Kind.MESSAGE


@cache
def _fields(descriptor: Any) -> Mapping[str, tuple[Any, _Kind]]:
    """Of a kind of message: descriptors are slow to ask, and an event asks them for each of its fields."""
    return {field.name: (field, _kind(field)) for field in descriptor.fields}


def _fill(message: _M, plain: Mapping[str, Any]) -> _M:
    """Set the fields of `message` from builtins; None is left unset."""
    fields = _fields(message.DESCRIPTOR)
    for name, value in plain.items():
        if value is None:
            continue
        field, kind = fields[name]
        if kind is _Kind.MAP:
            getattr(message, name).update(value)
        elif isinstance(value, (list, tuple)):
            _extend(getattr(message, name), field, kind, value)
        elif kind is _Kind.TIMESTAMP:
            seconds = int(value)
            getattr(message, name).seconds = seconds
            getattr(message, name).nanos = round((value - seconds) * 1e9)
        elif kind is _Kind.MESSAGE:
            getattr(message, name).SetInParent()
            _fill(getattr(message, name), value)
        else:
            setattr(message, name, _scalar(field, kind, value))
    return message


def _extend(target: Any, field: Any, kind: _Kind, values: list[Any] | tuple[Any, ...]) -> None:
    for value in values:
        if kind is _Kind.MESSAGE:
            _fill(target.add(), value)
        else:
            target.append(_scalar(field, kind, value))


def _plain(message: Message) -> dict[str, Any]:
    """The fields of `message` as builtins; an unset optional or oneof field is absent."""
    plain: dict[str, Any] = {}
    for name, (field, kind) in _fields(message.DESCRIPTOR).items():
        if field.has_presence and not message.HasField(name):
            continue
        value = getattr(message, name)
        if kind is _Kind.MAP:
            plain[name] = dict(value)
        elif kind is _Kind.TIMESTAMP:
            plain[name] = value.seconds + value.nanos * 1e-9
        elif kind is _Kind.MESSAGE:
            plain[name] = [_plain(each) for each in value] if _repeated(value) else _plain(value)
        else:
            plain[name] = [_value(field, kind, each) for each in value] if _repeated(value) else _value(field, kind, value)
    return plain


def _repeated(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _scalar(field: Any, kind: _Kind, value: Any) -> Any:
    """A model's enum value, such as `planning`, as its number on the wire; all else as it is."""
    if kind is _Kind.ENUM:
        return _numbers(field.enum_type)[value]
    if isinstance(value, str) and not value.isascii():
        # A program may write anything; what is no Unicode (a lone surrogate) can't travel.
        return value.encode("utf-8", "replace").decode("utf-8")
    return value


def _value(field: Any, kind: _Kind, value: Any) -> Any:
    return _words(field.enum_type).get(value, str(value)) if kind is _Kind.ENUM else value


@cache
def _words(enum: Any) -> Mapping[int, str]:
    """Number on the wire → the model's word. The reference's service states are upper case in the model too."""
    # `STEP_STATUS_` for `StepStatus`, as protobuf's style guide asks.
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
    words = {each.number: each.name.removeprefix(prefix) for each in enum.values}
    return words if enum.name == "ServiceState" else {number: word.lower() for number, word in words.items()}


@cache
def _numbers(enum: Any) -> Mapping[str, int]:
    return {word: number for number, word in _words(enum).items()}
