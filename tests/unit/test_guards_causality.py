"""Is the release the cause? Each test that fails has its own reason, and what nobody can tell holds."""

from __future__ import annotations

from dataclasses import replace

import pytest
from testbed.judged import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    SECOND,
    WEB1,
    WEB2,
    alert,
    alert_facts,
    arrived,
    case,
    fact,
    guarded,
    instance_facts,
    other,
    service,
)

from rules.catalogue import Catalogue, Manifest
from rules.decisions import Outcome, Reason
from rules.facts import Arrival, Campaign, Case, Fact, Hand, Member, MemberState, Peer, Sample
from rules.judging import judge
from rules.limits import Affected, CausedByRelease, Compare
from rules.marks import Mark, Marked
from rules.observations import ReleaseSeen

ONSET = NOW - 5 * MINUTE
REFUSE, HOLD, GO, ASK = Outcome.REFUSE, Outcome.HOLD, Outcome.ROLL_BACK, Outcome.ASK


def came(by_ms: int, after_ms: int | None = None, hand: Hand = Hand.DEPLOY, who: str = "") -> Case:
    return case(instance=arrived(by_ms, after_ms, hand, who))


@pytest.mark.parametrize(
    ("name", "judged", "outcome", "reason"),
    [
        ("the release came 15 minutes before", case(), GO, Reason.ALLOWED),
        ("trap 12: alert predates deploy", came(ONSET + 3 * MINUTE), REFUSE, Reason.PREDATES_RELEASE),
        ("as far apart as clocks may differ", came(ONSET + 2 * MINUTE), HOLD, Reason.RELEASE_UNKNOWN),
        ("just after, though clocks differ by less", came(ONSET + 6 * SECOND), HOLD, Reason.RELEASE_UNKNOWN),
        ("clocks in step", came(ONSET + 5 * SECOND), GO, Reason.ALLOWED),
        ("a millisecond more", came(ONSET + 2 * MINUTE + 1), REFUSE, Reason.PREDATES_RELEASE),
        ("at the edge of the window", came(ONSET - 2 * HOUR), GO, Reason.ALLOWED),
        ("just too old", came(ONSET - 2 * HOUR - 1), REFUSE, Reason.RELEASE_TOO_OLD),
        ("perhaps too old", came(ONSET - HOUR, ONSET - 9 * HOUR), GO, Reason.ALLOWED),
        ("surely before, seen late", came(ONSET - MINUTE, ONSET - HOUR), GO, Reason.ALLOWED),
        ("before or after", came(ONSET + 3 * MINUTE, ONSET - HOUR), HOLD, Reason.RELEASE_UNKNOWN),
        ("surely after", came(NOW, ONSET + 3 * MINUTE), REFUSE, Reason.PREDATES_RELEASE),
        (
            "nobody knows what runs",
            case(instance=replace(instance_facts(), running=None)),
            HOLD,
            Reason.RELEASE_UNKNOWN,
        ),
        ("nothing runs", case(instance=replace(instance_facts(), running=fact(()))), HOLD, Reason.RELEASE_UNKNOWN),
        ("nobody knows since when", case(instance=instance_facts(arrival=None)), HOLD, Reason.RELEASE_UNKNOWN),
    ],
)
def test_the_release_came_before_the_trouble_and_not_long_before(
    name: str, judged: Case, outcome: Outcome, reason: Reason
) -> None:
    assert (judge(judged).outcome, judge(judged).reason) == (outcome, reason), name


def test_the_onset_counts_and_not_when_the_alert_began_to_fire() -> None:
    """The rule of Prometheus waited 10 minutes before it fired; the release came within them."""
    told = replace(alert_facts(), onset=Fact(ONSET - 10 * MINUTE, "ALERTS_FOR_STATE"))
    found = judge(case(alert=told, instance=arrived(ONSET - MINUTE)))
    assert found.reason is Reason.PREDATES_RELEASE
    assert "ALERTS_FOR_STATE" in found.detail
    assert found.to is None


@pytest.mark.parametrize(
    ("labels", "outcome"),
    [
        ({"version": "v2"}, REFUSE),
        ({"version": "2"}, REFUSE),
        ({"app.kubernetes.io/version": "v1"}, REFUSE),
        ({"version": "v3"}, GO),
        ({"version": "3"}, GO),
        ({"version": "v2", "release": "v3"}, GO),
        ({"release": "kube-prometheus-stack"}, GO),
        ({"version": "v9"}, GO),
        ({"version": "c0ffee00"}, REFUSE),
    ],
)
def test_trap_12_alert_belongs_to_previous_release_still_on_the_host(
    labels: dict[str, str], outcome: Outcome
) -> None:
    """It names another release that is known; a word that nobody knows proves nothing."""
    known = service(catalogue=Catalogue((Manifest("shop", "v2", commit="c0ffee00"),)))
    found = judge(
        case(alert=alert_facts(alert(**labels)), service=replace(case().service, catalogue=known.catalogue))
    )
    assert (found.outcome is REFUSE) == (outcome is REFUSE)
    assert found.outcome is not REFUSE or found.reason is Reason.STALE


PERSON = Arrival(ONSET - MINUTE, hand=Hand.PERSON, who="kim")
BY_ROLLBACK = Marked(Mark.KNOWN_BAD, "rollback r1")
DECLARED_BAD = Catalogue(marks={"v2": Marked(Mark.KNOWN_GOOD), "v3": Marked(Mark.KNOWN_BAD, "lee")})


@pytest.mark.parametrize(
    ("name", "judged", "outcome", "reason"),
    [
        ("a person brought it", came(PERSON.by_ms, None, Hand.PERSON, "kim"), REFUSE, Reason.PERSON_FIRST),
        ("our rollback brought it", came(PERSON.by_ms, None, Hand.ROLLBACK), REFUSE, Reason.EFFECT_ALREADY_MADE),
        (
            "the host's own guard fell back to it",
            came(PERSON.by_ms, None, Hand.GUARD, "v4"),
            REFUSE,
            Reason.EFFECT_ALREADY_MADE,
        ),
        ("acted on already", case(instance=instance_facts(made_by="r1")), REFUSE, Reason.EFFECT_ALREADY_MADE),
        (
            "the target itself says it was us",
            case(instance=instance_facts(observation=replace(instance_facts().observation, brought_by="r1"))),  # type: ignore[type-var]
            REFUSE,
            Reason.EFFECT_ALREADY_MADE,
        ),
        (
            "a person brought again what a rollback had left",
            case(
                instance=instance_facts(arrival=fact(PERSON)),
                service=replace(
                    case().service,
                    catalogue=Catalogue(marks={**case().service.catalogue.marks, "v3": BY_ROLLBACK}),
                ),
            ),
            ASK,
            Reason.PERSON_FIRST,
        ),
        (
            "a person brought what another person had declared bad",
            case(
                instance=instance_facts(arrival=fact(PERSON)),
                service=replace(case().service, catalogue=DECLARED_BAD),
            ),
            REFUSE,
            Reason.PERSON_FIRST,
        ),
        (
            "a deployer brought it again: it may go back again",
            case(
                service=replace(
                    case().service,
                    catalogue=Catalogue(marks={**case().service.catalogue.marks, "v3": BY_ROLLBACK}),
                )
            ),
            GO,
            Reason.ALLOWED,
        ),
        (
            "though causality is off",
            replace(came(PERSON.by_ms, None, Hand.PERSON), rule=guarded(caused_by_release=None)),
            REFUSE,
            Reason.PERSON_FIRST,
        ),
    ],
)
def test_our_own_hand_is_no_arrival(name: str, judged: Case, outcome: Outcome, reason: Reason) -> None:
    """What a person moved outranks rules until the next release; the same release again by a person is asked."""
    assert (judge(judged).outcome, judge(judged).reason) == (outcome, reason), name


WIDE = guarded(affected=Affected(100, 1.0, 0.0))
"""However many alert."""
LONG_AGO, LATELY = NOW - 2 * DAY, NOW - 15 * MINUTE
THREE = (
    *(Peer(WEB1, ("v2",), healthy=True), Peer(WEB2, ("v3",), healthy=True), Peer("web3", None)),
    *(Peer("web4", ("v3",), arrived_ms=LONG_AGO), Peer("web5", ("v3",), arrived_ms=LATELY)),
)
STARTED = Campaign("c", (Member(WEB1, MemberState.STARTED),))


@pytest.mark.parametrize(
    ("name", "judged", "outcome", "reason"),
    [
        ("a peer on another release alerts alike", other(WEB1), REFUSE, Reason.ALSO_ON_OTHER_RELEASES),
        ("another alert of the same instance", other(WEB2), GO, Reason.ALLOWED),
        ("another kind of alert", other(WEB1, alertname="DiskFull"), GO, Reason.ALLOWED),
        ("an instance of another service", other("hosts/default/blog/web1"), GO, Reason.ALLOWED),
        ("a peer that nobody knows of", other("web3"), HOLD, Reason.RELEASE_UNKNOWN),
        ("it names no instance", other(), GO, Reason.ALLOWED),
        ("it names our release", other(WEB1, version="v3"), GO, Reason.ALLOWED),
        ("our release has long run there", other("web4"), REFUSE, Reason.ALSO_ON_OTHER_RELEASES),
        ("and is named", other("web4", version="v3"), REFUSE, Reason.ALSO_ON_OTHER_RELEASES),
        ("our release came there lately too", other("web5"), GO, Reason.ALLOWED),
        (
            "it names another release of the service",
            other(service="shop", version="v2"),
            REFUSE,
            Reason.ALSO_ON_OTHER_RELEASES,
        ),
        ("of another service", other(service="blog", version="v2"), GO, Reason.ALLOWED),
        ("of no release that runs", other(service="shop", version="v1"), GO, Reason.ALLOWED),
        (
            "known to be alike",
            replace(other(WEB1, alertname="Odd"), alike=True),
            REFUSE,
            Reason.ALSO_ON_OTHER_RELEASES,
        ),
        ("the same alert again", other(WEB1, fingerprint="f"), GO, Reason.ALLOWED),
    ],
)
def test_canary_and_stable_alert_alike(name: str, judged: object, outcome: Outcome, reason: Reason) -> None:
    """Only what is certain counts; what is uncertain about a peer holds."""
    found = judge(case(rule=WIDE, alert=alert_facts(None, judged), service=service(*THREE)))  # type: ignore[arg-type]
    assert (found.outcome, found.reason) == (outcome, reason), name


def test_members_that_go_back_now_are_no_evidence() -> None:
    """Their alert is about what they ran before, and lingers; one that fires after it recovered is evidence."""
    told = alert_facts(None, other(WEB1))
    assert judge(case(alert=told, campaign=STARTED)).reason is not Reason.ALSO_ON_OTHER_RELEASES
    recovered = Campaign("c", (Member(WEB1, MemberState.RECOVERED),))
    assert judge(case(alert=told, campaign=recovered)).reason is Reason.ALSO_ON_OTHER_RELEASES


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        (("v3+a", "v3", "5"), ("v2+b", "v2", "5"), Reason.ALSO_ON_OTHER_RELEASES),
        (
            ("v3+a", "v3", "sha256:1", "sha256:9"),
            ("v2+b", "v2", "sha256:2", "sha256:9"),
            Reason.ALSO_ON_OTHER_RELEASES,
        ),
        (("v3+a", "v3", "sha256:1"), ("v3+b", "v3", "sha256:1"), Reason.ALLOWED),
        (("v3+a", "v3"), ("v3+b", "v3"), Reason.ALLOWED),
        (("v3+a", "v3", "proxy-1.9"), ("v2+b", "v2", "proxy-1.9"), Reason.RELEASE_UNKNOWN),
        (("20261121", "v3"), ("v3+b", "v3"), Reason.RELEASE_UNKNOWN),
        (("v3",), (), Reason.ALSO_ON_OTHER_RELEASES),
    ],
)
def test_who_runs_the_release_is_told_by_what_tells(
    ours: tuple[str, ...], theirs: tuple[str, ...], reason: Reason
) -> None:
    """A revision's number or a sidecar that two have in common does not make one release of them."""
    instance = instance_facts(
        running=ours[0],
        observation=replace(
            case().instance.observation,
            running=ours[0],
            releases=(ReleaseSeen("v2", (1,)), ReleaseSeen(ours[0], (2,), aliases=ours[1:])),
        ),  # type: ignore[type-var]
    )
    instance = replace(instance, running=fact(ours))
    told = case(
        rule=WIDE,
        instance=instance,
        alert=alert_facts(None, other(WEB1)),
        service=service(Peer(WEB1, theirs), Peer(WEB2, ours)),
    )
    assert judge(told).reason is reason


def test_a_manifest_joins_a_host_and_a_cluster() -> None:
    """What one calls by its directory and the other by its digest is one release."""
    joined = Catalogue(
        (Manifest("shop", "3.0.0", commit="abcdef0", digests=("sha256:1",)),), case().service.catalogue.marks
    )
    told = case(
        instance=replace(instance_facts(), running=fact(("v3", "abcdef0"))),
        rule=WIDE,
        alert=alert_facts(None, other(WEB1)),
        service=service(Peer(WEB1, ("x+y", "sha256:1")), catalogue=joined),
    )
    assert judge(told).outcome is GO


COMPARE = Compare("version", "errors by (version)", at_least=5)
COMPARED = guarded(caused_by_release=CausedByRelease(compare=COMPARE))


@pytest.mark.parametrize(
    ("values", "outcome", "reason"),
    [
        ({"v3": 10, "v2": 1}, GO, Reason.ALLOWED),
        ({"v3": 5, "v2": 1}, GO, Reason.ALLOWED),
        ({"v3": 4.9, "v2": 1}, REFUSE, Reason.ALSO_ON_OTHER_RELEASES),
        ({"v3": 10, "v2": 1, "v1": 9}, REFUSE, Reason.ALSO_ON_OTHER_RELEASES),
        ({"v3": 0.1, "v2": 0}, GO, Reason.ALLOWED),
        ({"v3": 0, "v2": 0}, REFUSE, Reason.ALSO_ON_OTHER_RELEASES),
        ({"v3": float("inf"), "v2": float("inf")}, REFUSE, Reason.ALSO_ON_OTHER_RELEASES),
        ({"v3": float("nan"), "v2": 0}, HOLD, Reason.MONITORING_BLIND),
        ({"v3": 1, "v2": float("nan")}, GO, Reason.ALLOWED),
        ({"v3": 1}, GO, Reason.ALLOWED),
        ({"v2": 1}, HOLD, Reason.MONITORING_BLIND),
        ({}, HOLD, Reason.MONITORING_BLIND),
        (None, HOLD, Reason.MONITORING_BLIND),
    ],
)
def test_old_against_new_in_promql(values: dict[str, float] | None, outcome: Outcome, reason: Reason) -> None:
    """So many times as bad as every other; no answer is no yes."""
    answers = {}
    if values is not None:
        answers = {COMPARE.query: fact(tuple(Sample(value, {"version": name}) for name, value in values.items()))}
    found = judge(case(rule=COMPARED, answers=answers))
    assert (found.outcome, found.reason) == (outcome, reason)


def test_absence_proves_nothing_where_alerts_were_cut_off() -> None:
    """Unless PromQL tells, or every instance runs the release anyway."""
    cut = replace(alert_facts(), complete=False, truncated=7)
    assert judge(case(alert=cut)).reason is Reason.TRUNCATED
    answers = {COMPARE.query: fact((Sample(9, {"version": "v3"}), Sample(0, {"version": "v2"})))}
    assert judge(case(alert=cut, rule=COMPARED, answers=answers)).outcome is GO
    assert judge(case(alert=cut, service=service(Peer(WEB2, ("v3",))))).outcome is GO


@pytest.mark.parametrize(
    "judged",
    [
        case(alert=alert_facts(alert(starts_ms=NOW + 3 * MINUTE))),
        case(alert=alert_facts(onset_ms=NOW + 2 * MINUTE + 1)),
        came(NOW + 3 * MINUTE),
        case(alert=alert_facts(alert(starts_ms=2**62))),
    ],
)
def test_what_lies_in_the_future_is_no_fact(judged: Case) -> None:
    """Clocks disagree: it holds, and says so."""
    found = judge(judged)
    assert (found.outcome, found.reason) == (HOLD, Reason.CLOCK_SKEW)
    assert "clocks" in found.detail


def test_a_rule_may_go_without_the_gate() -> None:
    """`caused-by-release: off`: then only the other guards are asked."""
    off = guarded(caused_by_release=None)
    assert judge(replace(came(ONSET + 30 * SECOND + 4 * MINUTE), rule=off)).outcome is GO
    assert judge(replace(case(alert=alert_facts(alert(version="v2"))), rule=off)).outcome is GO


def test_every_answer_names_its_facts_with_source_and_age() -> None:
    """Facts are there for people, whether the guard allows or not."""
    (answer,) = [one for one in judge(case()).answers if one.guard == "caused-by-release"]
    facts = {one.name: one for one in answer.facts}
    assert facts["running"].value == "v3"
    assert facts["running"].source == "ledger"
    assert facts["onset"].source == "startsAt"
