"""A port for a server that has to be told one; whoever can, takes port 0 and says which it became."""

from __future__ import annotations

import random
import socket

#: Below those that Linux gives whoever asks for any, 32768 and more: one of these may be another process's by the time our server listens.
PORTS = range(20_000, 30_000)
_RANDOM = random.SystemRandom()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    while True:
        port = _RANDOM.choice(PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
