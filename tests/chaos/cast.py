"""The instances of one run: which rule is about them, what befalls them, and what of them an invariant asks."""

from __future__ import annotations

import fcntl
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed import shop
from testbed.alertmanager import alert
from testbed.local_shops import LocalShop, rules, together

from chaos.history import Limit, Restart

PLAIN = ("plain1", "plain2", "plain3", "plain4")
"""They simply go back."""
FICKLE = ("fickle1",)
"""Its alert resolves at some moment, whatever was done by then."""
LIMITED = ("limited1", "limited2", "limited3", "limited4", "limited5")
"""Their rule may begin `LIMIT.per_hour` of them."""
DEPLOYED = ("deployed1", "deployed2")
"""Somebody deploys another release meanwhile, under the lock, as a deployer should."""
OUTSIDE = ("outside1", "outside2")
"""Alerts are about them; the rules leave their track alone."""
NAMES = (*PLAIN, *FICKLE, *LIMITED, *DEPLOYED, *OUTSIDE)

LIMIT = Limit("shop-limited", 3)
DEPLOYS = "v1.4.0"

RESTART = (
    'read -r fence owner < "$1/.rollback/fence"; echo "begin $$ $fence" >> "$1/witnessed";'
    ' sleep 0.0$((RANDOM % 9)); readlink "$1/current" >> "$1/restarts"; echo "end $$" >> "$1/witnessed"'
)
"""A restart that takes a moment, and says when it began and ended: what overlaps can be seen."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What is firing about a shop where it is ill."""

    name: str
    labels: Mapping[str, str]
    rule: str
    """The rule whose matchers it meets."""


def alerts(shops: Mapping[str, LocalShop]) -> list[Alert]:
    """Return the alert of each shop."""
    return [_alert(name, shops[name]) for name in NAMES]


def _alert(name: str, one: LocalShop) -> Alert:
    limited = name in LIMITED
    labels = one.labels(alertname="ShopLimited" if limited else "ShopFails")
    return Alert(name, labels, LIMIT.rule if limited else "shop-fails")


def fingerprint(one: Alert) -> str:
    """Return what Alertmanager knows it by."""
    return str(alert(one.labels)["fingerprint"])


def rule_file() -> str:
    """Return the rules: they act at once, and leave what is stable alone."""
    target = {
        "hosts": {"instance": "{{ $labels.instance }}"},
        "service": "{{ $labels.service }}",
        "except": {"track": "stable"},
    }
    many = {"per-hour": LIMIT.per_hour, "per-day": LIMIT.per_hour}
    return together(
        rules(target=target, retry=_PATIENT),
        rules(
            name=LIMIT.rule,
            when={"matchers": ['alertname="ShopLimited"']},
            target=target,
            guards={"limits": many},
            retry=_PATIENT,
        ),
    )


_PATIENT = {"attempts": 12, "initial": "300ms", "factor": 2, "max": "2s"}
"""More faults come than in an ordinary year; a rollback that gave up early would show little."""


def inventory(shops: Mapping[str, LocalShop], way: Mapping[str, Any]) -> str:
    """Return the inventory; `way` is how hosts are reached."""
    services = {
        name: one.entry(
            "stable" if name in OUTSIDE else "canary",
            restart={"command": ["bash", "-c", RESTART, "bash", str(one.folder)]},
        )
        for name, one in shops.items()
    }
    return json.dumps({"version": "inventory/v1", **way, "services": services})


def deploy(one: LocalShop, chance: random.Random) -> None:
    """Bring another release, good or bad, holding the lock as a deployer should."""
    behaves = chance.choice([shop.WELL, shop.ERRORS])
    shop.write_release(one.releases, DEPLOYS, behaves)
    state = one.folder / ".rollback"
    state.mkdir(exist_ok=True)
    with (state / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        one.deploy(DEPLOYS)


def may_run(name: str) -> frozenset[str]:
    """Return every release that may ever run on a shop."""
    if name in OUTSIDE:
        return frozenset({"v1.3.0"})
    return frozenset({"v1.2.0", "v1.3.0", *([DEPLOYS] if name in DEPLOYED else [])})


def restarts(one: LocalShop) -> list[Restart]:
    """Read what a shop's own restarts wrote."""
    file = one.folder / "witnessed"
    lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [
        Restart(one.instance, words[0] == "begin", int(words[1]), int(words[2]) if words[2:] else 0)
        for words in lines
    ]


def identity(one: LocalShop) -> tuple[int, ...]:
    """Tell a link from every other that may take its place."""
    found = one.current.lstat()
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns
