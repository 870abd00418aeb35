"""From an opened rollback to a committed plan: look, judge, keep the evidence, ask what may still say no."""

from __future__ import annotations

import hashlib

from controller.ledger import Rollback, Taken
from controller.ledger.ids import effect_of
from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from rules.judgement import shown
from rules.observations import Observation
from rules.plans import Plan
from rules.releases import Choice
from workers.driver import Driver
from workers.runner.journal import Journal
from workers.runner.judging import Allowed, Judging
from workers.runner.lease import Lease
from workers.runner.waits import Asks, Expired, HeldBack
from workers.site import Site
from workers.terms import Terms

_BOOK_TRIES = 10
_KEEPS_CHANGING = "what the guards count keeps changing; they are asked again"


def require_meant(observation: Observation, terms: Terms, *, by_hand: bool = False) -> None:
    """Raise `Permanent` where what runs is not what the alert names, or not what the rule selects."""
    if terms.expects is not None and not observation.runs(terms.expects):
        who = "it was meant for" if by_hand else "the alert names"
        runs = observation.running or "no release"
        said = f"{who} release {terms.expects}, but {runs} runs here now"
        raise Permanent(Reason.STALE, f"{said}; somebody deployed since: look first" if by_hand else said)
    if observation.labels is None:
        return
    left_out = terms.scope.leaves_out(observation.labels, observation.own_labels)
    if left_out is not None:
        raise Permanent(*left_out)


def nothing_left(choice: Choice) -> str:
    """Say of every release why it is none to go back to."""
    dropped = "; ".join(f"{c.release}: {c.detail or c.reason}" for c in choice.candidates)
    return f"there is no release to go back to ({dropped or 'none is present'})"


class Preparing:
    """Brings one rollback up to its commit, under its lease."""

    def __init__(self, site: Site, driver: Driver, journal: Journal, lease: Lease, taken: Taken) -> None:
        self._driver = driver
        self._journal = journal
        self._lease = lease
        self._ledger = site.ledger
        self._judging = Judging(site, taken, lambda: lease.hold)
        self.arrival = ""
        """What was seen to run here, once it was looked at."""

    def commit(self, rollback: Rollback, terms: Terms, left: frozenset[str]) -> tuple[Allowed, Plan]:
        """Ask the guards, prepare and commit.

        Raises `Permanent` with the reason where the answer is no, `HeldBack` where it is not yet, `Asks` where a
        person has to allow it, `Expired` where nobody did in time.
        """
        observation = self._driver.observe()
        self.arrival = observation.arrival
        require_meant(observation, terms, by_hand=bool(rollback.by))
        _require_no_other(rollback, observation)
        allowed = self._ask(rollback, terms, observation, left)
        plan = self._driver.plan(observation, str(allowed.judgement.to))
        self._require_approved(rollback, allowed, plan)
        if observation.fence >= self._lease.fence:
            self._lease.raise_fence(self._ledger, observation.fence)
        evidence = self._driver.evidence()
        self._driver.preflight(plan)
        self._journal.note(
            "prepared",
            plan=plan.digest,
            observed=dict(observation.details),
            judgement=shown(allowed.judgement),
            evidence=dict(evidence),
        )
        for _ in range(_BOOK_TRIES):
            if self._commit(rollback, allowed, plan):
                return allowed, plan
            allowed = self._again(rollback, terms, observation, left, plan)
        raise NotYet(Reason.BACKOFF, _KEEPS_CHANGING, retry_after_s=0.5)

    def commit_again(self, rollback: Rollback, terms: Terms, left: frozenset[str], plan: Plan) -> Allowed:
        """Ask the guards again under a commit that no change followed; it must come to the same plan.

        Raises as `commit` does. What is reserved stays so; whoever is told no has to give it back.
        """
        observation = self._driver.observe()
        self.arrival = observation.arrival
        require_meant(observation, terms, by_hand=bool(rollback.by))
        if observation.arrival != plan.arrival:
            problem = f"another release, {observation.running}, arrived before the first change; it is left alone"
            raise Permanent(Reason.SUPERSEDED, problem)
        for _ in range(_BOOK_TRIES):
            allowed = self._again(rollback, terms, observation, left, plan)
            if self._commit(rollback, allowed, plan, again=True):
                return allowed
        raise NotYet(Reason.BACKOFF, _KEEPS_CHANGING, retry_after_s=0.5)

    def _ask(self, rollback: Rollback, terms: Terms, observation: Observation, left: frozenset[str]) -> Allowed:
        """Ask the guards; what they say is noted where it is news."""
        try:
            return self._judging.ask(rollback, terms, observation, left)
        except HeldBack as e:
            if e.reason != rollback.reason:
                self._journal.note("judged", judgement=shown(e.judgement))
            raise
        except Permanent:
            if self._judging.judgement is not None:
                self._journal.note("judged", judgement=shown(self._judging.judgement))
            raise

    def _require_approved(self, rollback: Rollback, allowed: Allowed, plan: Plan) -> None:
        """Raise `Asks` unless nobody needs to be asked, or a person approved what would be done now."""
        if not allowed.asks:
            return
        approval = approval_of(rollback, plan)
        if rollback.approved == approval:
            return
        asked = rollback.asked
        same = asked.get("plan") == approval
        if same and int(asked["until_ms"]) <= allowed.booked.now_ms:
            raise Expired("nobody answered in time; the alert's next episode asks again")
        if not same:
            self._driver.preflight(plan)
            self._journal.note("asked", plan=plan.digest, judgement=shown(allowed.judgement))
        raise Asks(allowed.judgement, plan, approval)

    def _again(
        self, rollback: Rollback, terms: Terms, observation: Observation, left: frozenset[str], plan: Plan
    ) -> Allowed:
        """Ask the guards once more, because what they count has changed; it must come to the same."""
        allowed = self._ask(rollback, terms, observation, left)
        if allowed.judgement.to != plan.to_release:
            problem = f"it would go to {allowed.judgement.to} by now, and no longer to {plan.to_release}"
            raise NotYet(Reason.BACKOFF, problem, retry_after_s=0.5)
        self._require_approved(rollback, allowed, plan)
        return allowed

    def _commit(self, rollback: Rollback, allowed: Allowed, plan: Plan, *, again: bool = False) -> bool:
        """Make the last write before the first change; False where the book has moved since it was read."""
        fields = {
            "to": plan.to_release,
            "arrival": plan.arrival,
            "plan": plan.to_json(),
            "release": allowed.release,
            "environment": allowed.environment,
            "marked": allowed.marked,
        }
        self._lease.check()
        answer = self._ledger.rollbacks.commit(
            self._lease.hold,
            effect=effect_of(rollback.instance, plan.arrival),
            book=allowed.booked.book.version,
            from_release=plan.from_release or "",
            fields=fields,
            campaign=allowed.campaign,
            line=allowed.line,
            again=again,
        )
        if answer.verdict == "book":
            return False
        _raise_unless_ok(answer.verdict, answer.what)
        return True


def approval_of(rollback: Rollback, plan: Plan) -> str:
    """Identify what a person approves: this instance, from this arrival of this release, to that one."""
    words = f"{rollback.instance}\n{plan.arrival}\n{plan.from_release}\n{plan.to_release}"
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def _require_no_other(rollback: Rollback, observation: Observation) -> None:
    """Raise `Permanent` where another release came while the rollback waited: then it may be the cure."""
    if rollback.seen_arrival and rollback.seen_arrival != observation.arrival:
        raise Permanent(
            Reason.SUPERSEDED,
            f"another release, {observation.running}, arrived while this rollback waited; it is left alone",
        )


def already_made(by: str) -> str:
    """Say why a rule does not act a second time."""
    return (
        f"rollback {by} has acted on this arrival already, or brought it itself, and a rule acts once; "
        "a person still can: rollbackctl rollback"
    )


def _raise_unless_ok(verdict: str, what: str) -> None:
    match verdict:
        case "ok":
            return
        case "resolved":
            raise Permanent(Reason.RESOLVED, "every alert behind this rollback resolved before the first change")
        case "effect":
            raise Permanent(Reason.EFFECT_ALREADY_MADE, already_made(what))
        case _:
            raise Permanent(Reason.CANCELLED, f"the rollback is {what or 'gone'} meanwhile")
