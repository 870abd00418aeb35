"""What going back takes, step by step, as values. Pure: the same observation gives the same plan."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rules.decisions import Reason
from rules.errors import Permanent
from rules.plans import Plan, Step, StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.inventory import Host, Restart, Service
    from rules.observations import Observation


@dataclass(frozen=True, slots=True)
class Params:
    """What the rule says about how to carry a rollback out."""

    evidence_logs_s: float = 1800.0
    healthy_within_s: float = 300.0
    steady_s: float = 10.0


@dataclass(frozen=True, slots=True)
class _Way:
    """One switch: from the link as it was seen to another text in it."""

    seen: Mapping[str, str]
    target: str
    name: str
    back_to: str


def make_plan(
    instance: str, service: Service, host: Host, params: Params, seen: Observation, to_release: str
) -> Plan:
    """Say what going back to `to_release` takes."""
    link = _link(seen)
    way = _Way(link, link_text(link["target"], service, to_release), to_release, link["target"])
    steps = (
        *_stop(service, "drain", "drain"),
        _switch(service, way),
        *_start(service, host, params, way),
        _keep_stable(service, way),
    )
    return Plan(instance, seen.running, to_release, seen.arrival, steps)


def make_way_back(plan: Plan, service: Service, host: Host, params: Params, seen: Observation) -> Plan:
    """Say what undoing `plan` takes, from where it stands now.

    Only while the target still is what the plan made it, or what it was before: anything else is somebody's work.
    """
    switched = next(step for step in plan.steps if step.kind is StepKind.SWITCH).values
    before = cast("Mapping[str, str]", switched["planned"])
    link = _link(seen)
    if link["target"] not in (switched["target"], before["target"]):
        message = f"{service.current} now points to {link['target']}, which is not our doing: decide by hand"
        raise Permanent(Reason.CHANGED_MEANWHILE, message)
    old = before["target"]
    way = _Way(link, old, plan.from_release or old, link["target"])
    steps = _start(service, host, params, way, undrained="undrain-again")
    if link["target"] != old:
        steps = (_switch(service, way), *steps)
    return Plan(plan.instance, seen.running, way.name, seen.arrival, steps)


def link_text(old: str, service: Service, release: str) -> str:
    """Return what the link will say: relative stays relative, absolute stays absolute."""
    parent = posixpath.dirname(old.rstrip("/"))
    base = posixpath.dirname(service.current)
    releases = posixpath.normpath(service.releases)
    if posixpath.normpath(posixpath.join(base, parent)) == releases:
        return posixpath.join(parent, release)
    path = posixpath.join(releases, release)
    return path if old.startswith("/") else posixpath.relpath(path, base)


def release_path(current: str, target: str) -> str:
    """Return the absolute path of what a link says."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(current), target))


def _switch(service: Service, way: _Way) -> Step:
    return Step(
        StepKind.SWITCH,
        does=f"point {service.current} at {way.target}",
        way_back=f"point {service.current} at {way.back_to} again",
        values={
            "current": service.current,
            "target": way.target,
            "release": release_path(service.current, way.target),
            "name": way.name,
            "planned": dict(way.seen),
        },
    )


def _start(
    service: Service, host: Host, params: Params, way: _Way, *, undrained: str = "undrain"
) -> tuple[Step, ...]:
    """Say how the release is started; `undrained` is the note by which a host knows that it was done already."""
    into_rotation = _stop(service, "undrain", undrained)
    return (_restart(service, way), _health(service, host, params, way), *into_rotation)


def _restart(service: Service, way: _Way) -> Step:
    restart = service.restart
    does = describe_restart(restart)
    return Step(
        StepKind.RESTART,
        does=does,
        way_back=f"{does} again, after the link has gone back",
        values={
            "current": service.current,
            "target": way.target,
            "name": way.name,
            "kind": str(restart.kind),
            "unit": restart.unit,
            "signal": restart.signal,
            "path": restart.path,
            "argv": list(restart.argv or ()),
        },
    )


def describe_restart(restart: Restart) -> str:
    """Say in a few words how the service is made to take up a release."""
    match str(restart.kind):
        case "systemd":
            return f"restart {restart.unit}"
        case "reload":
            return f"reload {restart.unit}"
        case "signal":
            return f"send SIG{restart.signal} to {restart.unit or f'the process in {restart.path}'}"
        case "marker":
            return f"replace the marker {restart.path}"
        case _:
            return f"run {' '.join(restart.argv or ())}"


def _health(service: Service, host: Host, params: Params, way: _Way) -> Step:
    health = service.health
    url = url_at(health.url, host) if health and health.url else None
    steady_s = max(params.steady_s, health.for_s if health and health.systemd else 0)
    within_s = min(params.healthy_within_s, health.within_s) if health else params.healthy_within_s
    what = url or service.restart.unit or "nothing"
    return Step(
        StepKind.HEALTH,
        does=f"see {what} healthy within {within_s:g} s, and so for {steady_s:g} s",
        way_back="nothing to take back: it only looks",
        values={
            "current": service.current,
            "releases": service.releases,
            "release": release_path(service.current, way.target),
            "name": way.name,
            "kind": str(service.restart.kind),
            "unit": service.restart.unit,
            "url": url,
            "within_s": within_s,
            "steady_s": steady_s,
        },
    )


def url_at(url: str, host: Host) -> str:
    """Return a URL of the inventory as it is for one host."""
    address = host.address
    bracketed = f"[{address}]" if ":" in address and not address.startswith("[") else address
    return url.replace("{address}", bracketed)


def _keep_stable(service: Service, way: _Way) -> Step:
    note = posixpath.join(posixpath.dirname(service.current), "last_stable")
    return Step(
        StepKind.KEEP_STABLE,
        does=f"write {way.name} into {note}",
        way_back="nothing to take back: it is a note for people",
        values={"current": service.current, "target": way.target, "name": way.name},
    )


def _stop(service: Service, name: str, note: str) -> tuple[Step, ...]:
    stop = service.stop
    argv = getattr(stop, name) if stop else None
    if stop is None or not argv:
        return ()
    other = " ".join(stop.undrain or ()) if name == "drain" else " ".join(stop.drain)
    return (
        Step(
            StepKind(name),
            does=f"run {' '.join(argv)}",
            way_back=f"run {other}" if other else "nothing is configured that would take it back",
            values={"current": service.current, "note": note, "argv": list(argv), "within_s": stop.within_s},
            deadline_s=float(stop.within_s),
        ),
    )


def _link(seen: Observation) -> Mapping[str, str]:
    return cast("Mapping[str, str]", seen.details["link"])
