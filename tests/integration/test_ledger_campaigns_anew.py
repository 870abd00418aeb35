"""The same bad release comes again: each run of a campaign has its own waves and its place among the limits."""

from __future__ import annotations

import pytest
from testbed.redis import Redis

from controller.ledger import End, Hold, Ledger, NewRollback, State, Taken
from controller.ledger.booking import start_line
from controller.ledger.ids import effect_of
from rules.campaigns import members_of, went_back
from rules.decisions import Reason
from rules.facts import MemberState
from rules.guards.answers import Verdict
from rules.guards.waves import slot
from rules.limits import Waves

CAMPAIGN = "c1"
HOUR_MS = 3_600_000


def begin(ledger: Ledger, host: str) -> Taken:
    """Open a rollback, take its lease and enlist it."""
    new = NewRollback(f"hosts/default/shop/{host}", "shop", host, rule="canary-errors", rule_digest="d1")
    taken = ledger.leases.take(ledger.rollbacks.open(new).id, holder=f"job-{host}:1", kind="rollback")
    assert isinstance(taken, Taken)
    ledger.booking.enlist(hold(taken), CAMPAIGN, {"rule": "canary-errors", "service": "shop"})
    return taken


def hold(taken: Taken) -> Hold:
    """Return what a worker's writes rest on."""
    return Hold(taken.id, taken.lease, taken.token)


def commit(ledger: Ledger, taken: Taken, arrival: str) -> None:
    """Commit under the book as it is now."""
    committed = ledger.rollbacks.commit(
        hold(taken),
        effect=effect_of(taken.lease, arrival),
        book=ledger.booking.read(CAMPAIGN, "shop").book.version,
        from_release="v1.3.0",
        fields={"plan": "{}"},
        campaign=CAMPAIGN,
        line=start_line(CAMPAIGN, "canary-errors", "shop"),
    )
    assert committed.verdict == "ok"


def end(ledger: Ledger, taken: Taken, *, changed: bool = True) -> None:
    """End a rollback."""
    outcome = End.RECOVERED if changed else End.FAILED
    fields = {"outcome": outcome, "reason": Reason.CLEARED, "detail": ""}
    ledger.rollbacks.end(hold(taken), fields, changed=changed)


def go_back(ledger: Ledger, host: str, arrival: str) -> None:
    """Roll one instance back, and let it recover."""
    taken = begin(ledger, host)
    commit(ledger, taken, arrival)
    end(ledger, taken)


def starts(ledger: Ledger) -> list[str]:
    """Return the ids of what the limits count."""
    return sorted(start.id for start in ledger.booking.read(CAMPAIGN, "shop").book.starts)


def test_a_release_that_comes_again_and_again_uses_up_the_limit(ledger: Ledger) -> None:
    """Each time it comes is a campaign of its own to the limits: nobody's rollback loops all day for one start."""
    for arrival in ("a1", "a2", "a3"):
        go_back(ledger, "web1", arrival)
        assert CAMPAIGN in starts(ledger), "what has begun is its own"
    assert len(starts(ledger)) == 3
    begin(ledger, "web1")
    found = ledger.booking.read(CAMPAIGN, "shop")
    assert len(found.book.starts) == 3
    assert CAMPAIGN not in {start.id for start in found.book.starts}, "a fourth has not begun, and is counted"


def test_a_campaign_that_was_forgotten_is_counted_when_it_begins_again(
    ledger: Ledger, redis_server: Redis
) -> None:
    """A day after its last instance joined, its members are forgotten; the limits go on counting what was."""
    go_back(ledger, "web1", "a1")
    with redis_server.client() as client:
        client.delete(f"rc:members:{CAMPAIGN}")
        (line,) = client.zrange("rc:campaigns", 0, -1)
        client.zincrby("rc:campaigns", -26 * HOUR_MS, line)
    taken = begin(ledger, "web2")
    assert CAMPAIGN not in starts(ledger), "the run of now has not begun"
    commit(ledger, taken, "a1")
    found = ledger.booking.read("", "").book
    assert len(found.starts) == 2
    assert sum(1 for start in found.starts if start.at_ms > found.at_ms - HOUR_MS) == 1


def test_all_instances_of_one_run_are_counted_once(ledger: Ledger) -> None:
    """The second run of two instances is one start more, not two."""
    for arrival in ("a1", "a2"):
        for host in ("web1", "web2"):
            go_back(ledger, host, arrival)
    assert len(starts(ledger)) == 2


def test_a_second_run_that_changed_nothing_gives_back_its_own_start_only(ledger: Ledger) -> None:
    """What the first run has used stays used."""
    go_back(ledger, "web1", "a1")
    taken = begin(ledger, "web1")
    commit(ledger, taken, "a2")
    assert len(starts(ledger)) == 2
    end(ledger, taken, changed=False)
    assert len(starts(ledger)) == 1


def test_what_is_given_back_is_nobody_elses(ledger: Ledger) -> None:
    """One instance has gone back and gets the release anew, while another that had begun changes nothing."""
    first, other = begin(ledger, "web1"), begin(ledger, "web2")
    commit(ledger, first, "a1")
    commit(ledger, other, "a1")
    end(ledger, first)
    again = begin(ledger, "web1")
    end(ledger, other, changed=False)
    assert len(starts(ledger)) == 1, "the change of the first"
    commit(ledger, again, "a2")
    assert len(starts(ledger)) == 2


def test_who_comes_anew_while_another_is_under_way_is_counted(ledger: Ledger) -> None:
    """A campaign that never quite ends is no way around the limits."""
    first, other = begin(ledger, "web1"), begin(ledger, "web2")
    commit(ledger, first, "a1")
    commit(ledger, other, "a1")
    end(ledger, first)
    again = begin(ledger, "web1")
    assert CAMPAIGN not in starts(ledger), "its own run has not begun: it is judged against the limits"
    commit(ledger, again, "a2")
    assert len(starts(ledger)) == 2


def test_who_recovered_before_opens_no_wave_now(ledger: Ledger) -> None:
    """Twelve canaries got the release anew: the waves begin with one again, and not with half of them."""
    hosts = [f"web{n}" for n in range(12)]
    for host in hosts:
        go_back(ledger, host, "a1")
    first, second = begin(ledger, hosts[0]), begin(ledger, hosts[1])
    campaign = ledger.booking.read(CAMPAIGN, "shop").campaign
    assert slot(Waves(), campaign, first.lease).verdict is Verdict.ALLOW
    commit(ledger, first, "a2")
    campaign = ledger.booking.read(CAMPAIGN, "shop").campaign
    assert slot(Waves(), campaign, second.lease).verdict is Verdict.WAIT
    assert went_back(campaign, second.lease), "the cooldown still knows of it"


def test_who_still_waits_is_in_the_run_of_now(ledger: Ledger) -> None:
    """One instance gets the release anew while others wait for their wave: they are not forgotten."""
    go_back(ledger, "web1", "a1")
    waiting = begin(ledger, "web2")
    again = begin(ledger, "web1")
    members = members_of(ledger.booking.read(CAMPAIGN, "shop").campaign)
    assert {member.instance for member in members} == {waiting.lease, again.lease}
    assert {member.state for member in members} == {MemberState.WAITING}


@pytest.mark.parametrize("changed", [True, False])
def test_a_member_that_is_held_moves_the_book(ledger: Ledger, *, changed: bool) -> None:
    """It stops its campaign: whoever asked the guards before must ask them again."""
    first = begin(ledger, "web1")
    commit(ledger, first, "a1")
    version = ledger.booking.read(CAMPAIGN, "shop").book.version
    fields = {"changed_at": "1"} if changed else {}
    ledger.rollbacks.move(hold(first), (State.ACTING,), State.HELD, fields, release=True)
    found = ledger.booking.read(CAMPAIGN, "shop")
    assert found.book.version != version
    assert found.active == frozenset()
    assert [member.state for member in found.campaign.members] == [MemberState.NOT_RECOVERED]
