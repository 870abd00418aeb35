"""Whether going back helped: what proves it, what proves the contrary, and what proves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import Reason
from rules.facts import Fact
from rules.verification import Checked, NotYet, Proof, Seen, Trouble, Verdict, judge

CHANGED = 1_000_000
WITHIN_S, INTERVAL_S = 900.0, 300.0
MINUTE = 60_000
UNTIL, QUIET = CHANGED + 15 * MINUTE, 10 * MINUTE


def seen(after_min: float, *troubles: Trouble, **more: object) -> Seen:
    """Return what is known so many minutes after the change; usually nothing keeps us from knowing."""
    now_ms = CHANGED + round(after_min * MINUTE)
    return replace(Seen(CHANGED, now_ms, WITHIN_S, INTERVAL_S, troubles), **more)


def fires(heard_min: float | None, suppressed: str = "", source: str = "ledger") -> Trouble:
    """Return an alert that fires, heard so many minutes after the change."""
    heard_ms = None if heard_min is None else CHANGED + round(heard_min * MINUTE)
    return Trouble("f1", firing=True, heard_ms=heard_ms, suppressed=suppressed, source=source)


def over(at_min: float, heard_min: float = -1) -> Trouble:
    """Return one that is over since so many minutes after the change."""
    at_ms, heard_ms = (CHANGED + round(minutes * MINUTE) for minutes in (at_min, heard_min))
    return Trouble("f1", firing=False, over_ms=at_ms, heard_ms=heard_ms)


def shared(one: Trouble) -> Trouble:
    """Make it an alert of several instances, of which others still run what this one left."""
    return replace(one, shared=True)


def pending(one: Trouble) -> Trouble:
    """Make it one whose condition holds, and that fires for nobody."""
    return replace(one, pending=True)


def unlisted(one: Trouble) -> Trouble:
    """Make it one that Alertmanager does not list among what fires."""
    return replace(one, unlisted=True)


YES, NO = Fact(True, "Prometheus up"), Fact(False, "Prometheus up")
TRUE, FALSE, UNKNOWN = (Checked("shop_orders > 0", holds) for holds in (True, False, None))
SILENCED = "silenced"
BY_HAND = {"by_hand": True}

CASES = {
    # A person's rollback waits for nothing.
    "by hand": (seen(0, by_hand=True), "recovered healthy"),
    "by hand, monitoring away": (seen(0, by_hand=True, blind="no answer"), "recovered healthy"),
    # Quiet for two group intervals, from the last of: the change, a firing, its end.
    "resolved a moment ago": (seen(1, over(0.5)), 10.5),
    "quiet for not quite long enough": (seen(10, over(0.5)), 10.5),
    "quiet for long enough": (seen(10.5, over(0.5)), "recovered cleared"),
    "over before the change, quiet since": (seen(10, over(-3)), "recovered cleared"),
    "over before the change, quiet for less": (seen(9, over(-3)), 10),
    "heard firing by another after the first was over": (seen(11, over(0.5, heard_min=3)), 13),
    "over late, and quiet only after cleared-within": (seen(16, over(14)), 24),
    "over late, and quiet then": (seen(24, over(14)), "recovered cleared"),
    # Nobody sees what is pending: the other release's own alert fires only after its `for`.
    "quiet before another could fire": (seen(15, over(5), may_fire_s=1200), 20),
    "quiet since another could fire": (seen(20, over(5), may_fire_s=1200), "recovered cleared"),
    "over after another could fire": (seen(20, over(12), may_fire_s=1200), 22),
    "another fires before that": (seen(15, over(5), fires(14), may_fire_s=1200), "ineffective still-firing"),
    "by hand, nothing to fire": (seen(0, by_hand=True, may_fire_s=1200), "recovered healthy"),
    # Something fires.
    "fires, and may still drain": (seen(14, fires(12)), 15),
    "fires at the end, and was heard well after": (seen(15, fires(12)), "ineffective still-firing"),
    "Alertmanager says so": (seen(15, fires(15, source="Alertmanager")), "ineffective still-firing"),
    "fires at the end, last heard as it may have drained": (seen(15, fires(7.5)), "inconclusive not-heard"),
    "fires at the end, heard just after": (seen(15, fires(7.6)), "ineffective still-firing"),
    "heard soon after, the resolve is lost": (seen(22, fires(2), cleared_within_s=1320), "inconclusive not-heard"),
    "heard as long after as it drains": (seen(22, fires(12), cleared_within_s=1320), "inconclusive not-heard"),
    "heard longer after than that": (seen(22, fires(12.1), cleared_within_s=1320), "ineffective still-firing"),
    "a rule says that it hears at once": (seen(1, fires(0.6), cleared_within_s=60), "ineffective still-firing"),
    "Alertmanager does not list it": (seen(15, unlisted(fires(14))), 25),
    "Alertmanager does not list it to the end": (seen(25, unlisted(fires(14))), "inconclusive not-heard"),
    "Alertmanager does not list it, and another": (
        seen(15, unlisted(fires(14)), fires(14)), "ineffective still-firing"
    ),
    "fires at the end, heard before only": (seen(15, fires(-1)), "inconclusive not-heard"),
    # What fires for nobody who is asked may never fire, or is over: quiet could come.
    "its condition holds, nobody heard it fire": (seen(15, pending(fires(None))), 25),
    "its condition holds to the end": (seen(25, pending(fires(None))), "inconclusive not-heard"),
    "resolved, and another is pending once": (
        seen(6, over(4), pending(fires(None)), cleared_within_s=300), 15
    ),
    "resolved, another was pending once": (seen(14, over(4), cleared_within_s=300), "recovered cleared"),
    "over late, and its condition holds again": (seen(16, over(14), pending(fires(None))), 25),
    "over a moment ago, and pending": (seen(16, pending(fires(15.5))), 25.5),
    "pending, and another fires": (seen(15, pending(fires(None)), fires(12)), "ineffective still-firing"),
    "pending, another last heard as it may have drained": (
        seen(15, pending(fires(None)), fires(2)), "inconclusive not-heard"
    ),
    "pending, a check is false": (seen(15, pending(fires(None)), checks=(FALSE,)), "ineffective check-not-met"),
    "pending, and about all of the service": (seen(15, shared(pending(fires(None)))), 25),
    "one is over, another fires": (seen(15, over(1), fires(14)), "ineffective still-firing"),
    "comes and goes for ever": (seen(26, over(25, heard_min=24)), "ineffective still-firing"),
    "came back, and is quiet by now": (seen(36, over(25, heard_min=24)), "recovered cleared"),
    # It is about all of the service, and others still run the release.
    "a service's alert goes on": (seen(15, shared(fires(12))), "inconclusive others-still-run-it"),
    "a service's alert, not yet the end": (seen(14, shared(fires(12))), 15),
    "a service's alert, and one about this instance": (
        seen(15, shared(fires(12)), fires(12)), "ineffective still-firing"
    ),
    "a service's alert, a check is false": (
        seen(15, shared(fires(12)), checks=(FALSE,)), "ineffective check-not-met"
    ),
    "a service's alert comes and goes": (
        seen(26, shared(over(25, heard_min=24))), "inconclusive others-still-run-it"
    ),
    "a service's alert is over": (seen(12, shared(over(1))), "recovered cleared"),
    # Nobody is told of it.
    "silenced": (seen(15, fires(12, SILENCED)), "inconclusive alert-suppressed"),
    "silenced, and not yet the end": (seen(14, fires(12, SILENCED)), 15),
    "silenced, and another fires": (seen(15, fires(12, SILENCED), fires(12)), "ineffective still-firing"),
    "silenced, a check is false": (seen(15, fires(12, SILENCED), checks=(FALSE,)), "ineffective check-not-met"),
    "known to be over, yet silenced": (
        seen(15, replace(over(1), suppressed=SILENCED)), "inconclusive alert-suppressed"
    ),
    # Monitoring is away: it is waited for.
    "blind": (seen(15, over(1), blind="no answer"), 25),
    "blind, and fires": (seen(15, fires(-1), blind="no answer"), 25),
    "blind to the end": (seen(25, over(1), blind="no answer"), "inconclusive monitoring-blind"),
    "blind to the end, and fires": (seen(25, fires(-1), blind="no answer"), "inconclusive monitoring-blind"),
    "blind, but heard firing": (seen(15, fires(12), blind="no answer"), "ineffective still-firing"),
    # The absence of an alert proves nothing.
    "cut short": (seen(12, over(1), complete=False), 15),
    "cut short to the end": (seen(15, over(1), complete=False), "inconclusive truncated"),
    "the alerts are forgotten": (seen(15), "inconclusive not-heard"),
    "the alerts are forgotten, a check holds": (seen(15, checks=(TRUE,)), "recovered cleared"),
    # Nobody looks any more.
    "scraped": (seen(12, over(1), watched=True, scraped=YES), "recovered cleared"),
    "not scraped": (seen(15, over(1), watched=True, scraped=NO), "inconclusive not-scraped"),
    "not scraped yet": (seen(12, over(1), watched=True, scraped=NO), 15),
    "nobody knows whether it is": (seen(15, over(1), watched=True), "inconclusive not-scraped"),
    "its metric is gone": (
        seen(15, over(1), watched=True, scraped=YES, gone=("http_requests_total",)), "inconclusive metric-gone"
    ),
    # What PromQL says.
    "a check holds": (seen(12, over(1), checks=(TRUE,)), "recovered cleared"),
    "a check does not hold yet": (seen(12, over(1), checks=(TRUE, FALSE)), 15),
    "a check does not hold at the end": (seen(15, over(1), checks=(TRUE, FALSE)), "ineffective check-not-met"),
    "nobody knows whether it holds": (seen(15, over(1), checks=(UNKNOWN,)), "inconclusive check-unknown"),
    "false outweighs unknown": (seen(15, over(1), checks=(UNKNOWN, FALSE)), "ineffective check-not-met"),
    "by hand, and a check is unknown": (seen(15, by_hand=True, checks=(UNKNOWN,)), "inconclusive check-unknown"),
    "by hand, and a check holds": (seen(12, by_hand=True, checks=(TRUE,)), "recovered cleared"),
}  # fmt: skip


@pytest.mark.parametrize(("known", "wanted"), CASES.values(), ids=CASES)
def test_the_outcome(known, wanted):
    """An outcome with its reason, or the minutes after the change at which it is looked at again."""
    found = judge(known)
    if isinstance(wanted, str):
        assert isinstance(found, Verdict), found
        assert f"{found.outcome} {found.reason}" == wanted
    else:
        assert isinstance(found, NotYet), found
        assert (found.look_again_ms - CHANGED) / MINUTE == pytest.approx(wanted)


times = st.integers(min_value=CHANGED - 60 * MINUTE, max_value=CHANGED + 120 * MINUTE)
troubles = st.builds(
    Trouble,
    fingerprint=st.sampled_from("abc"),
    firing=st.booleans(),
    heard_ms=st.none() | times,
    over_ms=st.none() | times,
    suppressed=st.sampled_from(["", "", "silenced", "inhibited"]),
    shared=st.booleans(),
    unlisted=st.booleans(),
    pending=st.booleans(),
)
checks = st.builds(Checked, promql=st.just("up == 1"), holds=st.sampled_from([True, False, None]))
anything = st.builds(
    Seen,
    changed_ms=st.just(CHANGED),
    now_ms=times,
    cleared_within_s=st.floats(0.001, 5_000),
    group_interval_s=st.floats(0.001, 600),
    troubles=st.lists(troubles, max_size=3).map(tuple),
    by_hand=st.booleans(),
    complete=st.booleans(),
    watched=st.booleans(),
    scraped=st.sampled_from([None, YES, NO]),
    gone=st.sampled_from([(), ("m",)]),
    checks=st.lists(checks, max_size=2).map(tuple),
    may_fire_s=st.floats(0, 3_000),
    blind=st.sampled_from(["", "no answer"]),
)


@given(anything)
def test_there_is_always_an_answer_that_says_what_to_do(known):
    """An outcome with words for a person, or a later time to look again."""
    found = judge(known)
    if isinstance(found, NotYet):
        assert found.look_again_ms > known.now_ms
    else:
        assert any(word in found.detail for word in ("Look", "Ask", "Set", "nothing"))


@given(anything)
def test_recovered_is_never_said_while_something_fires_or_is_not_known(known):
    """Not while an alert fires, is silenced, a check does not hold, or nobody could be asked."""
    found = judge(known)
    if isinstance(found, Verdict) and found.outcome is Proof.RECOVERED and found.reason is not Reason.HEALTHY:
        assert not any(one.firing or one.suppressed for one in known.troubles)
        assert all(one.holds for one in known.checks)
        assert known.complete
        assert not known.blind
        assert not known.gone
        assert not known.watched or known.scraped == YES


@given(anything)
def test_quiet_is_two_group_intervals_long(known):
    """Since the change, and since whatever was last heard of any of the alerts; and another could have fired."""
    found = judge(known)
    if isinstance(found, Verdict) and found.reason is Reason.CLEARED:
        heard = [at for one in known.troubles for at in (one.heard_ms, one.over_ms) if at is not None]
        assert known.now_ms >= max([known.changed_ms, *heard]) + int(2000 * known.group_interval_s)
        assert known.now_ms >= known.changed_ms + int(1000 * known.may_fire_s)


@given(anything)
def test_ineffective_is_never_said_without_evidence_from_after_the_change(known):
    """A firing heard once it could be over, or a check that is false; never before cleared-within is over."""
    found = judge(known)
    if isinstance(found, Verdict) and found.outcome is Proof.INEFFECTIVE:
        unsure = ("shared", "unlisted", "pending", "suppressed")
        own = [one for one in known.troubles if not any(getattr(one, word) for word in unsure)]
        drains_s = known.cleared_within_s - 2 * known.group_interval_s
        over_ms = known.changed_ms + 1000 * max(drains_s, known.cleared_within_s / 2)
        heard = any((one.heard_ms or 0) > over_ms for one in own)
        assert heard or any(one.holds is False for one in known.checks)
        assert known.now_ms >= known.changed_ms + int(1000 * known.cleared_within_s)


BLINDER = {
    "monitoring away": lambda known: replace(known, blind="no answer"),
    "notifications cut short": lambda known: replace(known, complete=False),
    "not known to be scraped": lambda known: replace(known, scraped=None),
    "a metric gone": lambda known: replace(known, gone=("m",)),
    "checks unknown": lambda known: replace(known, checks=tuple(replace(one, holds=None) for one in known.checks)),
    "silenced": lambda known: replace(
        known, troubles=tuple(replace(one, suppressed="silenced") for one in known.troubles)
    ),
    "of others too": lambda known: replace(
        known, troubles=tuple(replace(one, shared=True) for one in known.troubles)
    ),
    "not listed": lambda known: replace(
        known, troubles=tuple(replace(one, unlisted=True) for one in known.troubles)
    ),
    "only pending": lambda known: replace(
        known, troubles=tuple(replace(one, pending=True) for one in known.troubles)
    ),
    "never heard": lambda known: replace(
        known, troubles=tuple(replace(one, heard_ms=None) if one.firing else one for one in known.troubles)
    ),
}


@pytest.mark.parametrize("blinder", BLINDER.values(), ids=BLINDER)
@given(known=anything)
def test_knowing_less_never_turns_anything_into_recovered(blinder, known):
    """What was not recovered with more known is not recovered with less."""
    if not is_recovered(known):
        assert not is_recovered(blinder(known))


@given(anything, st.integers(1, 10**9))
def test_waiting_ends(known, later_ms):
    """Once everything is long over, there is an outcome, whatever is known."""
    last = max([known.now_ms, CHANGED, *(at or 0 for one in known.troubles for at in (one.heard_ms, one.over_ms))])
    end_ms = last + round(1000 * known.cleared_within_s + 4000 * known.group_interval_s) + later_ms
    end_ms = max(end_ms, CHANGED + round(1000 * known.may_fire_s))
    assert isinstance(judge(replace(known, now_ms=end_ms)), Verdict)


def is_recovered(known: Seen) -> bool:
    """Whether it is judged to have helped."""
    found = judge(known)
    return isinstance(found, Verdict) and found.outcome is Proof.RECOVERED


SAID = {
    "pending": (seen(25, pending(fires(None))), "it is pending"),
    "not listed": (seen(25, unlisted(fires(14))), "Alertmanager does not list it any more"),
    "neither": (seen(15, fires(-1)), "no resolve was heard within 900 s of the change"),
}


@pytest.mark.parametrize(("known", "said"), SAID.values(), ids=SAID)
def test_what_is_said_is_what_was_seen(known, said):
    """Each of the ways in which an end was not heard has words of its own."""
    assert said in judge(known).detail
