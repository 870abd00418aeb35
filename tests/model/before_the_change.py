"""Up to the commit, the last write before the first change: until then everything may still say no."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

from controller.ledger import End
from controller.ledger.booking import start_line
from controller.ledger.ids import effect_of
from model.site import LIMIT, SERVICE, Call, Calls, Luck, Stop
from model.target import Seen
from model.under_lease import UnderLease
from rules.decisions import Reason


class BeforeTheChange(UnderLease):
    """Look, ask, commit."""

    def prepare(self) -> Calls:
        """Look, ask, commit. Until then everything may still say no."""
        episodes = self.taken.episodes
        if episodes and not any(episode.open for episode in episodes):
            yield from self.end(End.RESOLVED, Reason.RESOLVED, changed=False)
        seen: Seen = yield self.target.observe
        waited_for = self.record.get("seen_arrival")
        if waited_for and waited_for != seen.arrival:
            yield from self.end(End.SUPERSEDED, Reason.SUPERSEDED, changed=False, ask_again="joins")
        if self.worker.luck in (Luck.PARK, Luck.NO):
            yield from self.before_its_time(seen)
        yield from self.ask(seen)
        if seen.fence >= self.fence:
            yield from self.raise_fence(seen.fence)
        yield from self.note("prepared")
        for _ in range(3):
            if (yield from self.commit(seen)):
                return
            yield from self.ask(seen)
        yield from self.wait(seen, Reason.BACKOFF)

    def ask_again(self) -> Calls:
        """Ask the guards again under a commit that no change followed; a no, or not yet, gives it back."""
        if self.may_have_changed:
            return
        seen: Seen = yield self.target.observe
        if seen.by == self.id:  # the journal lacks what a failover forgot
            return
        episodes = self.taken.episodes
        if episodes and not any(episode.open for episode in episodes):
            yield from self.end(End.RESOLVED, Reason.RESOLVED, changed=False)
        if seen.arrival != self.record["arrival"]:
            yield from self.end(End.SUPERSEDED, Reason.SUPERSEDED, changed=False, ask_again="joins")
        for _ in range(3):
            yield from self.ask(seen, without=self.id)
            if (yield from self.commit(seen, again=True)):
                return
        yield from self.wait(seen, Reason.BACKOFF)

    def before_its_time(self, seen: Seen) -> Calls:
        """Something is not there yet, or never will be."""
        if self.worker.luck is Luck.NO:
            yield from self.end(End.REFUSED, Reason.NOT_SELECTED, changed=False, ask_again="joins")
        yield from self.wait(seen, Reason.BACKOFF)

    def ask(self, seen: Seen, without: str = "") -> Calls:
        """Ask the guards: a pause and a limit for rules, and a person where the rule says so."""
        self.campaign = f"{self.taken.lease}/{seen.arrival}" if self.by_rule else ""
        if not self.by_rule:
            self.booked = yield lambda: self.ledger.booking.read("", SERVICE, without)
            return
        yield lambda: self.ledger.booking.enlist(self.hold, self.campaign, {"service": SERVICE})
        self.booked = yield lambda: self.ledger.booking.read(self.campaign, SERVICE, without)
        if self.booked.book.pauses:
            yield from self.wait(seen, Reason.PAUSED_BY_PERSON)
        if len({start.id for start in self.booked.book.starts} - {self.campaign}) >= LIMIT:
            yield from self.wait(seen, Reason.LIMIT_REACHED)
        plan = f"{self.taken.lease} {seen.arrival}"
        if self.taken.lease in self.site.asks and self.record.get("approved") != plan:
            asked = {"plan": plan, "to": "good", "until_ms": self.taken.now_ms + 3_600_000}
            yield from self.wait(seen, Reason.SUSPECTS_MANY, asked=json.dumps(asked), approved="")

    def commit(self, seen: Seen, *, again: bool = False) -> Generator[Call, Any, bool]:
        """Make the last write before the first change; False where the book moved."""

        def call() -> Any:
            answer = self.ledger.rollbacks.commit(
                self.hold,
                effect=effect_of(self.taken.lease, seen.arrival),
                book=self.booked.book.version,
                from_release=seen.release,
                fields={"arrival": seen.arrival, "to": "good"},
                campaign=self.campaign,
                line=start_line(self.campaign, "r", SERVICE) if self.campaign else "",
                again=again,
            )
            if answer.verdict == "ok":
                self.site.committed(self.taken, seen.arrival)
            return answer

        answer = yield call
        match answer.verdict:
            case "ok":
                self.record |= {"state": "acting", "arrival": seen.arrival, "from": seen.release, "to": "good"}
                return True
            case "book":
                return False
            case "resolved":
                yield from self.end(End.RESOLVED, Reason.RESOLVED, changed=False)
            case "effect":
                yield from self.end(End.REFUSED, Reason.EFFECT_ALREADY_MADE, changed=False, ask_again="joins")
        raise Stop
