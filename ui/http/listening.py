"""Sockets that listen where ``--host`` says: one for each address that it stands for, all on one port.

``::`` is every address of this machine, of IPv6 and IPv4. An IPv6 socket could take IPv4 as well, but then every sender of IPv4
would appear under an IPv6 address (``::ffff:192.0.2.1``), and what goes by addresses would no longer know it.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from engine.errors import PortUnavailableError, first_line

IPV4, IPV6 = "0.0.0.0", "::"  # noqa: S104 - what a person asks for
EVERY_ADDRESS = frozenset({IPV4, IPV6})
LOCALHOST = "localhost"
_BACKLOG = 128
#: Times that a free port is looked for which is free for both families.
_ATTEMPTS = 20
#: What a machine says that has not one of the two families, or no address of it.
_NOT_HERE = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})

_log = logging.getLogger(__name__)


@contextmanager
def listening(host: str, port: int) -> Iterator[list[socket.socket]]:
    """The sockets, closed at the end; ``port`` 0 takes a free one. Raises PortUnavailableError where it cannot be listened on."""
    with ExitStack() as opened:
        try:
            sockets = _opened(host, port)
        except OSError as error:
            raise PortUnavailableError(host=host, port=port, reason=error.strerror or first_line(error)) from error
        for one in sockets:
            opened.enter_context(one)
        yield sockets


def _opened(host: str, port: int) -> list[socket.socket]:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _opened_together(_addresses(host, port), port)
        except OSError as error:
            if port or error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    """What the name stands for: of ``localhost`` all that this machine says, of any other name the first, as connecting to it would."""
    if host == IPV6:
        return [(socket.AF_INET6, IPV6), (socket.AF_INET, IPV4)]
    found: list[tuple[socket.AddressFamily, str]]
    found = [(family, str(address[0])) for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    return list(dict.fromkeys(found)) if host == LOCALHOST else found[:1]


def _opened_together(addresses: list[tuple[socket.AddressFamily, str]], port: int) -> list[socket.socket]:
    """A socket for each address that this machine has; OSError where it has none, or where one of them is taken."""
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            number = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(socket.create_server((address, number), family=family, backlog=_BACKLOG))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
                if len(addresses) > 1:
                    _log.warning("not listening on %s: %s", address, error.strerror)
    except OSError:
        for one in sockets:
            one.close()
        raise
    if not sockets and missing is not None:
        raise missing
    return sockets
