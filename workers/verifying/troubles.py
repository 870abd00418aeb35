"""The alerts that stand against *recovered*: what ledger, Alertmanager and Prometheus know of each, together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from controller.ledger import Episode
from controller.ledger.booking import Heard
from rules.alerts import Alert
from rules.rule import When
from rules.verification import Trouble
from workers.monitoring.alertmanager import Firing
from workers.monitoring.promanswers import Active, AlertingRule
from workers.verifying.places import Places

_LEDGER = "the ledger"


@dataclass(slots=True)
class Troubles:
    """Collects for one look. `now_ms` is the ledger's time, which what fires now is dated by."""

    places: Places
    changed_ms: int
    now_ms: int
    alerts: dict[str, Alert] = field(default_factory=dict)
    _known: dict[str, Trouble] = field(default_factory=dict)
    _listed: frozenset[str] | None = None

    def of_rollback(self, episodes: Iterable[Episode]) -> None:
        """Add the alerts that stand behind the rollback, those that are over too."""
        for e in episodes:
            found = Trouble(e.fingerprint, e.open, e.heard_ms, e.closed_ms, source=_LEDGER)
            if self.places.is_of_another_release(e.alert):
                found = replace(found, firing=False, over_ms=self.changed_ms, heard_ms=None)
            self._add(e.alert, found)

    def of_ledger(self, heard: Iterable[Heard]) -> None:
        """Add the other open alerts of the rule's `when` about the instance."""
        for one in heard:
            alert = one.other.alert
            if alert.fingerprint not in self._known and self.places.is_ours(alert, one.other.instances):
                self._add(alert, _fires(alert, one.other.heard_ms, _LEDGER))

    def of_alertmanager(self, listed: Iterable[Firing]) -> None:
        """Add what Alertmanager lists: it fires now, whoever is told of it. What it does not list may be over."""
        everything = tuple(listed)
        self._listed = frozenset(one.alert.fingerprint for one in everything)
        for one in everything:
            if self._counts(one.alert):
                told = _fires(one.alert, self.now_ms, "Alertmanager")
                self._add(one.alert, replace(told, suppressed=_suppressed(one)))

    def of_prometheus(self, rules: Iterable[AlertingRule]) -> None:
        """Add what Prometheus judges to fire; what is only pending is no evidence, and not over either."""
        for active in (active for rule in rules for active in rule.active):
            alert = self._as_told(active)
            if self._counts(alert):
                heard_ms = self.now_ms if active.firing else None
                told = _fires(alert, heard_ms, "Prometheus")
                self._add(alert, replace(told, pending=not active.firing))

    def all(self, *, others_run: bool = False) -> tuple[Trouble, ...]:
        """Return them, each once; `others_run`: other instances still run what this one left."""
        return tuple(
            replace(
                one,
                shared=others_run and self.places.is_shared(self.alerts[name]),
                unlisted=self._is_unlisted(one),
            )
            for name, one in self._known.items()
        )

    def _is_unlisted(self, one: Trouble) -> bool:
        """Whether only the ledger takes it to fire, and Alertmanager, which told it so, does not know it now."""
        told = self._listed is not None and one.fingerprint not in self._listed
        return told and one.firing and one.source == _LEDGER

    def _counts(self, alert: Alert) -> bool:
        if alert.fingerprint in self._known:
            return not self.places.is_of_another_release(alert)
        return self.places.is_ours(alert)

    def _add(self, alert: Alert, found: Trouble) -> None:
        before = self._known.get(found.fingerprint)
        self.alerts.setdefault(found.fingerprint, alert)
        self._known[found.fingerprint] = found if before is None else _both(before, found)

    def _as_told(self, active: Active) -> Alert:
        """Return the alert as Alertmanager would tell it: with the external labels, as far as they are known."""
        for known in self.alerts.values():
            if active.labels.items() <= known.labels.items() and known.labels.get("alertname"):
                return known
        labels = {**self._external(active.labels), **active.labels}
        text = repr(sorted(labels.items()))
        return Alert(
            fingerprint=hashlib.sha256(text.encode()).hexdigest()[:16],
            status="firing",
            labels=labels,
            annotations=active.annotations,
            starts_at_ms=active.since_ms,
        )

    def _external(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return what the rule asks for and Prometheus does not say, as the alerts behind the rollback have it."""
        rule = self.places.rule
        asked = _asked(rule.when) if rule is not None else set()
        alike = [one for one in self.alerts.values() if one.labels.get("alertname") == labels.get("alertname")]
        return {name: one.labels[name] for one in alike for name in asked - set(labels) if name in one.labels}


def _fires(alert: Alert, heard_ms: int | None, source: str) -> Trouble:
    return Trouble(alert.fingerprint, firing=True, heard_ms=heard_ms, source=source)


def _asked(when: When) -> set[str]:
    """Return the labels that the matchers of a rule are about."""
    return {matcher.name for matchers in (when.matchers, *when.any_of) for matcher in matchers}


def _suppressed(one: Firing) -> str:
    if one.silenced:
        return "it is silenced"
    if one.inhibited:
        return "another alert inhibits it"
    return "a time interval of its route mutes it" if one.muted else ""


def _both(one: Trouble, other: Trouble) -> Trouble:
    """Join what two sources say of one alert: it fires if either says so."""
    firing = one.firing or other.firing
    fires = any(each.firing and not each.pending for each in (one, other))
    later = other if (other.heard_ms or 0) >= (one.heard_ms or 0) else one
    over = [at_ms for at_ms in (one.over_ms, other.over_ms) if at_ms is not None]
    return Trouble(
        one.fingerprint,
        firing,
        later.heard_ms,
        None if firing else max(over, default=None),
        one.suppressed or other.suppressed,
        later.source,
        pending=firing and not fires,
    )
