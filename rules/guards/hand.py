"""What a person, a deploy tool or our own hand has done counts before any rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.decisions import Reason
from rules.facts import Hand
from rules.guards.answers import Answer, UsedFact, Verdict, used
from rules.guards.names import running
from rules.guards.wording import clock, ends, listed
from rules.marks import Mark

if TYPE_CHECKING:
    from rules.facts import Arrival, Case, Fact, Pause

PAUSED, LOCKED, OPTED_IN, OWN_HAND = "paused", "deploy-locked", "opted-in", "own-hand"


def paused(case: Case) -> Answer | None:
    """Hold while a person has stopped rules, this rule, or rules about this service."""
    scopes = {"", f"service {case.service.name}", f"rule {case.rule.name}"}
    found = [pause for pause in case.book.pauses if pause.scope in scopes and _lasts(pause, case.now_ms)]
    if not found:
        return None
    longest = max(found, key=lambda one: (one.until_ms is None, one.until_ms or 0))
    what = longest.scope or "every rule"
    why = f" ({longest.why})" if longest.why else ""
    detail = (
        f"{longest.by or 'somebody'} paused {what} {ends(longest.until_ms)}{why}; "
        f"to end it earlier: rollbackctl resume"
    )
    fact = UsedFact("pause", what, f"{longest.by or 'a person'}")
    return Answer(PAUSED, Verdict.HOLD, Reason.PAUSED_BY_PERSON, detail, (fact,), longest.until_ms)


def _lasts(pause: Pause, now_ms: int) -> bool:
    return pause.until_ms is None or pause.until_ms > now_ms


def deploy_locked(case: Case) -> Answer | None:
    """Hold while somebody deploys the service."""
    lock = case.service.lock
    if lock is None or (lock.value.until_ms is not None and lock.value.until_ms <= case.now_ms):
        return None
    why = f" ({lock.value.why})" if lock.value.why else ""
    detail = (
        f"{lock.value.by} deploys {case.service.name} and holds its lock{why} {ends(lock.value.until_ms)}; wait "
        "for the deploy to end, or have its owner end the lock"
    )
    fact = used("lock", lock, case.now_ms, f"held by {lock.value.by}")
    return Answer(LOCKED, Verdict.HOLD, Reason.DEPLOY_LOCKED, detail, (fact,), lock.value.until_ms)


def opted_in(case: Case) -> Answer | None:
    """Refuse an instance that does not carry the labels by which its owner lets rules touch it."""
    wanted, labels = case.policy.opt_in, case.instance.labels
    if not wanted:
        return None
    lacking = [
        f"{label}={'|'.join(values) or '(anything)'}"
        for label, values in wanted.items()
        if (labels.get(label, "") not in values if values else not labels.get(label))
    ]
    facts = tuple(
        UsedFact(label, labels.get(label, "") or "(nothing)", "the instance's labels") for label in wanted
    )
    if not lacking:
        return Answer(
            OPTED_IN, Verdict.ALLOW, detail="it carries the labels that the policy asks for", facts=facts
        )
    detail = (
        f"the policy lets rules touch only what carries {listed(lacking)}, and this instance does not; "
        "label it to let rules act on it"
    )
    return Answer(OPTED_IN, Verdict.REFUSE, Reason.NOT_OPTED_IN, detail, facts)


def own_hand(case: Case) -> Answer | None:
    """Refuse to act on what our own hand, or a person through us, brought: it is no arrival for a rule.

    One exception: a release that was rolled back from before, and that a person brought again, is asked about.
    """
    instance, arrival = case.instance, case.instance.arrival
    if case.alert is None:
        return None
    observed = instance.observation.brought_by if instance.observation else None
    facts = (used("arrival", arrival, case.now_ms, _words(arrival.value)),) if arrival else ()
    if arrival is not None and arrival.value.hand is Hand.PERSON:
        return _person(case, arrival, facts)
    if instance.made_by is not None:
        detail = (
            f"rollback {instance.made_by} acted on this arrival already, and there is one effect for each; see "
            f"`rollbackctl show {instance.made_by}`, and roll back by hand if it has to go further"
        )
        return Answer(OWN_HAND, Verdict.REFUSE, Reason.EFFECT_ALREADY_MADE, detail, facts)
    if arrival is not None and arrival.value.hand is Hand.GUARD:
        left = arrival.value.who
        detail = (
            f"the guard on the host fell back to what runs here{f' from {left}' if left else ''}, which did not "
            "stay up, and a rule acts on what a deployer brought only; see `journalctl -u 'rollback-fallback@*'` "
            "on the host, and roll back by hand if it has to go further"
        )
        return Answer(OWN_HAND, Verdict.REFUSE, Reason.EFFECT_ALREADY_MADE, detail, facts)
    if (arrival is not None and arrival.value.hand is Hand.ROLLBACK) or observed:
        by = (arrival.value.who if arrival else "") or observed or ""
        detail = (
            f"what runs here was brought by a rollback{f' ({by})' if by else ''}, and a rule acts on what a "
            "deployer brought only; look at the service, and roll back by hand if it has to go further"
        )
        return Answer(OWN_HAND, Verdict.REFUSE, Reason.EFFECT_ALREADY_MADE, detail, facts)
    return None


def _person(case: Case, arrival: Fact[Arrival], facts: tuple[UsedFact, ...]) -> Answer:
    who = arrival.value.who or "a person"
    release = running(case)
    name = release.name if release else "what runs here"
    if release is not None and _was_left(case):
        detail = (
            f"{who} brought {name} again, after it had been rolled back from; approve if it is to go back once "
            "more, or deny"
        )
        return Answer(OWN_HAND, Verdict.ASK, Reason.PERSON_FIRST, detail, facts)
    detail = (
        f"{who} brought {name} here at {clock(arrival.value.by_ms)}, and that outranks rules until the next "
        f"release arrives; ask {who}, or roll back by hand"
    )
    return Answer(OWN_HAND, Verdict.REFUSE, Reason.PERSON_FIRST, detail, facts)


def _was_left(case: Case) -> bool:
    """Tell whether a rollback left the running release before: it says so, or the release's mark does."""
    release = running(case)
    if release is None:
        return False
    if any(release.is_called(name) for name in case.instance.left):
        return True
    marked = case.service.catalogue.mark_of(release.words)
    return marked.mark in (Mark.SUSPECT, Mark.KNOWN_BAD) and marked.by.startswith("rollback ")


def _words(arrival: Arrival) -> str:
    by = {
        Hand.DEPLOY: "deployed",
        Hand.ROLLBACK: "by a rollback",
        Hand.PERSON: "by a person",
        Hand.GUARD: "by the host's guard",
    }[arrival.hand]
    who = f" ({'from ' if arrival.hand is Hand.GUARD else ''}{arrival.who})" if arrival.who else ""
    if arrival.after_ms is None or arrival.after_ms == arrival.by_ms:
        return f"{by}{who} at {clock(arrival.by_ms)}"
    return f"{by}{who} between {clock(arrival.after_ms)} and {clock(arrival.by_ms)}"
