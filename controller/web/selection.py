"""Finds the instances a person means: by name, by the inventory's labels, or all of a service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from controller.web.refusals import Refusal
from rules.instances import HostInstance, Instance, WorkloadInstance, read_instance
from rules.inventory import Host, Inventory, Service
from rules.targets import Located

_MOST_LISTED = 20


def select(
    inventory: Inventory,
    service_name: str,
    *,
    instances: Sequence[str] | None,
    only: Mapping[str, str | list[str]] | None,
) -> tuple[Located, ...]:
    """Return the instances of one service that are meant, each once, in the inventory's order.

    Neither `instances` nor `only` means all. Raises a `Refusal`: 404 for an unknown service, 422 for a
    selection that names something unknown or nothing at all.
    """
    service = _service(inventory, service_name)
    hosts = [host for host in service.hosts if _carries(host, only or {})]
    if instances is not None:
        hosts = _named(inventory, service, instances)
    if not hosts:
        raise Refusal(
            422,
            f"no host of {service_name} carries these labels; its hosts: {_listed(_labelled(service.hosts))}",
            field="only",
        )
    found = (HostInstance(inventory.name, service_name, host.name) for host in hosts)
    return tuple(Located(instance, service_name) for instance in found)


def by_id(inventory: Inventory, ident: str) -> Instance:
    """Return the instance of that identity; raises a 422 `Refusal` if the inventory does not have it."""
    try:
        instance = read_instance(ident)
    except ValueError as error:
        raise Refusal(422, str(error), field="instances") from error
    if isinstance(instance, WorkloadInstance):
        return instance  # only a worker can see whether it is there
    service = _service(inventory, instance.service)
    _named(inventory, service, [ident])
    return instance


def _service(inventory: Inventory, name: str) -> Service:
    service = inventory.services.get(name)
    if service is None:
        known = _listed(sorted(inventory.services)) or "none"
        raise Refusal(404, f"the inventory has no service {name!r}; it has: {known}", field="service")
    return service


def _named(inventory: Inventory, service: Service, names: Iterable[str]) -> list[Host]:
    known: dict[str, Host] = {}
    for host in service.hosts:
        known[host.name] = host
        known[HostInstance(inventory.name, service.name, host.name).id] = host
    found: dict[str, Host] = {}
    for name in names:
        if name not in known:
            hosts = _listed(host.name for host in service.hosts)
            raise Refusal(422, f"{service.name} has no instance {name!r}; it has: {hosts}", field="instances")
        found[known[name].name] = known[name]
    return list(found.values())


def _carries(host: Host, only: Mapping[str, str | list[str]]) -> bool:
    for label, wanted in only.items():
        values = [wanted] if isinstance(wanted, str) else wanted
        if host.labels.get(label) not in values:
            return False
    return True


def _labelled(hosts: Iterable[Host]) -> Iterable[str]:
    for host in hosts:
        labels = ", ".join(f"{name}={value}" for name, value in sorted(host.labels.items()))
        yield f"{host.name} ({labels or 'no labels'})"


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more
