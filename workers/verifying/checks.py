"""What PromQL says of a rule's checks since the change."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rules.alerts import Alert
from rules.durations import write_duration
from rules.errors import Permanent
from rules.guards.asking import as_sent
from rules.limits import Condition, write_number
from rules.reading.quantities import condition
from rules.verification import Checked
from workers.monitoring.promanswers import Series
from workers.monitoring.prometheus import Prometheus
from workers.verifying.asking import Asking

_STEPS = 60
_NO_PROMETHEUS = "the settings name no Prometheus; set prometheus.url"


@dataclass(slots=True)
class Checks:
    """Asks Prometheus, where there is one, what the checks came to. Nothing from before `changed_ms` counts."""

    prometheus: Prometheus | None
    asking: Asking
    changed_ms: int
    now_ms: int

    def look(self, checks: Iterable[Mapping[str, Any]], alert: Alert | None) -> tuple[Checked, ...]:
        """Ask all, with the labels of the alert behind the rollback in them."""
        return tuple(self._one(check, alert) for check in checks)

    def _one(self, check: Mapping[str, Any], alert: Alert | None) -> Checked:
        promql = str(check["promql"])
        sent = as_sent(promql, alert)
        if sent is None:
            return Checked(promql, None, "the alert does not have the label that it looks up")
        if self.prometheus is None:
            return Checked(sent, None, _NO_PROMETHEUS)
        try:
            holds, detail = self._ask(self.prometheus, sent, condition(check["is"]), float(check["for"]))
        except Permanent as e:
            holds, detail = None, str(e).rstrip(".")
        return Checked(f"{sent} {check['is']}", holds, detail)

    def _ask(
        self, prometheus: Prometheus, promql: str, wanted: Condition, for_s: float
    ) -> tuple[bool | None, str]:
        samples = self.asking(lambda: prometheus.query(promql))
        if samples is None:
            return None, self.asking.blind.rstrip(".")
        values = [sample.value for sample in samples if not math.isnan(sample.value)]
        if not values:
            return None, "it gives no sample"
        wrong = next((value for value in values if not wanted.holds(value)), None)
        if wrong is not None:
            return False, f"it gives {write_number(wrong)}"
        return (True, "") if for_s <= 0 else self._held(prometheus, promql, wanted, for_s)

    def _held(
        self, prometheus: Prometheus, promql: str, wanted: Condition, for_s: float
    ) -> tuple[bool | None, str]:
        """Tell whether it held for so long; that it does now is known. One that did not always is not known."""
        from_ms = self.now_ms - round(for_s * 1000)
        if from_ms < self.changed_ms:
            return None, f"the change is not {write_duration(for_s)} ago"
        step_s = max(for_s / _STEPS, 0.1)
        series = self.asking(lambda: prometheus.query_range(promql, from_ms, self.now_ms, step_s))
        if series is None:
            return None, self.asking.blind.rstrip(".")
        return _throughout(series, wanted, from_ms, self.now_ms, step_s)


def _throughout(
    series: Sequence[Series], wanted: Condition, from_ms: int, to_ms: int, step_s: float
) -> tuple[bool | None, str]:
    """Tell whether there was a sample at every step, and every one as wanted; the last two may be to come."""
    values = [(at, value) for one in series for at, value in one.values.items() if not math.isnan(value)]
    if any(not wanted.holds(value) for _, value in values):
        return None, "it did not hold all the time"
    told = sorted({from_ms, *(at for at, _ in values)})
    longest_ms = max((later - earlier for earlier, later in zip(told, [*told[1:], to_ms], strict=True)), default=0)
    if not values or longest_ms > 2500 * step_s:
        return None, "it gave no sample for a while"
    return True, ""
