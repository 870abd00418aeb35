"""Alerts that name nothing but workloads count for the services that the observer has seen these belong to."""

from __future__ import annotations

from dataclasses import replace

from controller.ledger import Ledger
from controller.ledger.roster import Look
from rules.limits import NO_POLICY, StormBrake
from workers.gathering.storms import by_service

JUDGED = "kubernetes/eu/shop/deployment/web-0"
POLICY = replace(NO_POLICY, storm=StormBrake(3, 300))


def seen(ledger: Ledger, *names: str, service: str = "web", kind: str = "deployment") -> None:
    """Have the observer see workloads of a service."""
    ids = [f"kubernetes/eu/shop/{kind}/{name}" for name in names]
    ledger.roster.seen([Look(one, service, "", "kubernetes/eu", ("v3",), "pin") for one in ids])


def test_workloads_of_one_service_are_one(ledger: Ledger) -> None:
    """The last of them says when."""
    seen(ledger, "web-0", "web-1", "web-2", "web-3")
    seen(ledger, "db", service="db", kind="statefulset")
    storm = {**{f"shop/web-{n}": n for n in range(4)}, "shop/db": 7, "blog": 8}
    assert by_service(ledger, storm, JUDGED, POLICY) == {"web": 3, "db": 7, "blog": 8}


def test_what_nobody_has_seen_counts_for_itself(ledger: Ledger) -> None:
    """So do words that are no workload, however odd: labels come from strangers."""
    storm = dict.fromkeys(("shop/web-0", "shop/web-1", "/", "a/b/c", "*/\n", "é/ü"), 1)
    assert by_service(ledger, storm, JUDGED, POLICY) == storm


def test_where_it_cannot_be_a_storm_nothing_is_looked_up(ledger: Ledger) -> None:
    """Nor where the judged instance is in no cluster."""
    seen(ledger, "web-0", "web-1", "web-2", "web-3")
    few = {f"shop/web-{n}": n for n in range(3)}
    many = {f"shop/web-{n}": n for n in range(4)}
    assert by_service(ledger, few, JUDGED, POLICY) == few
    assert by_service(ledger, many, "hosts/default/shop/web1", POLICY) == many
