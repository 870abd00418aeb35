"""A running installation with guards, a policy and people who are told, and one local shop for each scenario."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from testbed.alertmanager import alert, body, stamp
from testbed.commands import does
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.people import People, people
from testbed.programs import Program
from testbed.redis import valkey
from testbed.wait import until

BRISK = {"group_interval_s": 1, "heard_write_every_s": 0.2, "observe_hosts_every_s": 1, "reconcile_every_s": 0.5}
"""Numbers for tests that wait for what comes by itself."""
ELSEWHERE = "Asia/Kathmandu"


@dataclass(frozen=True, slots=True)
class Guarded:
    """The installation, its processes, its shops, and whoever is told."""

    installed: Installation
    shops: Mapping[str, LocalShop]
    people: People
    server: Program
    worker: Program

    def fires(self, name: str, alertname: str) -> dict[str, Any]:
        """Have an alert about a shop fire; return it."""
        entry = self.alert(name, alertname)
        assert self.installed.notify(body(entry)).status == 202
        return entry

    def alert(self, name: str, alertname: str) -> dict[str, Any]:
        """Return an alert about a shop."""
        return alert(self.shops[name].labels(alertname=alertname))

    def resolves(self, *alerts: Mapping[str, Any]) -> None:
        """Resolve alerts."""
        over = ({**entry, "status": "resolved", "endsAt": stamp(0)} for entry in alerts)
        assert self.installed.notify(body(*over)).status in {200, 202}

    def of(self, name: str) -> dict[str, Any]:
        """Return the one rollback of a shop; fails where there is none, or more."""
        found = [one for one in self.installed.rollbacks() if one["service"] == name]
        assert len(found) == 1, found
        return found[0]

    def becomes(self, name: str, *, within_s: float = 30, **fields: str) -> dict[str, Any]:
        """Wait until the one rollback of a shop is so, and return it."""

        def so() -> dict[str, Any]:
            found = self.of(name)
            assert {key: found[key] for key in fields} == fields, found
            return found

        return until(so, within_s=within_s, what=f"the rollback of {name} becomes {fields}")

    def goes_back(self, name: str) -> None:
        """Wait until a shop runs the old release."""
        until(lambda: self.shops[name].running() == "v1.2.0", within_s=30, what=f"{name} goes back")

    def recovers(self, name: str, *alerts: Mapping[str, Any]) -> dict[str, Any]:
        """Wait until a shop runs the old release, resolve its alerts, and return its ended rollback."""
        self.goes_back(name)
        self.becomes(name, state="verifying")
        self.resolves(*alerts)
        return self.becomes(name, state="ended", outcome="recovered")

    def untouched(self, name: str) -> bool:
        """Whether nothing was done to a shop."""
        return self.shops[name].running() == "v1.3.0" and self.shops[name].restarts() == 0

    def why(self, what: str) -> str:
        """Return what `why` tells."""
        return does(self.installed, "why", what)


def rule_for(alertname: str, **over: Any) -> str:
    """Return a rule file with one rule, named after the alerts that it is about."""
    when = {"matchers": [f'alertname="{alertname}"'], **over.pop("when", {})}
    return rules(**{"name": alertname.lower(), "when": when, **over})


def open_now(then: str) -> dict[str, Any]:
    """Return a freeze window that is open at this moment, by the clocks of a place that is never on the hour."""
    now = datetime.now(ZoneInfo(ELSEWHERE))
    hours = [(now + timedelta(hours=by)).strftime("%H:%M") for by in (-1, 1)]
    return {"from": hours[0], "to": hours[1], "timezone": ELSEWHERE, "then": then}


@contextlib.contextmanager
def guarded(
    folder: Path,
    names: tuple[str, ...],
    rule_file: str,
    *,
    numbers: Mapping[str, float] | None = None,
    **more: Any,
) -> Iterator[Guarded]:
    """Run an installation with shops of these names; `more` are sections of its settings."""
    with contextlib.ExitStack() as running:
        shops = running.enter_context(local_shops(folder, *names))
        told = running.enter_context(people(folder))
        (folder / "redis").mkdir()
        redis = running.enter_context(valkey(folder / "redis"))
        inventory = local_inventory(**{name: made.entry("canary") for name, made in shops.items()})
        settings = {"numbers": {**BRISK, **(numbers or {})}, "notify": told.channels, **more}
        installed = Installation(folder / "installed", redis.url, rule_file, inventory, more=settings)
        server, worker = running.enter_context(installed.running())
        yield Guarded(installed, shops, told, server, worker)
