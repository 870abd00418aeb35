"""The list of owners that rollbacks have paused: what is noted, asked and taken off, each for its own rollback."""

from __future__ import annotations

from typing import Any

from controller.ledger import Ledger
from controller.ledger.suspensions import Suspensions

WEB, API = "kubernetes/eu/shop/deployment/web", "kubernetes/eu/shop/deployment/api"
OWNER = "eu/application/argocd/shop"


def entry(rollback: str = "r1", owner: str = OWNER) -> dict[str, str]:
    return {
        "owner": owner,
        "kind": "Application",
        "namespace": "argocd",
        "name": "shop",
        "path": "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/shop",
        "uid": "u1",
        "rollback": rollback,
        "bad": "v2+h2",
        "since": "2026-03-01T10:00:00+00:00",
        "annotation": "rollback-controller.io/paused",
    }


def listed(suspensions: Suspensions) -> list[tuple[Any, ...]]:
    return [(one.instance, one.rollback, one.says, one.asked_by) for one in suspensions.list()]


def test_what_is_noted_is_listed_by_owner_and_instance(ledger: Ledger) -> None:
    """With its cluster and its age; noting it twice is noting it once, since the first time."""
    ledger.suspensions.note(WEB, entry())
    ledger.suspensions.note(API, entry("r2"))
    first = ledger.suspensions.list()[1]
    ledger.suspensions.note(WEB, entry())
    assert listed(ledger.suspensions) == [(API, "r2", "", ""), (WEB, "r1", "", "")]
    again = ledger.suspensions.list()[1]
    assert again.cluster == "eu"
    assert again.age_s >= first.age_s >= 0
    assert again.public() == {
        **{key: entry()[key] for key in ("owner", "kind", "rollback", "bad", "since", "annotation")},
        "instance": WEB,
        "says": "",
        "asked_by": "",
    }


def test_each_rollback_speaks_for_itself(ledger: Ledger) -> None:
    """A later one of the same instance has taken its place: the earlier neither says nor takes off anything."""
    ledger.suspensions.note(WEB, entry("r1"))
    ledger.suspensions.note(WEB, entry("r2"))
    ledger.suspensions.say(WEB, "r1", "old")
    ledger.suspensions.forget(WEB, "r1")
    ledger.suspensions.say(WEB, "r2", "still wants it")
    assert listed(ledger.suspensions) == [(WEB, "r2", "still wants it", "")]
    ledger.suspensions.forget(WEB, "r2")
    ledger.suspensions.forget(WEB, "r2")
    ledger.suspensions.say(WEB, "r2", "gone")
    assert listed(ledger.suspensions) == []


def test_a_person_asks_for_an_owner(ledger: Ledger) -> None:
    """For all its instances, and for no other owner; one that nobody paused is said not to be."""
    ledger.suspensions.note(WEB, entry("r1"))
    ledger.suspensions.note(API, entry("r2"))
    ledger.suspensions.note("kubernetes/eu/pay/deployment/web", entry("r3", "eu/application/argocd/pay"))
    assert ledger.suspensions.ask_resume(OWNER, by="ada")
    assert not ledger.suspensions.ask_resume("us/application/argocd/shop", by="ada")
    assert [one.asked_by for one in ledger.suspensions.list()] == ["", "ada", "ada"]
