"""Prometheus, asked sparingly: nothing twice in one job, and nothing for a while once it did not answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from rules.alerts import Alert
from rules.errors import Transient
from rules.facts import Fact, Sample
from workers.monitoring.prometheus import Prometheus

T = TypeVar("T")

_SILENT_FOR_S = 10.0
"""Thirty alerts behind one rollback, each waited for to the end, would use up the queue's time limit."""


@dataclass(slots=True)
class Sparing:
    """Asks one Prometheus; raises what it raises. For one job."""

    prometheus: Prometheus
    clock: Callable[[], float] = time.monotonic
    _said: dict[str, tuple[Sample, ...]] = field(default_factory=dict)
    _silence: tuple[float, Transient] | None = None

    def query(self, promql: str) -> tuple[Sample, ...]:
        """Return what an expression gave when it was first asked."""
        if promql not in self._said:
            self._said[promql] = self._ask(lambda: self.prometheus.query(promql))
        return self._said[promql]

    def active_since(self, alert: Alert) -> Fact[int] | None:
        """Return since when the alert's condition holds."""
        return self._ask(lambda: self.prometheus.active_since(alert))

    def _ask(self, ask: Callable[[], T]) -> T:
        if self._silence is not None and self.clock() < self._silence[0]:
            raise self._silence[1]
        try:
            return ask()
        except Transient as e:
            self._silence = self.clock() + _SILENT_FOR_S, e
            raise
