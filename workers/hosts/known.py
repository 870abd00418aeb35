"""Whether a step is what the inventory says of its instance today: nothing else is run on a host. Pure.

A plan comes from Redis where another worker made it, and may be another's by then than any worker's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from rules.plans import StepKind
from workers.hosts.plan import url_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.inventory import Host, Service
    from rules.plans import Step


def require_known(step: Step, service: Service, host: Host) -> None:
    """Raise `Permanent` unless every path, unit, command and address of a step is the inventory's own."""
    known = _known(step.kind, service, host)
    other = sorted(name for name, value in known.items() if step.values.get(name) != value)
    if other:
        named = ", ".join(f"`{name}`" for name in other)
        message = (
            f"the step {step.kind} is not what the inventory says of {service.name} on {host.name} now ({named}), "
            "and was not done. Where the inventory was changed meanwhile, look at the target and finish by hand; "
            "where nobody did, somebody wrote into Redis. Then cancel this rollback"
        )
        raise Permanent(Reason.INVENTORY_CHANGED, message)


def _known(kind: StepKind, service: Service, host: Host) -> Mapping[str, object]:
    restart, health, stop = service.restart, service.health, service.stop
    how: dict[str, object] = {}
    match kind:
        case StepKind.RESTART:
            how = {"kind": str(restart.kind), "unit": restart.unit, "signal": restart.signal}
            how |= {"path": restart.path, "argv": list(restart.argv or ())}
        case StepKind.HEALTH:
            url = url_at(health.url, host) if health and health.url else None
            how = {"releases": service.releases, "kind": str(restart.kind), "unit": restart.unit, "url": url}
        case StepKind.DRAIN:
            how = {"argv": list(stop.drain) if stop else None}
        case StepKind.UNDRAIN:
            how = {"argv": list(stop.undrain) if stop and stop.undrain else None}
        case _:
            pass
    return {"current": service.current, **how}
