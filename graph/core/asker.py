"""Who uses what: the key under which an asker's requests, cost and open streams are counted."""

from collections.abc import Hashable, Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from app.identity.principals import Principal


def address_of(scope: Mapping[str, Any]) -> str:
    """The client's address; of an IPv6 address the network, for a customer has one of many addresses."""
    client = scope.get("client")
    return network_of(client[0]) if client else ""


def network_of(host: str) -> str:
    if ":" not in host:
        return host
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))


def asker_of(principal: Principal, address: str) -> Hashable:
    """The key or person; who is neither is known by address."""
    return principal.key or principal.user or address
