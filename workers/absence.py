"""What one list of all that fires teaches: which alerts to hear, which episodes it lacks, since when. Pure.

Alertmanager's notifications are the ordinary way to learn of either. This is for what they missed, and it errs on
the side of knowing nothing: an alert is learned when two looks have seen it, an episode is over when two looks
have not, far enough apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from controller.ledger.relearned import Unresolved
    from rules.alerts import Alert
    from workers.monitoring.alertmanager import Firing


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of one look.

    `heard` go through the intake as a notification's would. `kept` fire and nobody is told of them: their
    episodes stay open, and no rule is asked. `lacking` are open episodes that the list lacks. `whole` says that
    everything in the list is heard with this: what was cut off from notifications is known then.
    """

    heard: tuple[Alert, ...]
    kept: tuple[Alert, ...]
    lacking: tuple[Unresolved, ...]
    whole: bool

    @property
    def listed(self) -> tuple[str, ...]:
        """The fingerprints of what fires, of those that are heard."""
        return tuple(alert.fingerprint for alert in (*self.heard, *self.kept))


@dataclass(slots=True)
class Memory:
    """What the last looks saw. Only for one process: another begins anew, and so do we after a while without."""

    drift_s: float
    """How much later than it was last heard an alert may begin and still be the same firing."""
    absent_s: float
    _told: frozenset[str] = frozenset()
    _absent: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Fingerprint → the start of its episode, and when it was first found to be lacking."""

    def teach(
        self, listed: Sequence[Firing], unresolved: Mapping[str, Unresolved], *, may_keep_back: bool = False
    ) -> Taught:
        """Compare a list with the episodes that were open before it was asked for.

        A new episode is opened only by an alert that Alertmanager would notify of: who silenced or inhibited it
        wants no rollback. With `may_keep_back` that is not known of any alert whose `muted` is None.
        """
        heard, kept, whole = [], [], True
        told = frozenset(one.alert.fingerprint for one in listed if _told(one, may_keep_back=may_keep_back))
        for one in listed:
            same = self.same(one.alert, unresolved.get(one.alert.fingerprint))
            is_told = one.alert.fingerprint in told
            if is_told and (same or one.alert.fingerprint in self._told):
                heard.append(one.alert)
            elif same:
                kept.append(one.alert)
            elif is_told:
                whole = False  # it has just come in: its notification may be on its way
        self._told = told
        fires = {alert.fingerprint for alert in (*heard, *kept)}
        lacking = tuple(one for name, one in unresolved.items() if name not in fires and one.listed)
        return Taught(tuple(heard), tuple(kept), lacking, whole)

    def over(self, lacking: Sequence[Unresolved], now_ms: int) -> tuple[Unresolved, ...]:
        """Return the episodes that have been lacking for long enough; those heard of meanwhile begin anew.

        Where one was heard of meanwhile none is over: what we are told and what is listed do not agree.
        """
        before, self._absent = self._absent, {}
        over, at_odds = [], False
        for one in lacking:
            first_ms, since_ms = before.get(one.fingerprint, (one.first_ms, now_ms))
            if first_ms != one.first_ms or one.heard_ms > since_ms:
                at_odds, since_ms = at_odds or one.heard_ms > since_ms, now_ms
            self._absent[one.fingerprint] = one.first_ms, since_ms
            if now_ms - since_ms >= self.absent_s * 1000:
                over.append(one)
        return () if at_odds else tuple(over)

    def same(self, alert: Alert, one: Unresolved | None) -> bool:
        """Tell whether an alert is the firing that an episode stands for, as the ledger would."""
        if one is None:
            return False
        return alert.starts_at_ms <= max(one.heard_ms, one.first_ms) + self.drift_s * 1000

    def doubt(self) -> None:
        """Forget what was lacking: this look proves no absence."""
        self._absent = {}

    def forget(self) -> None:
        """Forget everything: somebody else looks now."""
        self._told = frozenset()
        self.doubt()


def _told(one: Firing, *, may_keep_back: bool) -> bool:
    return one.told and not (may_keep_back and one.muted is None)
