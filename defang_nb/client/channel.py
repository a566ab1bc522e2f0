"""The client's end of the gRPC contract; the one file of the client that knows gRPC. Its errors never leave it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager

import grpc
import grpc.aio
import msgspec

from defang_nb.errors import CdError, NotFoundError, ProviderError, VersionMismatchError
from defang_nb.model.events import Event
from defang_nb.model.request import DeployRequest
from defang_nb.providers.base import CdAddress
from defang_nb.wire import event_from_wire, request_to_wire
from defang_nb.wire.generated import cd_pb2 as pb
from defang_nb.wire.generated import cd_pb2_grpc

PATIENCE = 10.0
"""Seconds that cd may take to answer a call that only asks or hands over."""

_MAX_MESSAGE = 64 * 1024 * 1024
"""Bytes of one message; a plan of thousands of steps is larger than gRPC's default of 4 MiB."""


class UnreachableError(CdError):
    """Nobody answers at cd's address (any more)."""


class CdInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers. `running` are the ids of the deployments that it runs."""

    protocol: int
    version: str
    stack: str
    pid: int
    running: tuple[str, ...]


class Cd:
    """A connection to one cd. All methods raise `UnreachableError` when it is gone, and other `DefangError`s as it says."""

    def __init__(self, address: CdAddress) -> None:
        self._address = address
        options: list[tuple[str, int | str]] = [
            ("grpc.max_receive_message_length", _MAX_MESSAGE),
            ("grpc.enable_http_proxy", 0),
            # A back-off after a cd that ended is not shared with the channel to the next one at the same address.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if address.keys is None:
            self._channel = grpc.aio.insecure_channel(address.target, options=options)
        else:
            keys = address.keys
            credentials = grpc.ssl_channel_credentials(keys.ca, keys.key, keys.certificate)
            # The certificate is for "localhost", wherever cd runs: its authority was made for this one launch.
            options.append(("grpc.ssl_target_name_override", "localhost"))
            self._channel = grpc.aio.secure_channel(address.target, credentials, options=options)
        self._stub = cd_pb2_grpc.CdStub(self._channel)  # type: ignore[no-untyped-call]

    async def info(self) -> CdInfo:
        with self._domain_errors():
            answer = await self._stub.GetInfo(pb.GetInfoRequest(), timeout=PATIENCE)
        return CdInfo(
            protocol=answer.protocol,
            version=answer.version,
            stack=answer.stack,
            pid=answer.pid,
            running=tuple(answer.running),
        )

    async def deploy(self, request: DeployRequest) -> None:
        """Hand it over. Doing so twice is harmless."""
        with self._domain_errors():
            await self._stub.Deploy(request_to_wire(request), timeout=6 * PATIENCE)

    async def watch(self, deployment: str, from_sequence: int) -> AsyncGenerator[Event, None]:
        """Its events, until it is over. Raises `NotFoundError` when this cd does not run it."""
        with self._domain_errors():
            call = self._stub.Watch(pb.WatchRequest(deployment=deployment, from_sequence=from_sequence))
            try:
                async for answer in call:
                    for event in answer.events:
                        yield event_from_wire(event)
            finally:
                call.cancel()

    async def cancel(self, deployment: str) -> None:
        """Raises `NotFoundError` when this cd does not run it."""
        with self._domain_errors():
            await self._stub.Cancel(pb.CancelRequest(deployment=deployment), timeout=PATIENCE)

    async def close(self) -> None:
        await self._channel.close(None)

    @contextmanager
    def _domain_errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.aio.AioRpcError as error:
            raise self._translate(error.code(), error.details() or "") from None

    def _translate(self, code: grpc.StatusCode, details: str) -> Exception:
        match code:
            case grpc.StatusCode.NOT_FOUND:
                return NotFoundError(details)
            case grpc.StatusCode.FAILED_PRECONDITION:
                return VersionMismatchError(details, hint="wait until cd is idle and has ended itself, then try again")
            case grpc.StatusCode.ABORTED:
                message, _, hint = details.partition("\n")
                return ProviderError(message, hint=hint)
            case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.DEADLINE_EXCEEDED | grpc.StatusCode.CANCELLED:
                return UnreachableError(*self._why_unreachable(details))
            case _:
                return CdError(f"cd refused the call ({code.name.lower()}): {details}")

    def _why_unreachable(self, details: str) -> tuple[str]:
        """A handshake that fails shows as an address that does not answer; say which it is, as far as one can tell."""
        if any(word in details.lower() for word in ("ssl", "tls", "handshake", "certificate")):
            return (f"cd at {self._address.target} does not take the keys of this workspace ({details})",)
        if self._address.keys is not None and "closed" in details.lower():
            return (f"cd at {self._address.target} closed the connection; it takes only the keys of its own launch",)
        return (f"cd at {self._address.target} does not answer",)
