"""Put on a service's PYTHONPATH: servers that bind to their container port get the port (and the loopback address) meant here.

`DEFANG_NB_PORTS` is `target:here,…`; `DEFANG_NB_BIND` is the address that stands for "every address".
"""

import os
import socket


def _install() -> None:
    pairs = [pair.split(":") for pair in os.environ.get("DEFANG_NB_PORTS", "").split(",") if pair]
    here = {int(target): int(port) for target, port in pairs}
    ours = set(here.values())
    everywhere = os.environ.get("DEFANG_NB_BIND", "")
    plain_bind = socket.socket.bind

    def bind(self, address):  # type: ignore[no-untyped-def]
        if self.family == socket.AF_INET and isinstance(address, tuple) and len(address) == 2:
            host, port = address
            if port in here and port not in ours:
                port = here[port]
            if everywhere and port in ours and host in ("", "0.0.0.0"):  # noqa: S104 - it is what is replaced
                host = everywhere
            address = (host, port)
        elif self.family == socket.AF_INET6 and isinstance(address, tuple) and address[1] in here and address[1] not in ours:
            address = (address[0], here[address[1]], *address[2:])
        return plain_bind(self, address)

    socket.socket.bind = bind  # type: ignore[method-assign]


if os.environ.get("DEFANG_NB_PORTS"):
    _install()
