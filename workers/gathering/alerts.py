"""What is known of an alert: when its trouble began, and what else fires."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from controller.ledger import Episode, Ledger
from controller.ledger.booking import OTHERS_MOST, Heard
from rules.alerts import Alert
from rules.errors import NotYet, RollbackError
from rules.facts import AlertFacts, Fact, OtherAlert
from rules.rule import Rule, Target
from rules.templates import LabelMissing
from workers.finding import Finder
from workers.gathering.sparing import Sparing
from workers.monitoring.alertmanager import Alertmanager

log = structlog.get_logger(__name__)

_LOCATED_MOST = 50
"""Other alerts that are looked up where nobody has yet; of more, it is only known that they fire."""


@dataclass(slots=True)
class Alerts:
    """Gathers for one job. What was asked once is not asked again."""

    ledger: Ledger
    finder: Finder
    prometheus: Sparing | None
    alertmanager: Alertmanager | None
    _found: dict[tuple[str, str], tuple[str, ...] | None] = field(default_factory=dict)
    _firing: tuple[Alert, ...] | None = None
    _asked: bool = False

    def facts(self, rule: Rule, episode: Episode, now_ms: int) -> AlertFacts:
        """Put together what is known of one alert under one rule."""
        heard = self.ledger.booking.others(rule.digest)
        cut = bool(episode.truncated) or len(heard) > OTHERS_MOST
        answer = self._from_alertmanager() if cut else None
        complete, firing = answer is not None or not cut, answer or ()
        others = self._others(rule, episode.alert, heard, firing)
        source = "the ledger and Alertmanager" if firing else "the ledger"
        return AlertFacts(
            alert=episode.alert,
            onset=self._onset(rule, episode),
            began_ms=episode.first_ms,
            heard_ms=episode.heard_ms,
            truncated=episode.truncated,
            complete=complete,
            others=Fact(others, source, now_ms),
        )

    def _onset(self, rule: Rule, episode: Episode) -> Fact[int]:
        """Say when the trouble began; the alerting rule's `for` lies between that and the alert's start."""
        active = self._active_since(rule, episode)
        if active is not None:
            return active
        began = episode.first_ms
        if rule.when.alert_for_s is not None:
            return Fact(began - round(rule.when.alert_for_s * 1000), "startsAt minus alert-for")
        return Fact(began, "startsAt")

    def _active_since(self, rule: Rule, episode: Episode) -> Fact[int] | None:
        """Ask Prometheus, where there is one; it is waited for only where nothing else tells."""
        if self.prometheus is None:
            return None
        try:
            return self.prometheus.active_since(episode.alert)
        except RollbackError as e:
            log.warning("onset.unknown", fingerprint=episode.fingerprint, error=str(e))
            if rule.when.alert_for_s is None:
                said = f"when the trouble began is not known yet: {e} A rule with `alert-for` need not wait"
                raise NotYet(e.reason, said, retry_after_s=5) from e
            return None

    def _from_alertmanager(self) -> tuple[Alert, ...] | None:
        if self.alertmanager is None:
            return None
        if not self._asked:
            self._asked = True
            try:
                self._firing = self.alertmanager.firing()
            except RollbackError as e:
                log.warning("alertmanager.not_asked", error=str(e))
        return self._firing

    def _others(
        self, rule: Rule, judged: Alert, heard: Sequence[Heard], firing: Sequence[Alert]
    ) -> tuple[OtherAlert, ...]:
        known = {one.other.alert.fingerprint: one.other for one in heard}
        for alert in firing:
            known.setdefault(alert.fingerprint, OtherAlert(alert, since_ms=alert.starts_at_ms))
        known.pop(judged.fingerprint, None)
        return tuple(self._placed(rule, known.values()))

    def _placed(self, rule: Rule, others: Iterable[OtherAlert]) -> Iterable[OtherAlert]:
        """Say of which kind each is, and of those of our kind where they are, whatever the rule selects."""
        looked, told = 0, names_instances(rule)
        for other in others:
            alike = rule.when.alike(other.alert.labels)
            found = other.instances if told else None
            if told and alike and found is None and looked < _LOCATED_MOST:
                looked += 1
                found = self._find(rule, other.alert)
            yield replace(other, instances=found, alike=alike)

    def _find(self, rule: Rule, alert: Alert) -> tuple[str, ...] | None:
        known = (rule.digest, alert.fingerprint)
        if known not in self._found:
            self._found[known] = self._find_now(unscoped(rule), alert)
        return self._found[known]

    def _find_now(self, rule: Rule, alert: Alert) -> tuple[str, ...] | None:
        try:
            located, problem = self.finder.find(rule, alert, ())
        except RollbackError as e:
            log.info("alert.not_placed", fingerprint=alert.fingerprint, error=str(e))
            return None
        if problem is not None or (_only_selects(rule) and len(located) > 1):
            return None
        return self._running(rule, alert, tuple(one.instance.id for one in located))

    def _running(self, rule: Rule, alert: Alert, instances: tuple[str, ...]) -> tuple[str, ...] | None:
        """Keep those that run what the alert names, as they were seen last."""
        if rule.target.running is None:
            return instances
        try:
            wanted = rule.target.running.expand(alert.labels, alert.annotations)
        except LabelMissing:
            return None
        seen = {one: self.ledger.roster.get(one) for one in instances}
        return tuple(one for one, entry in seen.items() if entry is not None and wanted in entry.names)


def names_instances(rule: Rule) -> bool:
    """Whether an alert says by its labels which instances it is about; of a whole service it proves nothing."""
    hosts = rule.target.hosts
    return hosts is None or hosts.instance is not None or rule.target.running is not None


def _only_selects(rule: Rule) -> bool:
    within = rule.target.kubernetes
    return within is not None and within.selector is not None


def unscoped(rule: Rule) -> Rule:
    """Return the rule as it would be if it selected every instance that an alert is about."""
    target: Target = replace(rule.target, only={}, except_={}, arrived_within_s=None)
    return replace(rule, target=target)
