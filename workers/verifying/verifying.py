"""One look after a change: everything that is known, whichever part of the monitoring answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.ledger import Episode, Rollback, RosterEntry
from controller.ledger.booking import OTHERS_MOST
from rules.errors import Permanent
from rules.instances import HostInstance, Instance, read_instance
from rules.verification import Seen
from workers.finding import Finder
from workers.monitoring.alertmanager import Alertmanager, complete_for
from workers.monitoring.promanswers import AlertingRule
from workers.monitoring.prometheus import Prometheus
from workers.scraping import targets_of
from workers.site import Site
from workers.terms import Terms
from workers.verifying.asking import Asking
from workers.verifying.checks import Checks
from workers.verifying.draining import behind, drains_s, may_fire_s
from workers.verifying.expressions import read_expression
from workers.verifying.others import others_run_it
from workers.verifying.places import Places
from workers.verifying.recorded import NOTHING_RECORDED, Recorded, look_up
from workers.verifying.troubles import Troubles
from workers.verifying.watch import Watch, Watcher

_BUDGET_S = 20.0
"""All questions of one look together, to each server: what is late is asked again with the next look."""
_BEFORE_MS = 1_000


class Verifying:
    """Looks, for one job. Connects only to what is asked; whoever builds it closes it.

    The rule is the one that opened the rollback; where it is no longer in force, other alerts count by what was
    decided of them, and the rest by the rollback's own terms. Nothing here raises because monitoring is away.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._prometheus: Prometheus | None = None
        self._alertmanager: Alertmanager | None = None
        self._finder: Finder | None = None
        self._closing: list[Callable[[], None]] = []

    def look(self, rollback: Rollback, terms: Terms, episodes: Sequence[Episode], now_ms: int) -> Seen:
        """Say what is known now. Raises `LedgerUnavailable`."""
        changed_ms = rollback.changed_ms or now_ms
        interval_s = self._site.numbers.group_interval_s
        told_s = terms.cleared_within_s if terms.cleared_within_s is not None else rollback.cleared_within_s
        if not rollback.rule_digest and not episodes and not terms.checks:
            return Seen(changed_ms, now_ms, told_s or 0.0, interval_s, by_hand=True)
        return _Look(self, self._site, rollback, terms, episodes, changed_ms, now_ms).seen(told_s)

    def close(self) -> None:
        """Let go of connections."""
        for close in self._closing:
            close()
        self._closing.clear()
        self._prometheus = self._alertmanager = self._finder = None

    def prometheus(self) -> Prometheus | None:
        """Return the client, where the settings name one."""
        if self._prometheus is None and self._site.prometheus is not None:
            self._prometheus = self._site.prometheus()
            self._closing.append(self._prometheus.close)
        return self._prometheus

    def alertmanager(self) -> Alertmanager | None:
        """Return the client, where the settings name one."""
        if self._alertmanager is None and self._site.alertmanager is not None:
            self._alertmanager = self._site.alertmanager()
            self._closing.append(self._alertmanager.close)
        return self._alertmanager

    def finder(self) -> Finder:
        """Return what leads from alerts to instances."""
        if self._finder is None:
            self._finder = self._site.find()
            self._closing.append(self._finder.close)
        return self._finder


@dataclass(slots=True)
class _Look:
    verifying: Verifying
    site: Site
    rollback: Rollback
    terms: Terms
    episodes: Sequence[Episode]
    changed_ms: int
    now_ms: int

    def seen(self, told_s: float | None) -> Seen:
        rule = self.site.house.rules.by_digest(self.rollback.rule_digest)
        present = self._present()
        places = Places(self.rollback.instance, rule, self.verifying.finder, present)
        troubles = Troubles(places, self.changed_ms, self.now_ms)
        until = time.monotonic() + _BUDGET_S
        of_prometheus, of_alertmanager = Asking(until), Asking(until)

        troubles.of_rollback(self.episodes)
        complete = self._others(troubles, of_alertmanager)
        rules = self._alerting_rules(of_prometheus)
        troubles.of_prometheus(rules)
        own = behind(rules, (e.alert for e in self.episodes))
        interval_s = self.site.numbers.group_interval_s
        alert_for_s = rule.when.alert_for_s if rule else None
        if told_s is None:
            told_s = drains_s(own, alert_for_s or 0.0, interval_s, self._recorded(of_prometheus, own))
        watch = self._watch(of_prometheus, present, own)
        checks = Checks(self.verifying.prometheus(), of_prometheus, self.changed_ms, self.now_ms)
        alert = next((e.alert for e in self.episodes), None)
        return Seen(
            changed_ms=self.changed_ms,
            now_ms=self.now_ms,
            cleared_within_s=told_s,
            group_interval_s=interval_s,
            checks=checks.look(self.terms.checks, alert),
            troubles=troubles.all(others_run=self._others_run(places, told_s)),
            by_hand=not self.rollback.rule_digest,
            complete=complete and not places.many,
            watched=watch.expected,
            scraped=watch.scraped,
            gone=watch.gone,
            may_fire_s=may_fire_s(own, alert_for_s),
            blind=of_alertmanager.blind or of_prometheus.blind or places.unknown,
        )

    def _others_run(self, places: Places, cleared_within_s: float) -> bool:
        """Whether an alert of the whole service may be about others; it matters once it could be evidence."""
        if not places.may_be_shared or self.now_ms < self.changed_ms + cleared_within_s * 1000:
            return False
        return others_run_it(self.site.ledger, self.rollback)

    def _present(self) -> RosterEntry | None:
        """Return the instance as it was seen since the change; None where it was not yet."""
        entry = self.site.ledger.roster.get(self.rollback.instance)
        if entry is None or entry.seen_ms <= self.changed_ms:
            return None
        return entry

    def _targets(self, instance: Instance, present: RosterEntry | None) -> tuple[str, ...] | None:
        """Return by what its metrics are told: of a host the inventory says it, of a workload its pods' names."""
        if not isinstance(instance, HostInstance):
            return None if present is None else present.targets
        service = self.site.house.inventory.services.get(instance.service)
        hosts = service.hosts if service is not None else ()
        return next((targets_of(host) for host in hosts if host.name == instance.host), None)

    def _others(self, troubles: Troubles, asking: Asking) -> bool:
        """Add what else fires; returns whether the absence of an alert proves anything."""
        digest = self.rollback.rule_digest
        heard = self.site.ledger.booking.others(digest) if digest else ()
        troubles.of_ledger(heard)
        cut = any(e.truncated for e in self.episodes) or len(heard) > OTHERS_MOST
        alertmanager = self.verifying.alertmanager()
        listed = asking(alertmanager.listed) if alertmanager is not None else None
        if listed is None:
            return not cut
        troubles.of_alertmanager(listed)
        return not cut or complete_for((e.alert for e in self.episodes), (one.alert for one in listed))

    def _alerting_rules(self, asking: Asking) -> tuple[AlertingRule, ...]:
        prometheus = self.verifying.prometheus()
        return () if prometheus is None else asking(prometheus.alerting_rules) or ()

    def _recorded(self, asking: Asking, rules: Sequence[AlertingRule]) -> Recorded:
        """Look through the recording rules that alerting rules are made of."""
        prometheus = self.verifying.prometheus()
        if prometheus is None:
            return NOTHING_RECORDED
        asks = prometheus.recording_rules
        return look_up((rule.expression for rule in rules), lambda names: asking(lambda: asks(sorted(names))))

    def _watch(self, asking: Asking, present: RosterEntry | None, rules: Sequence[AlertingRule]) -> Watch:
        prometheus = self.verifying.prometheus()
        if prometheus is None:
            return Watch(expected=False)
        read = (read_expression(rule.expression) for rule in rules)
        metrics = {name for one in read if one is not None for name in one.metrics}
        before_ms = (self.rollback.committed_ms or self.changed_ms) - _BEFORE_MS
        instance = read_instance(self.rollback.instance)
        targets = self._targets(instance, present)
        watcher = Watcher(prometheus, asking, instance, before_ms, self.now_ms)
        try:
            return watcher.look(targets, metrics)
        except Permanent as e:  # what we wrote ourselves is not taken for PromQL: an odd server
            asking.blind = asking.blind or str(e)
            return Watch(expected=True)
