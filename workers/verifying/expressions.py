"""What an alerting rule's expression uses, and how far back it looks: parsed, never searched with patterns.

The parser descends, in Rust, with what is nested: text that nests some thousand deep would end the process. Its
own `walk` takes the third power of the depth, so the tree is gone through here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache

import promql_parser
import structlog
from promql_parser import MatchOp, MatrixSelector, SubqueryExpr, VectorSelector

log = structlog.get_logger(__name__)

_LONGEST = 4096
"""Characters of an expression that is read. Ten thousand can nest deep enough to end the process (measured)."""
_PARTS = ("lhs", "rhs", "expr", "param", "vector_selector")
_OF_PROMETHEUS_ITSELF = frozenset({"ALERTS", "ALERTS_FOR_STATE"})


@dataclass(frozen=True, slots=True)
class Expression:
    """The metrics that an expression names, and how old the oldest sample of each, and of all, may be."""

    backs: Mapping[str, float] = field(default_factory=dict)
    reach_s: float = 0.0

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics that it names."""
        return frozenset(self.backs)


@lru_cache(maxsize=256)
def read_expression(promql: str) -> Expression | None:
    """Read an expression; None where it is none, one that only a newer parser knows, or a very long one."""
    if len(promql) > _LONGEST:
        log.warning("expression.not_read", promql=promql[:200], error=f"it has more than {_LONGEST} characters")
        return None
    try:
        tree = promql_parser.parse(promql)
    except ValueError as e:
        log.warning("expression.not_read", promql=promql, error=str(e))
        return None
    backs: dict[str, float] = {}
    longest_s = 0.0
    waiting: list[tuple[object, float]] = [(tree, 0.0)]
    while waiting:
        node, back_s = waiting.pop()
        back_s += _looks_back_s(node)
        longest_s = max(longest_s, back_s)
        if isinstance(node, VectorSelector):
            for name in _named(node) - _OF_PROMETHEUS_ITSELF:
                backs[name] = max(back_s, backs.get(name, 0.0))
        waiting += [(inner, back_s) for inner in _inside(node)]
    return Expression(backs, longest_s)


def _inside(node: object) -> Iterator[object]:
    """Give the nodes right below; what is nested looks back by all of its ranges and offsets together."""
    yield from (inner for part in _PARTS if (inner := getattr(node, part, None)) is not None)
    yield from getattr(node, "args", None) or ()


def _looks_back_s(node: object) -> float:
    if isinstance(node, MatrixSelector):
        return float(node.range.total_seconds())
    if isinstance(node, SubqueryExpr):
        return _seconds(node.range) + _seconds(node.offset)
    if isinstance(node, VectorSelector):
        return _seconds(node.offset)
    return 0.0


def _seconds(told: timedelta | None) -> float:
    return told.total_seconds() if told is not None else 0.0


def _named(selector: VectorSelector) -> set[str]:
    if selector.name:
        return {selector.name}
    return {m.value for m in selector.matchers.matchers if m.name == "__name__" and m.op == MatchOp.Equal}
