"""The journal of one rollback: what was intended and what was seen done, written before and after each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

from controller.ledger import Ledger, Taken
from rules.plans import Step, StepKind
from workers.runner.lease import Lease
from workers.runner.trust import GIVEN_BACK, Phase, Trust

FOUND_BEGUN = "found-begun"

CHANGES = frozenset({StepKind.SWITCH, StepKind.RESTART, StepKind.PATCH})
"""The steps that change which release runs; an intent of one of these counts as a change made."""

OUTSIDE = CHANGES | {StepKind.PAUSE_OWNER}
"""The steps after which something outside is not as it was, though the release may be."""

WATCHES = frozenset({StepKind.HEALTH, StepKind.ROLLOUT})
"""The steps that see the release healthy."""


class Journal:
    """Reads what earlier stretches wrote, and adds to it under the lease.

    `now_ms` is Redis' time, so that entries of different workers can be compared. `trust` seals what is written,
    and says whether the rest may be gone by: asked before anything is carried out that is stored.
    """

    def __init__(
        self, ledger: Ledger, lease: Lease, taken: Taken, now_ms: Callable[[], int], trust: Trust
    ) -> None:
        self._ledger = ledger
        self._lease = lease
        self._entries: list[Mapping[str, Any]] = list(taken.journal)
        self._head = taken.record.get("journal_head", "")
        self._now_ms = now_ms
        self._trust = trust

    def require_sealed(self) -> None:
        """Raise unless what earlier stretches wrote may be gone by; `Permanent`, or `NotYet`."""
        self._trust.require_steps(self._entries)

    def require_planned(self, phase: Phase, plan: str) -> None:
        """Raise unless this text is the plan that a worker made last; `Permanent`, or `NotYet`."""
        self._trust.require_plan(phase, plan, self._entries)

    def note(self, kind: str, **facts: object) -> None:
        """Add an entry; raises `LeaseLost`, or `NotYet` without the key, and then nothing was written."""
        self._lease.check()
        said = {"kind": kind, "at": self._now_ms(), "fence": self._lease.fence, **facts}
        entry = self._trust.sealed(said, self._entries)
        self._head = self._ledger.rollbacks.note(self._lease.hold, self._head, entry)
        self._entries.append(entry)

    def intend(self, phase: Phase, index: int, step: Step, before: Mapping[str, object]) -> None:
        """Write that a step is about to be done, with what was seen before it.

        Where the settings ask for replicas, they know of it before anything outside is changed: whoever takes over
        after a failover looks for what was begun. Raises `LedgerUnavailable` where they do not say so in time; the
        entry stands, and the next `take` waits for them.
        """
        self.note("intent", phase=phase, step=index, does=step.does, step_kind=step.kind, before=dict(before))
        if step.kind in OUTSIDE:
            self._ledger.reach_replicas()

    def done(self, phase: Phase, index: int, step: Step, seen: Mapping[str, object]) -> None:
        """Write that a step was seen done."""
        self.note("done", phase=phase, step=index, does=step.does, step_kind=step.kind, seen=dict(seen))

    def intended(self, phase: Phase, index: int) -> Mapping[str, Any] | None:
        """Return what was seen before a step that was begun; None if it was not."""
        entry = self._last("intent", phase, index)
        return None if entry is None else entry["before"]

    def is_done(self, phase: Phase, index: int) -> bool:
        """Whether a step was seen done."""
        return self._last("done", phase, index) is not None

    def changed(self) -> bool:
        """Whether the target may have been changed: some changing step was at least begun."""
        return self._intended_any(CHANGES)

    def untouched(self) -> bool:
        """Whether surely nothing was changed, here or at an owner's; it may have been drained."""
        return not self._intended_any(OUTSIDE)

    def find_begun(self) -> None:
        """Write that the target shows a change of ours, which the entries before do not tell of."""
        self.note(FOUND_BEGUN, detail="the target shows that this rollback has changed it; Redis forgot the step")

    def give_back(self) -> None:
        """Write that a commit which no change followed is given back: steps of its plan count no more."""
        self.note(GIVEN_BACK)

    def seen_healthy(self, phase: Phase) -> bool:
        """Whether the step that watches over health was seen done."""
        return any(
            e["kind"] == "done" and e["phase"] == phase and e.get("step_kind") in WATCHES for e in self._entries
        )

    def _intended_any(self, kinds: frozenset[StepKind]) -> bool:
        return any(
            e["kind"] == FOUND_BEGUN or (e["kind"] == "intent" and e.get("step_kind") in kinds)
            for e in self._entries
        )

    def _last(self, kind: str, phase: Phase, index: int) -> Mapping[str, Any] | None:
        entries = takewhile(lambda e: e["kind"] != GIVEN_BACK, reversed(self._entries))
        found = (e for e in entries if e["kind"] == kind)
        return next((e for e in found if e["phase"] == phase and e["step"] == index), None)
