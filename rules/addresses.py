"""Addresses of hosts, as alerts and inventories write them."""

from __future__ import annotations

import re
from ipaddress import ip_address

_BRACKETED = re.compile(r"\[([^\[\]]+)\](?::[0-9]+)?")
_WITH_PORT = re.compile(r"([^:]+):[0-9]+")


def without_port(value: str) -> str:
    """Cut a port off, but nothing off an IPv6 address, which is full of colons."""
    found = _BRACKETED.fullmatch(value) or _WITH_PORT.fullmatch(value)
    return found[1] if found else value


def canonical(address: str) -> str:
    """Write an IP address in its one short form, without brackets; leave a name as it is."""
    try:
        return str(ip_address(without_port(address) if address.startswith("[") else address))
    except ValueError:
        return address
