"""Campaigns in the ledger: who belongs to one, when it began, who is woken, what is given back."""

from __future__ import annotations

import pytest
from testbed.redis import Redis

from controller.ledger import End, Hold, LeaseLost, Ledger, MovedOn, NewRollback, State, Taken
from controller.ledger.booking import start_line
from controller.ledger.ids import effect_of
from rules.decisions import Reason
from rules.facts import MemberState
from rules.marks import Mark

CAMPAIGN = "c1"
HOSTS = ("web1", "web2", "web3")


def begin(ledger: Ledger, host: str, *, by: str = "") -> Taken:
    """Open a rollback, take its lease and enlist it."""
    rule = "" if by else "canary-errors"
    new = NewRollback(
        f"hosts/default/shop/{host}", "shop", host, rule=rule, rule_digest="d1" if rule else "", by=by
    )
    taken = ledger.leases.take(ledger.rollbacks.open(new).id, holder=f"job-{host}:1", kind="rollback")
    assert isinstance(taken, Taken)
    ledger.booking.enlist(hold(taken), CAMPAIGN, {"rule": rule, "service": "shop"})
    return taken


def hold(taken: Taken) -> Hold:
    """Return what a worker's writes rest on."""
    return Hold(taken.id, taken.lease, taken.token)


def commit(ledger: Ledger, taken: Taken) -> str:
    """Commit under the book as it is now."""
    return ledger.rollbacks.commit(
        hold(taken),
        effect=effect_of(taken.lease, "a1"),
        book=ledger.booking.read(CAMPAIGN, "shop").book.version,
        from_release="v1.3.0",
        fields={"plan": "{}"},
        campaign=CAMPAIGN,
        line=start_line(CAMPAIGN, "canary-errors", "shop"),
    ).verdict


def end(ledger: Ledger, taken: Taken, outcome: End, *, changed: bool) -> None:
    """End a rollback."""
    fields = {"outcome": outcome, "reason": Reason.CLEARED, "detail": ""}
    ledger.rollbacks.end(hold(taken), fields, changed=changed)


def states(ledger: Ledger) -> list[MemberState]:
    """Return the members' states, in the order in which they joined."""
    return [member.state for member in ledger.booking.read(CAMPAIGN, "shop").campaign.members]


@pytest.mark.parametrize(
    ("outcome", "changed", "state"),
    [
        (End.RECOVERED, True, MemberState.RECOVERED),
        (End.INEFFECTIVE, True, MemberState.NOT_RECOVERED),
        (End.INCONCLUSIVE, True, MemberState.NOT_RECOVERED),
        (End.FAILED, True, MemberState.NOT_RECOVERED),
        (End.REFUSED, False, MemberState.LEFT),
        (End.RESOLVED, False, MemberState.LEFT),
    ],
)
def test_what_became_of_a_member_is_known_to_the_others(
    ledger: Ledger, outcome: End, changed: bool, state: MemberState
) -> None:
    """One that changed something and did not recover stops the campaign; one that changed nothing left it."""
    first, _ = (begin(ledger, host) for host in HOSTS[:2])
    assert states(ledger) == [MemberState.WAITING, MemberState.WAITING]
    assert commit(ledger, first) == "ok"
    assert states(ledger) == [MemberState.STARTED, MemberState.WAITING]
    end(ledger, first, outcome, changed=changed)
    assert states(ledger) == [state, MemberState.WAITING]


def test_a_new_member_makes_whoever_judges_ask_again(ledger: Ledger) -> None:
    """Shares of a wave are of all members: who joins after the guards were asked moves the book."""
    first = begin(ledger, "web1")
    version = ledger.booking.read(CAMPAIGN, "shop").book.version
    begin(ledger, "web2")
    assert ledger.booking.read(CAMPAIGN, "shop").book.version != version
    assert commit(ledger, first) == "ok"


def test_a_campaign_begins_once_and_counts_once(ledger: Ledger) -> None:
    """However many instances it changes, the limits count one campaign."""
    for host in HOSTS:
        assert commit(ledger, begin(ledger, host)) == "ok"
    (start,) = ledger.booking.read("", "").book.starts
    assert (start.id, start.rule, start.service) == (CAMPAIGN, "canary-errors", "shop")


def test_a_campaign_that_changed_nothing_has_not_begun(ledger: Ledger) -> None:
    """A commit without a change gives back the limit and the cooldown, but not those of another instance."""
    first, second = begin(ledger, "web1"), begin(ledger, "web2")
    assert commit(ledger, first) == commit(ledger, second) == "ok"
    end(ledger, first, End.FAILED, changed=False)
    assert len(ledger.booking.read("", "").book.starts) == 1
    assert ledger.booking.last_change(first.lease) is None
    assert ledger.booking.last_change(second.lease) is not None
    end(ledger, second, End.FAILED, changed=False)
    assert ledger.booking.read("", "").book.starts == ()


def test_the_cooldown_before_comes_back_with_what_was_not_used(ledger: Ledger) -> None:
    """An instance that was rolled back earlier stays so, though a later try changed nothing."""
    first = begin(ledger, "web1")
    assert commit(ledger, first) == "ok"
    end(ledger, first, End.RECOVERED, changed=True)
    second = begin(ledger, "web1")
    ledger.rollbacks.commit(
        hold(second),
        effect=effect_of(second.lease, "a2"),
        book=ledger.booking.read(CAMPAIGN, "shop").book.version,
        from_release="v1.4.0",
        fields={},
        campaign=CAMPAIGN,
        line="x",
    )
    end(ledger, second, End.FAILED, changed=False)
    last = ledger.booking.last_change(first.lease)
    assert last is not None
    assert last.value.rollback == first.id


def test_a_persons_hand_starts_no_cooldown(ledger: Ledger) -> None:
    """What a person does does not keep a rule from acting on the next release."""
    taken = begin(ledger, "web1", by="ann")
    assert commit(ledger, taken) == "ok"
    assert ledger.booking.last_change(taken.lease) is None


def test_the_end_of_a_member_wakes_those_that_wait(ledger: Ledger, redis_server: Redis) -> None:
    """The next wave need not wait for its turn to look."""
    first, second = begin(ledger, "web1"), begin(ledger, "web2")
    ledger.rollbacks.move(hold(second), (State.PLANNED,), State.WAITING, {}, look_again_s=600, release=True)
    commit(ledger, first)
    end(ledger, first, End.RECOVERED, changed=True)
    with redis_server.client() as client:
        seconds, _ = client.time()
        assert client.zscore("rc:due", second.id) <= (seconds + 1) * 1000


def test_only_the_holder_enlists(ledger: Ledger, redis_server: Redis) -> None:
    """Who lost the lease writes nothing."""
    taken = begin(ledger, "web1")
    with redis_server.client() as client:
        client.delete(f"rc:lease:{taken.lease}")
    with pytest.raises(LeaseLost):
        ledger.booking.enlist(hold(taken), CAMPAIGN, {})


def test_what_changes_things_now_is_known(ledger: Ledger) -> None:
    """After a pause one campaign begins at a time: the ones under way are those with a member that began."""
    taken = begin(ledger, "web1")
    assert ledger.booking.read("", "").active == frozenset()
    commit(ledger, taken)
    assert ledger.booking.read("", "").active == {CAMPAIGN}
    end(ledger, taken, End.RECOVERED, changed=True)
    assert ledger.booking.read("", "").active == frozenset()


def waits(ledger: Ledger, taken: Taken, asked: str) -> None:
    """Let a rollback wait with something, or nothing, to ask."""
    ledger.rollbacks.move(
        hold(taken), (State.PLANNED,), State.WAITING, {"asked": asked}, look_again_s=600, release=True
    )


def test_a_person_approves_the_very_plan(ledger: Ledger, redis_server: Redis) -> None:
    """What is approved is the plan that was asked about, and it is looked at at once."""
    taken = begin(ledger, "web1")
    waits(ledger, taken, '{"plan":"p1","until_ms":4000000000000}')
    found = ledger.rollbacks.approve(taken.id, by="ann")
    assert (found.approved, found.approved_by) == ("p1", "ann")
    with redis_server.client() as client:
        assert client.llen("rq:queue:rollback") == 2


def test_nothing_is_approved_that_was_not_asked(ledger: Ledger) -> None:
    """A rollback that waits for something else asks nothing."""
    taken = begin(ledger, "web1")
    waits(ledger, taken, "")
    with pytest.raises(MovedOn):
        ledger.rollbacks.approve(taken.id, by="ann")


def test_a_question_that_is_over_is_not_approved(ledger: Ledger) -> None:
    """Nobody answered in time, and no worker has been there to say so: a late yes is none."""
    taken = begin(ledger, "web1")
    waits(ledger, taken, '{"plan":"p1","until_ms":1}')
    with pytest.raises(MovedOn, match="nobody answered in time"):
        ledger.rollbacks.approve(taken.id, by="ann")
    found = ledger.rollbacks.get(taken.id)
    assert found is not None
    assert found.approved == ""


@pytest.mark.parametrize("word", ["end of a member", "approve", "resume"])
def test_who_is_woken_while_a_worker_looks_is_looked_at_again(
    ledger: Ledger, redis_server: Redis, word: str
) -> None:
    """The worker has read what was so before, and puts it to sleep for a minute: it is woken all the same."""
    first, second = begin(ledger, "web1"), begin(ledger, "web2")
    commit(ledger, first)
    waits(ledger, second, '{"plan":"p1","until_ms":4000000000000}')
    again = ledger.leases.take(second.id, holder="job-again:1", kind="rollback")
    assert isinstance(again, Taken)
    if word == "approve":
        ledger.rollbacks.approve(second.id, by="ann")
    elif word == "resume":
        ledger.hands.pause("", "ann", "", None)
        ledger.hands.resume("", "ann")
    else:
        end(ledger, first, End.RECOVERED, changed=True)
    ledger.rollbacks.move(hold(again), (State.WAITING,), State.WAITING, {}, look_again_s=60, release=True)
    with redis_server.client() as client:
        seconds, _ = client.time()
        assert client.zscore("rc:due", second.id) <= (seconds + 1) * 1000
    once_more = ledger.leases.take(second.id, holder="job-more:1", kind="rollback")
    assert isinstance(once_more, Taken)
    ledger.rollbacks.move(hold(once_more), (State.WAITING,), State.WAITING, {}, look_again_s=60, release=True)
    with redis_server.client() as client:
        seconds, _ = client.time()
        assert client.zscore("rc:due", second.id) > (seconds + 30) * 1000


def test_a_commit_that_changed_nothing_leaves_no_suspicion(ledger: Ledger) -> None:
    """It was marked as it was left, and it never was: a person cancels what is held, and the mark is as it was."""
    taken = begin(ledger, "web1")
    ledger.catalogue.mark("shop", "v1.3.0", Mark.KNOWN_GOOD, by="ann", why="tested")
    commit(ledger, taken)
    ledger.catalogue.mark("shop", "v1.3.0", Mark.SUSPECT, by=f"rollback {taken.id}", rollback=taken.id)
    ledger.rollbacks.move(hold(taken), (State.ACTING,), State.HELD, {}, release=True)
    assert marked(ledger) is Mark.SUSPECT
    ledger.rollbacks.cancel(taken.id, by="ann", why="mended by hand")
    assert marked(ledger) is Mark.KNOWN_GOOD


def test_a_worker_that_comes_too_late_marks_nothing(ledger: Ledger) -> None:
    """It was stopped before it wrote its mark, and another has ended the rollback since, without effect."""
    taken = begin(ledger, "web1")
    commit(ledger, taken)
    end(ledger, taken, End.INEFFECTIVE, changed=True)
    for late in (Mark.SUSPECT, Mark.KNOWN_BAD):
        by = f"rollback {taken.id}"
        assert not ledger.catalogue.mark("shop", "v1.3.0", late, by=by, rollback=taken.id)
    assert marked(ledger) is Mark.UNKNOWN


def test_what_another_rollback_did_to_an_arrival_stays_known(ledger: Ledger) -> None:
    """A person acts on an arrival that a rule has acted on, and changes nothing: the rule still has acted."""
    first = begin(ledger, "web1")
    commit(ledger, first)
    end(ledger, first, End.FAILED, changed=True)
    second = begin(ledger, "web1", by="ann")
    assert commit(ledger, second) == "ok"
    end(ledger, second, End.FAILED, changed=False)
    assert ledger.rollbacks.made_by(first.lease, "a1") == first.id


def test_a_rollback_demotes_its_rule_once(ledger: Ledger) -> None:
    """Its worker dies after it said so, and a person promotes the rule before the next says it again."""
    taken = begin(ledger, "web1")
    ledger.hands.demote("canary-errors", "it did not help", taken.id)
    assert ledger.hands.promote("canary-errors", "ann")
    ledger.hands.demote("canary-errors", "it did not help", taken.id)
    assert "canary-errors" not in ledger.hands.demotions()
    ledger.hands.demote("canary-errors", "a false alarm", taken.id, "ann")
    assert "canary-errors" in ledger.hands.demotions()


def marked(ledger: Ledger) -> Mark:
    """Return what is thought of the release that is left."""
    return ledger.catalogue.of("shop", "").mark_of(("v1.3.0",)).mark


def test_a_person_denies(ledger: Ledger) -> None:
    """It ends without a change, and says who did not want it and why."""
    taken = begin(ledger, "web1")
    waits(ledger, taken, '{"plan":"p1","until_ms":1}')
    found = ledger.rollbacks.deny(taken.id, by="ann", why="a known outage")
    assert (found.state, found.outcome, found.reason) == (State.ENDED, End.REFUSED, Reason.DENIED)
    assert found.detail == "denied by ann: a known outage"


def test_who_waits_behind_another_rule_is_asked_where_that_one_changes_nothing(
    ledger: Ledger, redis_server: Redis
) -> None:
    """The first rule of the file has the instance; the next is asked once the first is refused."""
    taken = begin(ledger, "web1")
    assert ledger.rollbacks.wait_behind(taken.id, "abc", "d2")
    with redis_server.client() as client:
        client.hset("rc:episode:abc", mapping={"first": "1", "closed": "", "heard": "1"})
    fields = {"outcome": End.REFUSED, "reason": Reason.FROZEN, "detail": ""}
    ledger.rollbacks.end(hold(taken), fields, changed=False, ask_again="joins")
    with redis_server.client() as client:
        pairs = [f for key in client.keys("rc:notification:*") for f in client.hkeys(key) if f[0] != "#"]
    assert pairs == ["abc d2"]
    assert not ledger.rollbacks.wait_behind(taken.id, "abc", "d3")
