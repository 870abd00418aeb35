"""An index of rules, so that an alert meets only those that could match it.

A rule that wants `service="shop"` is filed under that pair, and an alert without it never meets the rule.
Pairs that few rules share are preferred; where many rules share one, their other pairs divide them again.
A rule that can do without each of its labels, or wants no known value of any, meets every alert.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rules.matchers import Matcher
    from rules.rule import Rule, When

Pair: TypeAlias = tuple[str, str]
Cover: TypeAlias = frozenset[Pair]
"""Pairs of label and value of which a matching alert carries at least one."""

_FEW = 4
_MOST_VALUES = 64
_DEEPEST = 6
_LITERALS = re.compile(r"(?:[^\\.+*?()\[\]{}^$|]|\\[^\w\s])+(?:\|(?:[^\\.+*?()\[\]{}^$|]|\\[^\w\s])+)*")
_GROUPED = re.compile(r"\((?:\?:)?([^()]*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Filed:
    """One rule's place in the file, and the covers it can still be filed under."""

    place: int
    covers: tuple[Cover, ...]


@dataclass(slots=True)
class _Node:
    always: list[int] = field(default_factory=list)
    by_pair: dict[Pair, _Node] = field(default_factory=dict)

    def collect(self, labels: Mapping[str, str], found: set[int]) -> None:
        found.update(self.always)
        if self.by_pair:
            for pair in labels.items():
                node = self.by_pair.get(pair)
                if node is not None:
                    node.collect(labels, found)


class RuleIndex:
    """Rules, found by the labels of an alert."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)
        filed = [_Filed(place, tuple(_covers(rule.when))) for place, rule in enumerate(self._rules)]
        self._root = _build(filed, depth=0)

    def match(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that match, in file order."""
        return tuple(rule for rule in self.candidates(labels) if rule.when.matches(labels))

    def candidates(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that could match, in file order: those an alert is compared with."""
        found: set[int] = set()
        self._root.collect(labels, found)
        return tuple(self._rules[place] for place in sorted(found))


def _build(filed: Sequence[_Filed], depth: int) -> _Node:
    node = _Node()
    if depth > _DEEPEST or (depth and len(filed) <= _FEW):
        node.always = [entry.place for entry in filed]
        return node
    shared = Counter(pair for entry in filed for cover in entry.covers for pair in cover)
    buckets: dict[Pair, list[_Filed]] = {}
    for entry in filed:
        if not entry.covers:
            node.always.append(entry.place)
            continue
        chosen = min(entry.covers, key=lambda cover: max(shared[pair] for pair in cover))
        rest = _Filed(entry.place, tuple(c for c in entry.covers if c != chosen and len(c) == 1))
        for pair in chosen:
            buckets.setdefault(pair, []).append(rest)
    node.by_pair = {pair: _build(bucket, depth + 1) for pair, bucket in buckets.items()}
    return node


def _covers(when: When) -> Iterable[Cover]:
    for matcher in when.matchers:
        if cover := _cover(matcher):
            yield cover
    if when.any_of:
        smallest = [_smallest(matchers) for matchers in when.any_of]
        if all(smallest):
            yield frozenset().union(*smallest)


def _smallest(matchers: Iterable[Matcher]) -> Cover:
    """Return the cover with the fewest values that one list of `any` has, an empty one if it has none."""
    return min(filter(None, map(_cover, matchers)), key=len, default=frozenset())


def _cover(matcher: Matcher) -> Cover:
    """Return the pairs one matcher asks for; none where it names no values, or a missing label would do."""
    if matcher.op == "=":
        values = {matcher.value}
    elif matcher.op == "=~":
        values = literal_values(matcher.value)
    else:
        values = set()
    # A missing label counts as empty, and no alert could be found by a label it does not carry.
    usable = "" not in values and len(values) <= _MOST_VALUES
    return frozenset((matcher.name, value) for value in values) if usable else frozenset()


def literal_values(regex: str) -> set[str]:
    """Return the values that `a|b|c` matches; none for an expression that is more than that."""
    grouped = _GROUPED.fullmatch(regex)
    inside = grouped[1] if grouped else regex
    if not _LITERALS.fullmatch(inside):
        return set()
    return {re.sub(r"\\(.)", r"\1", value) for value in re.findall(r"(?:[^\\|]|\\.)+", inside, re.DOTALL)}
