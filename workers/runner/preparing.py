"""From an opened rollback to a committed plan: look, choose, keep the evidence, ask what may still say no."""

from __future__ import annotations

from dataclasses import dataclass

from controller.ledger import Ledger, Rollback, Taken
from controller.ledger.ids import effect_of
from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from rules.observations import Observation
from rules.plans import Plan
from rules.releases import Choice, choose
from workers.driver import Driver
from workers.runner.journal import Journal
from workers.runner.lease import Lease
from workers.terms import Terms

_BOOK_TRIES = 10
_SKEW_MS = 120_000
"""So far apart may the clocks of Alertmanager and of a target be."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a look at the target led to."""

    observation: Observation
    choice: Choice
    plan: Plan


def prepare(driver: Driver, terms: Terms, left: frozenset[str]) -> Prepared:
    """Look at the target, choose a release and plan the way there; changes nothing.

    Shared by the rollback itself and by a dry run. Raises `Permanent` where there is nothing to go back to.
    """
    observation = driver.observe()
    if terms.expects is not None and not observation.runs(terms.expects):
        raise Permanent(
            Reason.NOT_RUNNING,
            f"the alert names release {terms.expects}, but {observation.running or 'no release'} runs here now",
        )
    left_out = (
        None if observation.labels is None else terms.scope.leaves_out(observation.labels, observation.own_labels)
    )
    if left_out is not None:
        raise Permanent(*left_out)
    choice = choose(terms.to, observation, left, override=terms.override)
    if choice.chosen is None:
        raise Permanent(choice.reason, nothing_left(choice))
    return Prepared(observation, choice, driver.plan(observation, choice.chosen))


def nothing_left(choice: Choice) -> str:
    """Say of every release why it is none to go back to."""
    dropped = "; ".join(f"{c.release}: {c.detail or c.reason}" for c in choice.candidates)
    return f"there is no release to go back to ({dropped or 'none is present'})"


class Preparing:
    """Brings one rollback up to its commit, under its lease."""

    def __init__(self, driver: Driver, journal: Journal, lease: Lease, ledger: Ledger, taken: Taken) -> None:
        self._driver = driver
        self._journal = journal
        self._lease = lease
        self._ledger = ledger
        self._taken = taken
        self.arrival = ""
        """What was seen to run here, once it was looked at."""

    def commit(self, rollback: Rollback, terms: Terms, left: frozenset[str]) -> Plan:
        """Prepare and commit; raises `Permanent` with the reason where the answer is no."""
        prepared = prepare(self._driver, terms, left)
        self._require_the_same(rollback, prepared.observation)
        if prepared.observation.fence >= self._lease.fence:
            self._lease.raise_fence(self._ledger, prepared.observation.fence)
        evidence = self._driver.evidence()
        self._driver.preflight(prepared.plan)
        self._journal.note(
            "prepared",
            plan=prepared.plan.digest,
            observed=dict(prepared.observation.details),
            candidates=[
                {"release": c.release, "kept": c.kept, "reason": c.reason, "detail": c.detail}
                for c in prepared.choice.candidates
            ],
            evidence=dict(evidence),
        )
        self._commit(rollback, prepared.plan)
        return prepared.plan

    def _require_the_same(self, rollback: Rollback, observation: Observation) -> None:
        """Raise `Permanent` where the release that runs is not the one that the alerts are about.

        It may have come while the rollback waited, or after every alert had begun: then it may be the cure.
        """
        self.arrival = observation.arrival
        if rollback.rule and observation.brought_by not in (None, rollback.id):
            raise Permanent(Reason.EFFECT_ALREADY_MADE, already_made(str(observation.brought_by)))
        if rollback.seen_arrival and rollback.seen_arrival != observation.arrival:
            raise Permanent(
                Reason.SUPERSEDED,
                f"another release, {observation.running}, arrived while this rollback waited; it is left alone",
            )
        starts = [episode.first_ms for episode in self._taken.episodes if episode.open]
        arrived = observation.arrived.earliest_ms if observation.arrived else None
        if arrived is not None and starts and arrived > max(starts) + _SKEW_MS:
            raise Permanent(
                Reason.PREDATES_RELEASE,
                f"{observation.running} was first made {round((arrived - max(starts)) / 1000)} s after the alert "
                "began, so it is not the cause. A person still can: rollbackctl rollback",
            )

    def _commit(self, rollback: Rollback, plan: Plan) -> None:
        fields = {
            "to": plan.to_release,
            "arrival": plan.arrival,
            "plan": plan.to_json(),
        }
        self._lease.check()
        book = self._taken.book
        for _ in range(_BOOK_TRIES):
            answer = self._ledger.rollbacks.commit(
                self._lease.hold,
                effect=effect_of(rollback.instance, plan.arrival),
                book=book,
                from_release=plan.from_release or "",
                fields=fields,
            )
            if answer.verdict != "book":
                break
            book = answer.what  # another instance's commit; what the guards count is counted anew
        _raise_unless_ok(answer.verdict, answer.what)


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
        case "book":
            problem = "what the guards count keeps changing; they are asked again"
            raise NotYet(Reason.BACKOFF, problem, retry_after_s=0.5)
        case _:
            raise Permanent(Reason.CANCELLED, f"the rollback is {what or 'gone'} meanwhile")
