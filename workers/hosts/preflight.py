"""What must hold before the first change, judged from what was observed. Pure; each refusal says what to do."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.errors import Permanent
from rules.plans import StepKind
from workers.hosts.processes import RunsFrom, runs_from
from workers.hosts.reports import Unit

if TYPE_CHECKING:
    from rules.inventory import Service
    from rules.observations import Observation, ReleaseSeen
    from rules.plans import Plan

_LEAST_BYTES = 1 << 20
_LEAST_INODES = 16


def check(plan: Plan, service: Service, seen: Observation) -> None:
    """Raise `Permanent` with the first thing that stands in the way."""
    _check_release(plan, service, seen)
    _check_rights(service, seen)
    _check_disk(service, seen)
    _check_start(plan, service, seen)


def check_sudo(refused: set[str]) -> None:
    """Raise `Permanent` if sudo refuses what the restart asks for."""
    if refused:
        lines = "; ".join(sorted(refused))
        message = f"sudo does not let us run: {lines}. Allow exactly these in a sudoers file (NOPASSWD)"
        raise Permanent(Reason.RIGHTS_MISSING, message)


def _check_release(plan: Plan, service: Service, seen: Observation) -> None:
    name, path = plan.to_release, posixpath.join(service.releases, plan.to_release)
    release = next((release for release in seen.releases if release.name == name), None)
    if name == seen.running:
        raise Permanent(Reason.RELEASE_CURRENT, f"{name} is what runs already: name another release")
    if not service.admits(name):
        message = f"{name!r} is not what a release of {service.name} is called: correct the name, or `pattern:`"
        raise Permanent(Reason.RELEASE_NOT_ALLOWED, message)
    if release is None:
        message = f"{path} is not there: name one of {_names(seen)}, or bring the release back"
        raise Permanent(Reason.RELEASE_MISSING, message)
    _check_whole(release, service, path)


def _check_whole(release: ReleaseSeen, service: Service, path: str) -> None:
    if not release.allowed:
        message = (
            f"{release.name} is not on the whitelist of {service.name}: add it in the inventory, or choose another"
        )
        raise Permanent(Reason.RELEASE_NOT_ALLOWED, message)
    if not release.complete:
        message = f"{path} lacks {service.complete}: its deploy did not end; deploy it again, or choose another"
        raise Permanent(Reason.RELEASE_INCOMPLETE, message)
    if not release.executable:
        message = f"{service.executable or path} of {release.name} is not executable: mend it, or choose another"
        raise Permanent(Reason.RELEASE_NOT_EXECUTABLE, message)


def _names(seen: Observation) -> str:
    return ", ".join(release.name for release in seen.releases[-5:]) or "(there is none)"


def _check_rights(service: Service, seen: Observation) -> None:
    if missing := _listed(seen, "tools_missing"):
        message = f"the host lacks {', '.join(missing)}: install GNU coreutils and util-linux"
        raise Permanent(Reason.TARGET_MISCONFIGURED, message)
    if read_only := _listed(seen, "read_only"):
        message = f"{' and '.join(read_only)} cannot be written by us: let the deploying user write there"
        raise Permanent(Reason.RIGHTS_MISSING, message)
    if service.restart.unit and _unit(seen) is None:
        message = f"systemd tells nothing of {service.restart.unit}: is systemd running on this host?"
        raise Permanent(Reason.TARGET_MISCONFIGURED, message)


def _listed(seen: Observation, name: str) -> list[str]:
    value = seen.details.get(name)
    return [str(item) for item in value] if isinstance(value, list) else []


def _check_disk(service: Service, seen: Observation) -> None:
    where = posixpath.dirname(service.current)
    free, inodes = seen.details.get("disk_free_bytes"), seen.details.get("inodes_free")
    if isinstance(free, int) and free < _LEAST_BYTES:
        message = f"only {free} bytes are free where {where} is: make room"
        raise Permanent(Reason.DISK_FULL, message)
    if isinstance(inodes, int) and inodes < _LEAST_INODES:
        raise Permanent(Reason.DISK_FULL, f"only {inodes} inodes are free where {where} is: make room")


def _check_start(plan: Plan, service: Service, seen: Observation) -> None:
    unit = _unit(seen)
    if unit is None:
        if not service.health or not service.health.url:
            message = (
                f"nothing could tell whether {service.name} runs: give it `health: {{url: …}}` in the inventory"
            )
            raise Permanent(Reason.TARGET_MISCONFIGURED, message)
        return
    name = service.restart.unit
    if unit["LoadState"] != "loaded":
        message = f"{name} is {unit['LoadState'] or 'unknown to systemd'}: correct `restart:` in the inventory"
        raise Permanent(Reason.TARGET_MISCONFIGURED, message)
    health = next(step.values for step in plan.steps if step.kind is StepKind.HEALTH)
    place = {key: str(health[key]) for key in ("releases", "release", "current")}
    if service.restart.kind == "systemd" and runs_from(unit, **place) is RunsFrom.UNTOLD:
        message = (
            f"{name} does not run from {service.current} as far as can be seen, so a switch would change nothing: "
            f"name {service.current} in its ExecStart= or WorkingDirectory="
        )
        raise Permanent(Reason.TARGET_MISCONFIGURED, message)


def _unit(seen: Observation) -> Unit | None:
    facts = seen.details.get("unit")
    return Unit.from_facts(facts) if isinstance(facts, dict) else None
