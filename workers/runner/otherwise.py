"""What becomes of a rollback whose stretch did not go through: it waits, is tried again, is held, or ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import orjson

from controller.ledger import AskAgain, End, Rollback, State
from rules.decisions import Reason
from rules.errors import NotYet, Permanent, Transient
from workers.runner.backoff import pause_s
from workers.runner.consequences import Consequences
from workers.runner.journal import Journal
from workers.runner.judging import is_let_go
from workers.runner.progress import LOOK_AT_ALERTS_S, Progress
from workers.runner.waits import Asks, HeldBack
from workers.site import Site
from workers.terms import Terms

_ENDS = {
    Reason.RESOLVED: End.RESOLVED,
    Reason.CANCELLED: End.CANCELLED,
    Reason.SUPERSEDED: End.SUPERSEDED,
    Reason.EXPIRED: End.EXPIRED,
}


class Otherwise:
    """Writes into the ledger how one stretch stopped; `seen` is the arrival that was looked at, if any was."""

    def __init__(
        self,
        rollback: Rollback,
        terms: Terms,
        progress: Progress,
        journal: Journal,
        consequences: Consequences,
        site: Site,
        *,
        now_ms: Callable[[], int],
        seen: str,
    ) -> None:
        self._rollback = rollback
        self._terms = terms
        self._progress = progress
        self._journal = journal
        self._consequences = consequences
        self._site = site
        self._now_ms = now_ms
        self._seen = seen

    def wait(self, error: NotYet) -> None:
        """Wait for what has not come; before the commit not for ever, for that costs no attempts."""
        if isinstance(error, HeldBack):
            self._hold_back(error)
            return
        if isinstance(error, Asks):
            self._ask_a_person(error)
            return
        if error.reason is Reason.MONITORING_BLIND:
            self._consequences.held(self._rollback, error.reason, str(error))
        if self._progress.committed:
            self._progress.park(error.reason, str(error), error.retry_after_s, seen=self._seen)
            return
        since_ms = self._rollback.waits_ms or self._now_ms()
        waited_s = (self._now_ms() - since_ms) / 1000
        if waited_s > (error.patience_s or self._site.numbers.acting_deadline_s):
            self.give_up(Permanent(error.reason, f"{str(error).rstrip('.')}. Waited for it {waited_s:.0f} s."))
            return
        self._progress.park(error.reason, str(error), error.retry_after_s, seen=self._seen, since_ms=since_ms)

    def try_again(self, error: Transient) -> None:
        """Try again after a pause, as often as the rule says.

        While it is verified nothing is counted: what was done is well, and the verdict has a time of its own.
        """
        if self._progress.state is State.VERIFYING:
            self._progress.park(error.reason, str(error), LOOK_AT_ALERTS_S)
            return
        attempts = self._rollback.attempts + 1
        if attempts >= self._terms.attempts:
            self._exhausted(error, attempts)
            return
        pause = pause_s(self._terms, attempts)
        self._progress.park(error.reason, str(error), pause, attempts=attempts, seen=self._seen)

    def give_up(self, error: Permanent) -> None:
        """End it where nothing was changed, hold it where something was."""
        if self._progress.committed:
            self._hold(error.reason, str(error))
            return
        outcome = _ENDS.get(error.reason, End.REFUSED)
        again: AskAgain = "joins" if outcome in (End.REFUSED, End.SUPERSEDED) else ""
        if error.reason in (Reason.RULE_CHANGED, Reason.RULE_UNKNOWN):
            again = "all"  # that rule may be in force once more
        self._progress.end(outcome, error.reason, str(error), changed=False, ask_again=again)
        # It may have been the last that the others of its campaign waited to be told with.
        self._consequences.closed(self._rollback)

    def _exhausted(self, error: Transient, attempts: int) -> None:
        said = str(error)
        detail = f"{said if said.endswith(('.', '?')) else f'{said}.'} Tried {attempts} times."
        if self._progress.committed:
            self._hold(Reason.UNKNOWN_STATE if self._journal.changed() else error.reason, detail)
        else:
            self._progress.end(End.FAILED, error.reason, detail, changed=False, ask_again="joins")

    def _hold(self, reason: Reason, detail: str) -> None:
        """Stop where nobody can know, and tell people."""
        if self._progress.state is not State.HELD:
            self._consequences.held(self._rollback, reason, detail)
        self._progress.hold(reason, detail)

    def _hold_back(self, held: HeldBack) -> None:
        """Wait for what a guard waits for; a person is told of what may need them."""
        fields = {"reason": str(held.reason), "detail": str(held)}
        if held.tells:
            fields |= {"held_since": str(self._rollback.held_ms or self._now_ms()), "held_for": str(held.reason)}
            campaign = held.campaign or self._rollback.campaign
            rollback = replace(self._rollback, campaign=campaign)
            self._consequences.held(rollback, held.reason, str(held), held.judgement)
            if not self._rollback.approved:  # nobody can say yes now, and it is no silence: it is asked anew
                fields["asked"] = ""
        elif is_let_go(self._rollback, held.reason, self._now_ms()):
            fields["held_since"] = ""
        self._progress.wait_for(fields, held.retry_after_s, seen=self._seen)

    def _ask_a_person(self, asks: Asks) -> None:
        """Wait for `approve` or `deny`; a plan that is asked anew takes back what was approved before."""
        fields = {"reason": str(asks.reason), "detail": str(asks)}
        asked = self._rollback.asked
        if asked.get("plan") != asks.approval:
            asked = {
                "plan": asks.approval,
                "from": asks.plan.from_release,
                "to": asks.plan.to_release,
                "until_ms": self._now_ms() + round(self._site.policy.asks_for_s * 1000),
            }
            fields |= {"asked": orjson.dumps(asked).decode(), "approved": "", "approved_by": ""}
            self._consequences.asked(self._rollback, asks.judgement, asked)
        if is_let_go(self._rollback, asks.reason, self._now_ms()):
            fields["held_since"] = ""
        self._progress.wait_for(fields, asks.pause_s(int(asked["until_ms"]), self._now_ms()), seen=self._seen)
