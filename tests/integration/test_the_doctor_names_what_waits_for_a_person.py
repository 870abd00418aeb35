"""What only a person moves on is named by the doctor, each with the command that does."""

from __future__ import annotations

from testbed.redis import Redis

from controller.cli.doctor_standing import look_at_standing
from controller.cli.doctor_workers import ask_workers, look_at_workers
from controller.ledger import Hold, Ledger, NewRollback, State, Taken
from controller.settings import Settings
from rules.findings import Level, Section

WEB2 = "hosts/default/shop/web2"


def fixes(section: Section) -> list[str]:
    """Return what there is to do."""
    return [finding.fix for finding in section.findings if finding.level is not Level.WELL]


def test_nothing_waits(ledger: Ledger) -> None:
    """Then it says so."""
    assert [finding.what for finding in look_at_standing(ledger).findings] == ["Nothing."]


def test_pauses_that_stand_for_long(ledger: Ledger) -> None:
    """Not one that ends today."""
    ledger.hands.pause("service shop", "ann", "an audit", None)
    ledger.hands.pause("", "bob", "", 2 * 86_400)
    ledger.hands.pause("rule errors", "bob", "", 600)
    assert sorted(fixes(look_at_standing(ledger))) == [
        "When it is no longer needed: `rollbackctl resume --service shop`.",
        "When it is no longer needed: `rollbackctl resume`.",
    ]


def test_a_held_rollback_and_a_demoted_rule(ledger: Ledger) -> None:
    """Each by its name."""
    ident = ledger.rollbacks.open(NewRollback(instance=WEB2, service="shop", host="web2")).id
    taken = ledger.leases.take(ident, holder="job:1", kind="rollback")
    assert isinstance(taken, Taken)
    hold = Hold(taken.id, taken.lease, taken.token)
    fields = {"reason": "", "detail": "nobody knows"}
    ledger.rollbacks.move(hold, (State.PLANNED,), State.HELD, fields, release=True)
    ledger.hands.demote("errors", "a false alarm", ident)
    section = look_at_standing(ledger)
    assert f"{ident} of shop on web2 is held: nobody knows." in [finding.what for finding in section.findings]
    assert [fix for fix in fixes(section) if "rollbackctl promote errors" in fix]


def test_what_nobody_rings_for_and_who_does_not_work(ledger: Ledger, redis_server: Redis) -> None:
    """A reconciler that does not run shows in what is due; nobody is asked to look where nobody is."""
    ident = ledger.rollbacks.open(NewRollback(instance=WEB2, service="shop", host="web2")).id
    with redis_server.client() as client:
        client.zadd("rc:due", {ident: 1})
    said = [finding.what for finding in look_at_workers(Settings(), ledger).findings]
    assert any("No worker was heard of" in what for what in said)
    assert any(ident in what for what in said)
    (section,) = ask_workers(ledger)
    assert [finding.level for finding in section.findings] == [Level.WRONG]
