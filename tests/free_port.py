"""A port for a server that has to be told one; whoever can, takes port 0 and says which it became."""

from __future__ import annotations

import random
import socket

#: Linux gives ports from 32768 on to whoever asks for any, so that another process may have one of those before our server listens on it.
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
