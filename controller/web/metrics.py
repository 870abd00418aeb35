"""What Prometheus may ask of this process. Every name is described in docs/reference/metrics.md.

Plain in-process counters, because the server is one process; what must survive a restart or is shared with the
workers is read from the ledger when somebody scrapes.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from math import inf
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from controller.ledger import LedgerUnavailable, State

if TYPE_CHECKING:
    from controller.ledger import Counts, Ledger, Swept
    from controller.ledger.outbox import Telling
    from controller.ledger.relearned import Asked
    from controller.settings.house import House

PREFIX: Final = "rollback_controller_"

# From "everything was known already" to "as long as Alertmanager should ever wait"; 0.25 is the promise.
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_BYTES: Final = (1e3, 4e3, 16e3, 64e3, 256e3, 1e6, 4e6, 16e6)


class Metrics:
    """This process's own counters, on a registry of their own so that two apps never share them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.notifications = Counter(
            f"{PREFIX}notifications",
            "Notifications received, by the status code of the answer.",
            ["code"],
            registry=self.registry,
        )
        self.alerts = Counter(
            f"{PREFIX}alerts",
            "Alerts received in accepted notifications, by what became of them.",
            ["result"],
            registry=self.registry,
        )
        self.truncated = Counter(
            f"{PREFIX}alerts_truncated",
            "Alerts that Alertmanager cut off from notifications (max_alerts).",
            registry=self.registry,
        )
        self.turned_away = Counter(
            f"{PREFIX}notifications_turned_away",
            "Notifications answered 503 because too much was taken in at once, by what there was no more of.",
            ["want_of"],
            registry=self.registry,
        )
        self.body_bytes = Histogram(
            f"{PREFIX}notification_size_bytes",
            "Size of the notifications that were read.",
            buckets=_BYTES,
            registry=self.registry,
        )
        self.seconds = Histogram(
            f"{PREFIX}http_request_duration_seconds",
            "Time from the request's head to its answer, by endpoint.",
            ["endpoint"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.unauthorized = Counter(
            f"{PREFIX}http_unauthorized",
            "Requests refused for their credentials: missing, wrong, or without the role.",
            ["reason"],
            registry=self.registry,
        )
        self.unexpected = Counter(
            f"{PREFIX}http_unexpected_errors",
            "Requests answered 503 because of an error nobody foresaw; its traceback is in the log.",
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)


class StateCollector(Collector):
    """Reads what the ledger and the house know at the moment of a scrape.

    Without the ledger the scrape still succeeds: `rollback_controller_ledger_up` says so.
    """

    def __init__(self, ledger: Ledger, house: House) -> None:
        self._ledger = ledger
        self._house = house

    def describe(self) -> Iterator[Metric]:
        """Name nothing beforehand, so that registering asks the ledger nothing."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the state as gauges."""
        yield InfoMetricFamily(
            f"{PREFIX}build",
            "The version that runs.",
            value={"version": _version(), "python": platform.python_version()},
        )
        yield from self._rules()
        yield from self._counts()

    def _rules(self) -> Iterator[Metric]:
        house = self._house
        yield _gauge("rules", "Rules in force.", len(house.rules.rules))
        yield _gauge(
            "rules_last_reload_successful",
            "1 if the rule and inventory files as they are now are in force, 0 if they have errors.",
            0 if house.errors else 1,
        )
        yield _gauge(
            "rules_last_reload_success_timestamp_seconds",
            "When the rules and the inventory in force were read.",
            house.loaded_at,
        )
        yield _gauge("rules_errors", "Errors in the rule and inventory files as they are now.", len(house.errors))

    def _counts(self) -> Iterator[Metric]:
        try:
            counts, sweeps = self._ledger.counts(), self._ledger.sightings.sweeps()
            telling, asked = self._ledger.outbox.counts(), self._ledger.relearned.asked()
            orphans, breakers = self._ledger.health.orphans(), self._ledger.hands.breakers()
            awaiting = self._ledger.spreading.awaiting()
        except LedgerUnavailable:
            yield _gauge("ledger_up", "1 if the ledger answered this scrape.", 0)
            return
        yield _gauge("ledger_up", "1 if the ledger answered this scrape.", 1)
        yield _gauge("due_ids", "Ids that somebody must look at, now or later.", counts.due)
        yield _gauge("due_lag_seconds", "For how long the most overdue of them has been due.", counts.lag_s)
        yield _gauge("queue_length", "Doorbells in the queue that no worker has answered.", counts.queued)
        waits = "Alerts that wait for a worker that knows their rule."
        yield _gauge("alerts_awaiting_rule", waits, awaiting.pairs)
        yield _unfinished(counts)
        yield _ended(counts)
        yield _breakers(breakers)
        yield from _clusters(sweeps)
        yield from _messages(telling)
        yield CounterMetricFamily(
            f"{PREFIX}orphans_woken",
            "Unfinished rollbacks that no entry in `due` would have woken.",
            value=orphans,
        )
        yield from _relearned(asked)


def _unfinished(counts: Counts) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}rollbacks_unfinished", "Rollbacks that have not ended, by state.", labels=["state"]
    )
    for state in State:
        if state is not State.ENDED:
            family.add_metric([state], counts.unfinished.get(state, 0))
    return family


def _ended(counts: Counts) -> Metric:
    family = CounterMetricFamily(
        f"{PREFIX}rollbacks_ended",
        "Rollbacks that ended since this ledger began, by outcome and reason.",
        labels=["outcome", "reason"],
    )
    for (outcome, reason), count in sorted(counts.ended.items()):
        family.add_metric([outcome, reason], count)
    return family


def _breakers(services: Iterable[str]) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}loop_breakers_open",
        "1 for each service that rules leave alone until a person resumes it.",
        labels=["service"],
    )
    for service in services:
        family.add_metric([service], 1)
    return family


def _clusters(sweeps: Sequence[Swept]) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        f"{PREFIX}cluster_seen_age_seconds", "Since a cluster was last looked over as a whole.", labels=["cluster"]
    )
    moving = GaugeMetricFamily(
        f"{PREFIX}cluster_moving_tags", "Workloads with an image whose tag moves.", labels=["cluster"]
    )
    for swept in sweeps:
        age.add_metric([swept.cluster], inf if swept.age_s is None else swept.age_s)
        moving.add_metric([swept.cluster], swept.moving_in_all)
    yield from (age, moving)


def _messages(telling: Telling) -> Iterator[Metric]:
    waiting = GaugeMetricFamily(
        f"{PREFIX}messages_waiting", "Messages to people that a channel has not got yet.", labels=["channel"]
    )
    for channel, count in telling.waiting.items():
        waiting.add_metric([channel], count)
    yield waiting
    ends = {
        "messages_sent": ("Messages that a channel has.", telling.sent),
        "messages_given_up": ("Messages that were tried for three days, and are tried no more.", telling.given_up),
        "messages_lost": ("Messages beyond the thousand that may wait, only counted.", telling.lost),
    }
    for name, (describes, counts) in ends.items():
        family = CounterMetricFamily(f"{PREFIX}{name}", describes, labels=["channel"])
        for channel, count in counts.items():
            family.add_metric([channel], count)
        yield family
    yield CounterMetricFamily(
        f"{PREFIX}messages_nobody_told", "Messages that no channel was there for.", value=telling.nobody
    )


def _relearned(asked: Asked | None) -> Iterator[Metric]:
    """Yield them by name alone where nobody has asked for a day."""
    age = alerts = learned = closed = None
    if asked is not None:
        age = inf if asked.age_s is None else asked.age_s
        alerts, learned, closed = asked.alerts, asked.learned, asked.closed
    gauges = {
        "relearned_age_seconds": ("Since Alertmanager last told everything that fires.", age),
        "relearned_alerts": ("Alerts of our receiver that it listed then.", alerts),
    }
    for name, (describes, value) in gauges.items():
        yield GaugeMetricFamily(PREFIX + name, describes, value=value)
    counters = {
        "alerts_relearned": ("Alerts that no notification had brought.", learned),
        "resolves_relearned": ("Episodes closed whose resolve no notification had brought.", closed),
    }
    for name, (describes, value) in counters.items():
        yield CounterMetricFamily(PREFIX + name, describes, value=value)


def _gauge(name: str, describes: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, describes, value=value)


def _version() -> str:
    try:
        return version("rollback-controller")
    except PackageNotFoundError:
        return "unknown"
