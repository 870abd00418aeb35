"""One sweep over the hosts of an inventory: what each instance runs, since when, and whether it is well."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.ledger import Look
from rules.errors import RollbackError
from rules.instances import HostInstance
from rules.services import environment_of
from workers.hosts.plan import Params
from workers.hosts.reach import reach
from workers.scraping import targets_of

if TYPE_CHECKING:
    from rules.services import Inventory
    from workers.keeping import Keeper
    from workers.scraping import Built

_AT_ONCE = 8
"""So many hosts are looked at together; a look that hangs takes one of these places and no more."""

_SETTLED_AFTER_MS = 600_000
"""So long after a release came, Prometheus tells of no series any more that was of the one before."""

LookAt = Callable[[HostInstance, "Inventory"], Look]


def sweep(
    inventory: Inventory,
    keeper: Keeper,
    late: Sequence[str],
    within_s: float,
    *,
    look_at: LookAt | None = None,
    builds: Mapping[str, Built] | None = None,
) -> dict[str, str]:
    """Look every instance over and note what is seen; returns which could not be seen, and why.

    Those in `late`, which could not be seen before, come last: what does not answer keeps nobody else waiting.
    Whoever was not reached within the time is left for the next sweep. `builds` are what Prometheus says of
    builds, by the metric's name.
    """
    look: LookAt = look_at or look_at_host
    troubles: dict[str, str] = {}
    instances = sorted(instances_of(inventory), key=lambda one: (one.id in late, one.id))
    pool = ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="look")
    try:
        asked = {pool.submit(look, instance, inventory): instance for instance in instances}
        for done in _as_they_come(asked, within_s):
            try:
                keeper.note(_with_build(done.result(), inventory, builds or {}))
            except RollbackError as e:
                troubles[asked.pop(done).id] = str(e)
            else:
                asked.pop(done)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    keeper.write()
    keeper.strike_off({instance.id for instance in instances})
    return troubles | {left.id: f"it was not reached within {within_s:g} s" for left in asked.values()}


def instances_of(inventory: Inventory) -> Iterator[HostInstance]:
    """Yield every instance that the inventory knows."""
    for service in inventory.services.values():
        for host in service.hosts:
            yield HostInstance(inventory.name, service.name, host.name)


def place_of(inventory: Inventory) -> str:
    """Name the inventory as the roster does."""
    return f"hosts/{inventory.name}"


def look_at_host(instance: HostInstance, inventory: Inventory) -> Look:
    """Look at one instance; raises `Transient` or `Permanent` where it cannot be seen."""
    with closing(reach(instance, inventory, Params(), "", clock=time.time)) as driver:
        seen, well = driver.observe(), driver.is_well()
    service = inventory.services[instance.service]
    host = next(host for host in service.hosts if host.name == instance.host)
    content = next((one.content for one in seen.releases if one.name == seen.running), "")
    return Look(
        instance=instance.id,
        service=service.name,
        environment=environment_of(host.labels),
        place=place_of(inventory),
        names=seen.names,
        pin=seen.arrival,
        arrived=seen.arrived,
        healthy=well,
        labels=host.labels,
        platform=seen.platform,
        content=content,
        targets=targets_of(host),
    )


def _with_build(look: Look, inventory: Inventory, builds: Mapping[str, Built]) -> Look:
    """Add the words by which its metrics name what it runs; those of a moment ago are of the release before."""
    built = builds.get(inventory.services[look.service].version_metric or "", {})
    came = look.arrived
    if came is None or time.time() * 1000 - came.by_ms < _SETTLED_AFTER_MS:
        return look
    words = next((built[target] for target in look.targets if target in built), ())
    return replace(look, names=tuple(dict.fromkeys((*look.names, *words))))


def _as_they_come(asked: dict[Future[Look], HostInstance], within_s: float) -> Iterator[Future[Look]]:
    try:
        yield from as_completed(list(asked), timeout=within_s)
    except TimeoutError:
        return
