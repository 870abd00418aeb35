"""Facts from a file: what is known of instances, services, alerts and people; nothing has to be reached."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from controller.cli.failures import Failed
from rules.facts import OtherAlert
from rules.factsfile import parse_facts
from rules.reading.fileerrors import RuleFileErrors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from controller.cli.firing import Firing
    from rules.factsfile import FactsFile
    from rules.limits import Policy
    from rules.observations import Observation
    from rules.services import Inventory
    from rules.world import World


@dataclass(frozen=True, slots=True)
class Known:
    """What a facts file tells: everything, or in its short form no more than what runs where."""

    world: World | None = None
    seen: Mapping[str, Observation] | None = None


def read_facts(path: Path) -> FactsFile:
    """Read a facts file; every mistake in it ends the command."""
    try:
        return parse_facts(path.read_bytes(), str(path))
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}.") from error
    except RuleFileErrors as error:
        raise Failed(f"{error}\nThe reference of facts files is docs/reference/facts.md.") from error


def known(
    facts: FactsFile,
    inventory: Inventory,
    firing: Firing,
    *,
    clusters: Sequence[str],
    policy: Policy,
    now_ms: int | None = None,
) -> Known:
    """Say what is known about what fires; without `now_ms` and `now`, it is just now."""
    try:
        world = facts.world(
            inventory,
            firing.told.alerts,
            clusters=clusters,
            policy=policy,
            truncated=firing.told.truncated,
            now_ms=now_ms,
        )
    except RuleFileErrors as error:
        raise Failed(str(error)) from error
    if not facts.seen_only:
        silent = (OtherAlert(one, since_ms=one.starts_at_ms, heard_ms=world.now_ms) for one in firing.silent)
        return Known(world=replace(world, others=(*world.others, *silent)))
    seen = {ident: one.observation for ident, one in world.instances.items() if one.observation is not None}
    return Known(seen=seen)
