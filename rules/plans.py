"""Plans: what a rollback will do, as a frozen value that `--dry-run`, the audit and the tests share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum


class StepKind(StrEnum):
    """One idempotent piece of a rollback. The table in docs/reference/protocol.md says when each is done."""

    DRAIN = "drain"
    SWITCH = "switch"
    RESTART = "restart"
    HEALTH = "health"
    UNDRAIN = "undrain"
    KEEP_STABLE = "keep-stable"
    PAUSE_OWNER = "pause-owner"
    PATCH = "patch"
    RESUME_OWNER = "resume-owner"
    STRIP = "strip-managed-fields"
    ANNOUNCE = "announce"
    DELETE_PODS = "delete-pods"
    ROLLOUT = "rollout"


class StepState(StrEnum):
    """What a look at the target says of a step that was begun and not seen to end."""

    DONE = "done"
    NOT_DONE = "not-done"
    NEITHER = "neither"
    """The target is neither as it was nor as the step leaves it: somebody else was there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what a person reads, how it is taken back, and the values the driver needs.

    `values` are JSON-able and complete: a worker that takes over needs nothing else.
    `deadline_s` bounds one attempt; None means the usual step deadline of the settings.
    """

    kind: StepKind
    does: str
    way_back: str
    values: Mapping[str, object] = field(default_factory=dict)
    deadline_s: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One instance going back from one arrival of one release to another release."""

    instance: str
    from_release: str | None
    to_release: str
    arrival: str
    steps: tuple[Step, ...]

    def to_json(self) -> str:
        """Return the plan as canonical JSON: the same plan is always the same text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def digest(self) -> str:
        """Identify the plan by its content, for the audit and for comparing a dry run with what was done."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read back what `to_json` wrote."""
        raw = json.loads(text)
        steps = tuple(Step(**{**step, "kind": StepKind(step["kind"])}) for step in raw.pop("steps"))
        return cls(**raw, steps=steps)
