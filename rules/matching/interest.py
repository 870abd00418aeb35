"""Which rules look at an alert that they do not match: as another cause, a second signal, or one of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rules.rule import Rule

_MOST_KINDS = 4096
"""Names of alerts that are remembered; senders choose them."""


class Interest:
    """Rules, found by an alert that is of interest to them. Kinds are worked out once for each `alertname`."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        self._signalled = tuple(rule for rule in rules if rule.when.unless or rule.when.also)
        self._kinds: dict[str, tuple[Rule, ...]] = {}

    def of(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that look at an alert with these labels, in file order, those that match among them."""
        found = {rule.name for rule in self._alike(labels.get("alertname", ""))}
        found.update(rule.name for rule in self._signalled if _signals(rule, labels))
        return tuple(rule for rule in self._rules if rule.name in found) if found else ()

    def _alike(self, alertname: str) -> tuple[Rule, ...]:
        kind = self._kinds.get(alertname)
        if kind is None:
            kind = tuple(rule for rule in self._rules if rule.when.alike({"alertname": alertname}))
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            self._kinds[alertname] = kind
        return kind


def _signals(rule: Rule, labels: Mapping[str, str]) -> bool:
    signals = (rule.when.unless, rule.when.also)
    return any(all(m.matches(labels) for m in signal.matchers) for signal in signals if signal)
