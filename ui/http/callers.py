"""Who sent a request, for fair queueing and for limits: the person or key that was authenticated, else the address it came from."""

from __future__ import annotations

import ipaddress

from starlette.requests import HTTPConnection
from starlette.types import Scope

#: Where ui/http/access/authentication.py notes the authenticated caller in a request's scope.
CALLER = "lightvoice.caller"
_IPV6_NETWORK_BITS = 64


def caller_of(request: HTTPConnection) -> str:
    """A word for the sender that is the same for all its requests."""
    return str(request.scope.get(CALLER) or address_of(request.scope))


def address_of(scope: Scope) -> str:
    """The sender's address; of IPv6 its network, for one machine has a whole one to itself."""
    client = scope.get("client")
    if not client:
        return "unknown"
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return str(client[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_NETWORK_BITS), strict=False).network_address)
    return str(address)


def is_loopback(host: str) -> bool:
    """Whether a name or an address stands for this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
