"""Whether the instance is still watched: scraped, and told by the metrics that its alert is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rules.facts import Fact, Sample
from rules.instances import Instance, WorkloadInstance
from workers.monitoring.prometheus import Prometheus
from workers.scraping import read_up
from workers.verifying.asking import Asking
from workers.verifying.series import Selection, selection, selection_before


@dataclass(frozen=True, slots=True)
class Watch:
    """What is known of it. `expected` is False where the instance never was a target, or has nothing to scrape."""

    expected: bool
    scraped: Fact[bool] | None = None
    gone: tuple[str, ...] = ()


@dataclass(slots=True)
class Watcher:
    """Asks Prometheus about one instance. `before_ms` is a moment before the change."""

    prometheus: Prometheus
    asking: Asking
    instance: Instance
    before_ms: int
    now_ms: int

    def look(self, targets: tuple[str, ...] | None, metrics: Iterable[str]) -> Watch:
        """Look; `targets` is what its metrics may be labelled with since the change, None where nobody knows."""
        if targets is None:
            return Watch(expected=True)
        if not targets:  # scaled to zero: there is nothing to scrape
            return Watch(expected=False)
        now, before = selection(self.instance, targets), selection_before(self.instance, targets)
        scraped = self._scraped(now, targets)
        if scraped is None:
            return Watch(expected=True)
        if not scraped.value and scraped.source == _NO_TARGET and not self._was_target(before):
            return Watch(expected=bool(self.asking.blind))
        return Watch(expected=True, scraped=scraped, gone=self._gone(now, before, metrics))

    def _scraped(self, now: Selection, targets: tuple[str, ...]) -> Fact[bool] | None:
        samples = self.asking(lambda: self.prometheus.query(now.up()))
        if samples is None:
            return None
        told = read_up(samples)
        if isinstance(self.instance, WorkloadInstance):
            up = told.of_pods(self.instance.namespace, targets)
        else:
            up = told.of_words(targets)
        return Fact(bool(up), _NO_TARGET if up is None else "Prometheus up", self.now_ms)

    def _was_target(self, before: Selection) -> bool:
        return bool(self.asking(lambda: self.prometheus.query_at(before.up(), self.before_ms)))

    def _gone(self, now: Selection, before: Selection, metrics: Iterable[str]) -> tuple[str, ...]:
        """Return the metrics that told of the instance before, and do not now."""
        wanted = sorted(metrics)
        if not wanted:
            return ()
        had = self.asking(lambda: self.prometheus.query_at(before.names(wanted), self.before_ms))
        if not had:
            return ()
        has = self.asking(lambda: self.prometheus.query(now.names(wanted)))
        return () if has is None else tuple(sorted(_names(had) - _names(has)))


_NO_TARGET = "Prometheus knows no target"


def _names(samples: Iterable[Sample]) -> set[str]:
    labels: Iterable[Mapping[str, str]] = (sample.labels for sample in samples)
    return {one["__name__"] for one in labels if "__name__" in one}
