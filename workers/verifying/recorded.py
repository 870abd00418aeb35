"""What recorded series are made of: `slo:errors:rate1h` drains for an hour, though its selector has no range."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from workers.monitoring.promanswers import RecordingRule
from workers.verifying.expressions import Expression, read_expression

UNKNOWN_REACH_S = 3600.0
"""How far back a recorded series looks of which nobody can tell what it is made of."""
_LEVELS = 5
"""So deep are recording rules of recording rules looked into."""
_MOST = 100
"""So many names are asked about at once."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The expressions of recording rules, by the names that they record."""

    expressions: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def reach_s(self, read: Expression) -> float:
        """Return how old the oldest sample may be that an expression uses, through what is recorded."""
        return self._of(read, (), {})

    def _of(self, read: Expression, within: tuple[str, ...], known: dict[str, float]) -> float:
        through = (back_s + self._of_name(name, within, known) for name, back_s in read.backs.items())
        return max(read.reach_s, *through, 0.0)

    def _of_name(self, name: str, within: tuple[str, ...], known: dict[str, float]) -> float:
        if name in known:
            return known[name]
        made_of = self.expressions.get(name)
        if made_of is None:
            return UNKNOWN_REACH_S if ":" in name else 0.0
        if name in within or len(within) >= _LEVELS:
            return UNKNOWN_REACH_S
        read = [read_expression(one) for one in made_of]
        known[name] = max(
            UNKNOWN_REACH_S if one is None else self._of(one, (*within, name), known) for one in read
        )
        return known[name]


NOTHING_RECORDED = Recorded()


def look_up(
    expressions: Iterable[str], ask: Callable[[frozenset[str]], Iterable[RecordingRule] | None]
) -> Recorded:
    """Ask for the recording rules behind these expressions, and behind those; `ask` gives None if it cannot."""
    found: dict[str, frozenset[str]] = {}
    asked: set[str] = set()
    wanted = _names(expressions)
    for _ in range(_LEVELS):
        wanted = frozenset(sorted(wanted - asked)[:_MOST])
        rules = ask(wanted) if wanted else None
        if rules is None:
            break
        asked |= wanted
        of_these = [rule for rule in rules if rule.name in wanted]
        for rule in of_these:
            found[rule.name] = found.get(rule.name, frozenset()) | {rule.expression}
        wanted = _names(rule.expression for rule in of_these)
    return Recorded(found)


def _names(expressions: Iterable[str]) -> frozenset[str]:
    read = (read_expression(one) for one in expressions)
    return frozenset(name for one in read if one is not None for name in one.metrics)
