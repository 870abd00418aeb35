"""From an instance's identity to a driver that can reach it."""

from __future__ import annotations

import posixpath
import time
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from workers.hosts.driver import HostDriver
from workers.hosts.local import Local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rules.instances import HostInstance
    from rules.inventory import Host, Inventory, Service
    from workers.hosts.connection import Connection
    from workers.hosts.plan import Params


def reach(
    instance: HostInstance,
    inventory: Inventory,
    rule_params: Params,
    rollback_id: str,
    *,
    clock: Callable[[], float] = time.time,
) -> HostDriver:
    """Return the driver of one instance. A host over SSH is connected to when it is first asked for something."""
    service = inventory.services.get(instance.service)
    if service is None or instance.inventory != inventory.name:
        message = (
            f"the inventory has no service {instance.service!r} any more: put it back, or cancel the rollback"
        )
        raise Permanent(Reason.SERVICE_UNKNOWN, message)
    host = next((host for host in service.hosts if host.name == instance.host), None)
    if host is None:
        message = f"{service.name} has no host {instance.host!r} any more: put it back, or cancel the rollback"
        raise Permanent(Reason.HOST_UNKNOWN, message)
    _check_own_directory(service, host, inventory)
    at_host, connection = service.at(host), _connect(host, inventory)
    return HostDriver(connection, instance, at_host, host, rule_params, rollback_id, clock=clock)


def _connect(host: Host, inventory: Inventory) -> Connection:
    if inventory.local:
        return Local()
    if inventory.ssh is None:
        message = "the inventory says neither `ssh:` nor `connection: local`: say how hosts are reached"
        raise Permanent(Reason.TARGET_MISCONFIGURED, message)
    from workers.hosts.ssh import SshConnection  # noqa: PLC0415 - a local controller needs no SSH in memory

    return SshConnection(host, inventory.ssh)


def _check_own_directory(service: Service, host: Host, inventory: Inventory) -> None:
    """Two links in one directory would share a lock and a fence, and refuse each other's rollbacks."""
    place = posixpath.dirname(service.current)
    for other, neighbour in _all(inventory):
        if neighbour.address != host.address and not inventory.local:
            continue
        theirs = other.at(neighbour).current
        if theirs != service.current and posixpath.dirname(theirs) == place:
            message = f"{service.current} and {theirs} are in one directory: give each a directory of its own"
            raise Permanent(Reason.TARGET_MISCONFIGURED, message)


def _all(inventory: Inventory) -> Iterator[tuple[Service, Host]]:
    for service in inventory.services.values():
        for host in service.hosts:
            yield service, host
