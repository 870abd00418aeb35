"""What is named, by a label or by the rule: checked as a legal name, not looked up yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from rules.decisions import Reason
from rules.instances import WorkloadKind
from rules.workloads.answers import refused

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class WorkloadNamed:
    """Something says a workload's name; several kinds where it does not say which. `by` says what says so."""

    name: str
    kinds: tuple[WorkloadKind, ...]
    by: str

    @property
    def words(self) -> str:
        """What it is called in messages."""
        kind = self.kinds[0] if len(self.kinds) == 1 else "workload"
        return f"{kind} {self.name}"


@dataclass(frozen=True, slots=True)
class ReplicaSetNamed:
    """A label names a ReplicaSet."""

    name: str
    by: str

    @property
    def words(self) -> str:
        """What it is called in messages."""
        return f"ReplicaSet {self.name}"


@dataclass(frozen=True, slots=True)
class PodNamed:
    """A label names a pod; `uid` where the alert says that too.

    `maybe_exporter`: a workload is named beside it, and kube-state-metrics measured that, so it may be that one's
    own: with `honor_labels` that stays in a label to which nothing else was written.
    """

    name: str
    by: str
    uid: str = ""
    maybe_exporter: bool = False

    @property
    def words(self) -> str:
        """What it is called in messages."""
        return f"pod {self.name}"


@dataclass(frozen=True, slots=True)
class ForeignNamed:
    """A label names an owner of a kind that has no history of its own: a Job, a Node, somebody's own kind."""

    kind: str
    name: str
    by: str

    @property
    def words(self) -> str:
        """What it is called in messages."""
        return f"{self.kind} {self.name}"


Claim: TypeAlias = WorkloadNamed | ReplicaSetNamed | PodNamed | ForeignNamed


def legal(value: str, what: str, wrong: Callable[[str], str | None]) -> str:
    """Return the value if it is a legal name; raises `CannotTell` (label-illegal) if not."""
    said = wrong(value)
    if said is None:
        return value
    raise refused(Reason.LABEL_ILLEGAL, f"{what}: {said}; correct the alerting rule or the rollback rule")
