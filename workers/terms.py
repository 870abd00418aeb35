"""The terms of one rollback, kept in its record: they hold though the rule file changes under way."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rules.rule import Gitops, OnIneffective, Pin, Restore, Rule, WhenPaused
from rules.scope import Scope
from rules.to import Previous, To, read_to, write_to


@dataclass(frozen=True, slots=True)
class Terms:
    """Where to, how long, how often. `expects` is the release that must be running, where the rule says so.

    `override` is a person's: a release named by name is taken although this instance was rolled back from it.
    `overridden` are the guards, and reasons to drop a release, that a person set aside by name.
    `asks` where the alert may mean several instances, and a person has to say which.
    `only` and `except_` are what the rule selects, asked again of what is live.
    `checks` are the rule's, each as `promql`, `is` and `for` in seconds.
    `who` and `why` are the record's own, and are not written again.
    """

    to: tuple[To, ...] = (Previous(),)
    expects: str | None = None
    only: Mapping[str, Collection[str]] = field(default_factory=dict)
    except_: Mapping[str, Collection[str]] = field(default_factory=dict)
    override: bool = False
    overridden: tuple[str, ...] = ()
    asks: bool = False
    restore: Restore = Restore.AUTO
    pin: Pin = Pin.AUTO
    gitops: Gitops = Gitops.REFUSE
    when_paused: WhenPaused = WhenPaused.HOLD
    evidence_logs_s: float = 1800
    healthy_within_s: float = 300
    steady_s: float = 10
    cleared_within_s: float | None = None
    checks: Sequence[Mapping[str, Any]] = ()
    on_ineffective: OnIneffective = OnIneffective.HOLD
    attempts: int = 5
    initial_s: float = 2
    factor: float = 2
    max_s: float = 120
    who: str = ""
    why: str = ""

    @property
    def scope(self) -> Scope:
        """What the rule selects; a person's choice is not asked again."""
        return Scope(self.only, self.except_)

    @classmethod
    def of_rule(cls, rule: Rule, *, expects: str | None) -> Terms:
        """Take the terms of a rule."""
        return cls(
            to=rule.to,
            expects=expects,
            only={label: list(values) for label, values in rule.target.only.items()},
            except_={label: list(values) for label, values in rule.target.except_.items()},
            restore=rule.restore,
            pin=rule.pin,
            gitops=rule.gitops,
            when_paused=rule.target.kubernetes.when_paused if rule.target.kubernetes else WhenPaused.HOLD,
            evidence_logs_s=rule.evidence_logs_s,
            healthy_within_s=rule.verify.healthy_within_s,
            steady_s=rule.verify.steady_s,
            cleared_within_s=rule.verify.cleared_within_s,
            checks=[{"promql": c.promql, "is": str(c.is_), "for": c.for_s} for c in rule.verify.checks],
            on_ineffective=rule.verify.on_ineffective,
            attempts=rule.retry.attempts,
            initial_s=rule.retry.initial_s,
            factor=rule.retry.factor,
            max_s=rule.retry.max_s,
        )

    @classmethod
    def read(cls, spec: Mapping[str, Any]) -> Terms:
        """Read what `write` wrote, or the few words that a person's request holds."""
        to = tuple(read_to(word) for word in spec.get("to", ["previous"]))
        known = {name: value for name, value in spec.items() if name in cls.__slots__ and name != "to"}
        words: dict[str, Any] = {name: _ENUMS[name](v) if name in _ENUMS else v for name, v in known.items()}
        return cls(to=to, **words)

    def write(self) -> dict[str, Any]:
        """Return the terms as JSON-able words."""
        written = {**asdict(self), "to": [write_to(target) for target in self.to]}
        return {name: value for name, value in written.items() if name not in ("who", "why")}


_ENUMS = {
    "restore": Restore,
    "pin": Pin,
    "gitops": Gitops,
    "when_paused": WhenPaused,
    "on_ineffective": OnIneffective,
}
