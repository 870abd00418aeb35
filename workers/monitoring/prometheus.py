"""Prometheus: what an expression gives or gave, its alerting rules, since when an alert's condition holds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlencode

import orjson
import structlog

from rules.decisions import Reason
from rules.errors import Permanent
from rules.facts import Fact, Sample
from rules.notifications import parse_timestamp
from workers.monitoring.exchange import Answer, Exchange, shown
from workers.monitoring.promanswers import (
    AlertingRule,
    RecordingRule,
    Series,
    read_alerting_rules,
    read_recording_rules,
    read_series,
)
from workers.monitoring.promql import selector

if TYPE_CHECKING:
    from controller.settings.monitoring import PrometheusSettings
    from rules.alerts import Alert

log = structlog.get_logger(__name__)

_OK, _BAD_REQUEST, _NOT_FOUND = 200, 400, 404
_NO_LEAVE = frozenset({401, 403})
_ALERTS_SOURCE = "Prometheus activeAt"
_STATE_SOURCE = "Prometheus ALERTS_FOR_STATE"
_DRIFT_MS = 2_000
"""How far an onset may seem to lie after `startsAt`, which Prometheus stamps in the same evaluation."""


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Prometheus:
    """Asks one Prometheus. Cheap to build; whoever builds it closes it. Not for several threads at once.

    Everything here raises `Transient` (monitoring-blind) where Prometheus does not answer as it should.
    `warnings` are those of the last answer: Prometheus itself doubts it.
    """

    def __init__(self, settings: PrometheusSettings, clock_ms: Callable[[], int] = _wall_ms) -> None:
        self._exchange = Exchange("Prometheus", settings)
        self._timeout_s = settings.timeout_s
        self._clock_ms = clock_ms
        self.warnings: tuple[str, ...] = ()

    def query(self, promql: str) -> tuple[Sample, ...]:
        """Return what an expression gives now: a vector's samples, or a scalar as the one sample without labels.

        Values may be NaN or infinite. Raises `Permanent` (requirement-unknown) for what is no expression, or gives
        anything else: that is for the author of the rule.
        """
        return self._query(promql, {})

    def query_at(self, promql: str, at_ms: int) -> tuple[Sample, ...]:
        """Return what an expression gave at a time; otherwise as `query`."""
        return self._query(promql, {"time": f"{at_ms / 1000:.3f}"})

    def query_range(self, promql: str, from_ms: int, to_ms: int, step_s: float) -> tuple[Series, ...]:
        """Return what an expression gave from one time to another; otherwise as `query`."""
        form = {"query": promql, "timeout": f"{self._timeout_s:g}", "partial_response": "false"}
        form |= {"start": f"{from_ms / 1000:.3f}", "end": f"{to_ms / 1000:.3f}", "step": f"{step_s:.3f}"}
        answer = self._exchange.ask("/api/v1/query_range", form)
        if answer.status == _BAD_REQUEST:
            self._no_expression(promql, answer)
        document = self._document(answer)
        self._note_warnings(promql, document)
        try:
            return tuple(read_series(document["data"]))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self._strange(error)

    def alerting_rules(self) -> tuple[AlertingRule, ...]:
        """Return every alerting rule, with what is pending or firing of it; none from a store that judges none."""
        answer = self._exchange.ask("/api/v1/rules?type=alert")
        if answer.status == _NOT_FOUND:
            return ()
        try:
            return tuple(read_alerting_rules(self._document(answer)["data"]))
        except (KeyError, TypeError, ValueError) as error:
            self._strange(error)

    def recording_rules(self, names: Iterable[str]) -> tuple[RecordingRule, ...]:
        """Return the recording rules of these names, and others where it cannot select; as `alerting_rules`."""
        wanted = urlencode([("type", "record"), *(("rule_name[]", name) for name in names)])
        answer = self._exchange.ask(f"/api/v1/rules?{wanted}")
        if answer.status == _NOT_FOUND:
            return ()
        try:
            return tuple(read_recording_rules(self._document(answer)["data"]))
        except (KeyError, TypeError, ValueError) as error:
            self._strange(error)

    def _query(self, promql: str, more: Mapping[str, str]) -> tuple[Sample, ...]:
        # `partial_response`: where Thanos answers, half of the data must not look like all of it.
        form = {"query": promql, "timeout": f"{self._timeout_s:g}", "partial_response": "false", **more}
        answer = self._exchange.ask("/api/v1/query", form)
        if answer.status == _BAD_REQUEST:
            self._no_expression(promql, answer)
        document = self._document(answer)
        self._note_warnings(promql, document)
        try:
            return _samples(document["data"], promql)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            self._strange(error)

    def active_since(self, alert: Alert) -> Fact[int] | None:
        """Return since when the alert's condition holds: earlier than its `startsAt` by the rule's `for`.

        None where Prometheus knows no such alert, or knows it only from later on: it fell silent in between.
        Prometheus' own alert has the labels of ours, less external labels; where several could be it, the one with
        most labels, of equals the earliest.
        """
        found = _earliest(alert, self._alerts())
        source = _ALERTS_SOURCE
        if (
            found is None
        ):  # Prometheus has restarted and not yet judged its rules, or only stores what others judge
            found, source = _earliest(alert, self._for_state(alert)), _STATE_SOURCE
        return None if found is None else Fact(found, source, self._clock_ms())

    def up(self, instance: str) -> Fact[bool] | None:
        """Tell whether every target with this `instance` label was scraped; None where there is none."""
        return self.scraped({"instance": instance})

    def scraped(self, labels: Mapping[str, str]) -> Fact[bool] | None:
        """Tell whether every target with these labels was scraped at its last turn; None where there is none."""
        samples = self.query(selector("up", labels))
        if not samples:
            return None
        return Fact(all(sample.value == 1 for sample in samples), "Prometheus up", self._clock_ms())

    def close(self) -> None:
        """Let go of the connections."""
        self._exchange.close()

    def _alerts(self) -> Iterable[tuple[Mapping[str, str], int]]:
        """Yield the labels and onset of each alert that is pending or fires now."""
        answer = self._exchange.ask("/api/v1/alerts")
        if answer.status == _NOT_FOUND:  # a store that judges no rules
            return
        try:
            for entry in self._document(answer)["data"]["alerts"]:
                if (at_ms := parse_timestamp(entry["activeAt"])) is not None:
                    yield entry["labels"], at_ms
        except (KeyError, TypeError) as error:
            self._strange(error)

    def _for_state(self, alert: Alert) -> Iterable[tuple[Mapping[str, str], int]]:
        """Yield the onsets that were stored when the alert began to fire. Selected by name, compared here."""
        promql = selector("ALERTS_FOR_STATE", {"alertname": alert.labels.get("alertname", "")})
        for sample in self._query(promql, {"time": f"{alert.starts_at_ms / 1000 + 1:.3f}"}):
            if math.isfinite(sample.value):
                labels = {name: value for name, value in sample.labels.items() if name != "__name__"}
                yield labels, round(sample.value * 1000)

    def _document(self, answer: Answer) -> Any:
        if answer.status in _NO_LEAVE:
            hint = "Check `prometheus.token-file`, or `username` and `password-file`."
            self._exchange.blind(f"does not let us ask ({answer.status})", hint)
        if 300 <= answer.status < 400:
            hint = "Set `prometheus.url` to where it leads."
            self._exchange.blind(f"answers with a redirect ({answer.status})", hint)
        try:
            document = orjson.loads(answer.body)
            said = document["status"] == "success"
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            self._strange(error, answer.status)
        if answer.status != _OK or not said:
            words = shown(str(document.get("error", "no reason is given")))
            self._exchange.blind(f"could not answer ({answer.status}): {words}", "Its own log says more.")
        return document

    def _no_expression(self, promql: str, answer: Answer) -> NoReturn:
        try:
            said = str(orjson.loads(answer.body)["error"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            self._strange(error, answer.status)
        message = f"Prometheus takes {shown(promql)} for no query: {shown(said)}. Correct it in the rule."
        raise Permanent(Reason.REQUIREMENT_UNKNOWN, message)

    def _strange(self, cause: Exception, status: int = _OK) -> NoReturn:
        hint = "Is `prometheus.url` the address of a Prometheus, with its path prefix?"
        self._exchange.blind(f"answers with something else than its API does ({status})", hint, cause)

    def _note_warnings(self, promql: str, document: Any) -> None:
        said = document.get("warnings") or []
        self.warnings = tuple(shown(str(one)) for one in said[:10]) if isinstance(said, list) else ()
        if self.warnings:
            log.warning("prometheus.warned", promql=shown(promql), warnings=self.warnings)


def _samples(data: Any, promql: str) -> tuple[Sample, ...]:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return (Sample(float(result[1])),)
    if kind != "vector":
        message = f"{shown(promql)} gives a {shown(str(kind))}; an instant vector or a scalar is needed here"
        raise Permanent(Reason.REQUIREMENT_UNKNOWN, f"{message}. Correct it in the rule.")
    if any("value" not in sample for sample in result):
        message = f"{shown(promql)} gives histograms, which are no numbers; use histogram_quantile(…) or the like"
        raise Permanent(Reason.REQUIREMENT_UNKNOWN, f"{message}. Correct it in the rule.")
    return tuple(Sample(float(sample["value"][1]), dict(sample["metric"])) for sample in result)


def _earliest(alert: Alert, candidates: Iterable[tuple[Mapping[str, str], int]]) -> int | None:
    """Choose among what could be this alert, as Prometheus knew it before it added its external labels."""
    latest_ms = alert.starts_at_ms + _DRIFT_MS
    name = alert.labels.get("alertname")
    fitting = [
        (-len(labels), at_ms)
        for labels, at_ms in candidates
        if at_ms <= latest_ms and labels.get("alertname") == name and labels.items() <= alert.labels.items()
    ]
    return min(fitting)[1] if fitting else None
