"""Cases for the guards: everything says yes until a test changes one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rules.alerts import Alert
from rules.catalogue import Catalogue
from rules.facts import (
    AlertFacts,
    Arrival,
    Case,
    Fact,
    Hand,
    InstanceFacts,
    OtherAlert,
    Peer,
    ServiceFacts,
)
from rules.marks import Mark, Marked
from rules.matchers import parse_matchers
from rules.observations import Observation, ReleaseSeen
from rules.rule import HostsTarget, Mode, Rule, Target, When
from rules.to import LastKnownGood

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
NOW = 1_790_000_000_000
WEB1, WEB2 = "hosts/default/shop/web1", "hosts/default/shop/web2"
RULE = Rule(
    "canary",
    When(parse_matchers('alertname="HighErrorRate"')),
    Target(hosts=HostsTarget()),
    (LastKnownGood(),),
    mode=Mode.ACT,
)
GOOD = Marked(Mark.KNOWN_GOOD, "observer")
V1, V2, V3 = (ReleaseSeen(f"v{number}", (number,)) for number in (1, 2, 3))
SEEN = Observation("v3", "arrival", 0, (V1, V2, V3))


def fact(value: Any, age_ms: int = 0) -> Fact[Any]:
    return Fact(value, "ledger", NOW - age_ms)


def alert(fingerprint: str = "f", starts_ms: int = NOW - 5 * MINUTE, **labels: str) -> Alert:
    written = {"alertname": "HighErrorRate", **labels}
    return Alert(fingerprint, "firing", written, {}, starts_ms)


def other(*instances: str, fingerprint: str = "other", since_ms: int | None = None, **labels: str) -> OtherAlert:
    """Return an alert beside the judged one; without instances they are not known."""
    return OtherAlert(alert(fingerprint, **labels), instances or None, since_ms=since_ms)


def alert_facts(
    one: Alert | None = None, *others: OtherAlert, onset_ms: int | None = None, **more: Any
) -> AlertFacts:
    one = one or alert()
    onset = Fact(one.starts_at_ms if onset_ms is None else onset_ms, "startsAt")
    return AlertFacts(one, onset, one.starts_at_ms, others=fact(others), **more)


def instance_facts(
    id_: str = WEB2, running: str = "v3", came_ms: int = NOW - 20 * MINUTE, **more: Any
) -> InstanceFacts:
    written: dict[str, Any] = {
        "service": "shop",
        "running": fact((running,)),
        "arrival": fact(Arrival(came_ms)),
        "healthy": fact(value=True),
        "observation": replace(SEEN, running=running),
        **more,
    }
    return InstanceFacts(id_, **written)


def case(**changes: Any) -> Case:
    """Two hosts; web2 has v3 since 20 minutes, in trouble since 5; web1 runs v2, which is known to be good."""
    written: dict[str, Any] = {
        "rule": RULE,
        "now_ms": NOW,
        "instance": instance_facts(),
        "service": service(Peer(WEB1, ("v2",), healthy=True), Peer(WEB2, ("v3",), healthy=True)),
        "alert": alert_facts(),
        **changes,
    }
    return Case(**written)


def service(*peers: Peer, **more: Any) -> ServiceFacts:
    written: dict[str, Any] = {"catalogue": Catalogue(marks={"v2": GOOD, "v1": GOOD}), **more}
    return ServiceFacts("shop", peers=fact(peers), **written)


def guarded(**limits: Any) -> Rule:
    """Return the rule with other limits."""
    return replace(RULE, guards=replace(RULE.guards, **limits))


def arrived(by_ms: int, after_ms: int | None = None, hand: Hand = Hand.DEPLOY, who: str = "") -> InstanceFacts:
    return instance_facts(arrival=fact(Arrival(by_ms, after_ms, hand, who)))
