"""Which alerts are about the changed instance, whatever their other labels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from controller.ledger import RosterEntry
from rules.alerts import Alert
from rules.errors import Permanent, Transient
from rules.rule import Rule
from rules.templates import LabelMissing
from workers.finding import Finder
from workers.gathering.alerts import unscoped

log = structlog.get_logger(__name__)

_LOOKED_UP_MOST = 50


@dataclass(slots=True)
class Places:
    """Tells for one look. `seen` is the instance as it was seen since the change; None: not yet.

    `unknown` says of which alert it could not be told, and `many` that there were more than are looked up.
    """

    instance: str
    rule: Rule | None
    finder: Callable[[], Finder]
    seen: RosterEntry | None = None
    unknown: str = ""
    many: bool = False
    _told: dict[str, bool] = field(default_factory=dict)
    _looked_up: int = 0

    def is_ours(self, alert: Alert, decided: tuple[str, ...] | None = None) -> bool:
        """Tell whether an alert of the rule's `when` is about the instance; `decided` is what was found before."""
        if self.is_of_another_release(alert):
            return False
        if self.rule is None or decided:
            return self.instance in (decided or ())
        if not self.rule.when.matches(alert.labels):
            return False
        if alert.fingerprint not in self._told:
            if self._looked_up >= _LOOKED_UP_MOST:
                self.many = True
                return False
            self._looked_up += 1
            self._told[alert.fingerprint] = self._find(self.rule, alert)
        return self._told[alert.fingerprint]

    def is_of_another_release(self, alert: Alert) -> bool:
        """Tell whether an alert of a whole service names a release that the instance no longer runs.

        One that names the instance is about it, whatever release it names: it may only drain, and may not.
        """
        if self.rule is None or self.seen is None or self.rule.target.running is None or _names_one(self.rule):
            return False
        try:
            named = self.rule.target.running.expand(alert.labels, alert.annotations)
        except LabelMissing:
            return False
        return named not in self.seen.names

    @property
    def may_be_shared(self) -> bool:
        """Whether the rule's alerts may be about several instances at once, without a word on which.

        One that names a release is not asked about: it stops counting once the instance is seen to run another.
        """
        return self.rule is not None and self.rule.target.running is None and not _names_one(self.rule)

    def is_shared(self, alert: Alert) -> bool:
        """Tell whether an alert is not known to be about one instance alone."""
        if self.rule is None or not self.may_be_shared:
            return False
        try:
            located, _ = self.finder().find(unscoped(self.rule), alert, ())
        except (Permanent, Transient):
            return True
        return len({one.instance.id for one in located}) != 1

    def _find(self, rule: Rule, alert: Alert) -> bool:
        try:
            located, _ = self.finder().find(unscoped(rule), alert, ())
        except Permanent:
            return False
        except Transient as e:
            log.warning("verifying.alert_not_placed", fingerprint=alert.fingerprint, error=str(e))
            self.unknown = f"which instance {alert.labels.get('alertname', 'an alert')} is about is not known: {e}"
            return False
        return any(one.instance.id == self.instance for one in located)


def _names_one(rule: Rule) -> bool:
    """Whether the alert's labels say which instance is meant, and not only which service."""
    hosts, within = rule.target.hosts, rule.target.kubernetes
    return (hosts is not None and hosts.instance is not None) or (within is not None and within.selector is None)
