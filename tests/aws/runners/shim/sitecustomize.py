"""Loaded at the start of each task that is run as a process: where it says "all addresses", that is its own one.

A task on Fargate has its network interface to itself; here each has an address of the loopback network.
"""

import os
import socket

OWN = os.environ.get("SIMULATED_ADDRESS", "")
ALL = ("0.0.0.0", "", "::")


class _Socket(socket.socket):
    def bind(self, address):
        if OWN and isinstance(address, tuple) and address[0] in ALL and self.family == socket.AF_INET:
            address = (OWN, *address[1:])
        return super().bind(address)


def _own(address):
    host, _, port = address.rpartition(":")
    return f"{OWN}:{port}" if host.strip("[]") in ALL else address


def _patch_grpc():
    try:
        import grpc._server
        import grpc.aio._server
    except ImportError:
        return
    for server in (grpc._server._Server, grpc.aio._server.Server):
        insecure, secure = server.add_insecure_port, server.add_secure_port
        server.add_insecure_port = lambda self, address, add=insecure: add(self, _own(address))
        server.add_secure_port = lambda self, address, credentials, add=secure: add(self, _own(address), credentials)


if OWN:
    socket.socket = _Socket
    _patch_grpc()
