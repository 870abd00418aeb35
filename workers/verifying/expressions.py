"""What an alerting rule's expression uses, and how far back it looks: parsed, never searched with patterns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

import promql_parser
import structlog
from promql_parser import MatchOp, MatrixSelector, SubqueryExpr, VectorSelector

log = structlog.get_logger(__name__)

_OF_PROMETHEUS_ITSELF = frozenset({"ALERTS", "ALERTS_FOR_STATE"})


@dataclass(frozen=True, slots=True)
class Expression:
    """The metrics that an expression names, and the seconds that the oldest sample it uses may be old."""

    metrics: frozenset[str] = frozenset()
    reach_s: float = 0.0


@lru_cache(maxsize=256)
def read_expression(promql: str) -> Expression | None:
    """Read an expression; None where it is none, or one that only a newer parser knows."""
    try:
        tree = promql_parser.parse(promql)
    except ValueError as e:
        log.warning("expression.not_read", promql=promql, error=str(e))
        return None
    walk = _Walk()
    promql_parser.walk(tree, walk.enter, walk.leave)
    return Expression(frozenset(walk.metrics - _OF_PROMETHEUS_ITSELF), walk.longest_s)


@dataclass(slots=True)
class _Walk:
    """Goes through a tree; what is nested looks back by all of its ranges and offsets together."""

    metrics: set[str] = field(default_factory=set)
    longest_s: float = 0.0
    _depth: list[float] = field(default_factory=lambda: [0.0])

    def enter(self, node: object) -> None:
        back_s = self._depth[-1]
        if isinstance(node, MatrixSelector):
            back_s += node.range.total_seconds()
        elif isinstance(node, SubqueryExpr):
            back_s += _seconds(node.range) + _seconds(node.offset)
        elif isinstance(node, VectorSelector):
            back_s += _seconds(node.offset)
            self.metrics |= _named(node)
        self._depth.append(back_s)
        self.longest_s = max(self.longest_s, back_s)

    def leave(self, node: object) -> None:
        del node
        self._depth.pop()


def _seconds(told: timedelta | None) -> float:
    return told.total_seconds() if told is not None else 0.0


def _named(selector: VectorSelector) -> set[str]:
    if selector.name:
        return {selector.name}
    return {m.value for m in selector.matchers.matchers if m.name == "__name__" and m.op == MatchOp.Equal}
