"""All rules in force, in the order of their files, and the alerts they are about."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from rules.matching.index import RuleIndex
from rules.matching.interest import Interest
from rules.reading.fileerrors import Place, RuleFileErrors
from rules.reading.guardlint import odd_guards
from rules.reading.rulelint import oddities, overlaps
from rules.reading.verifylint import odd_verifying

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rules.reading.fileerrors import FileError
    from rules.reading.surroundings import Mention
    from rules.rule import Rule


@dataclass(frozen=True)
class RuleSet:
    """Rules, what is odd about them, and where each one is written (by name; for messages only)."""

    rules: tuple[Rule, ...] = ()
    warnings: tuple[FileError, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict, repr=False, compare=False)
    mentions: tuple[Mention, ...] = field(default=(), repr=False, compare=False)
    """What its rules name of the settings."""

    def by_digest(self, digest: str) -> Rule | None:
        """Return the rule that means exactly this, if it is still in force."""
        return self._by_digest.get(digest)

    def match(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that are about an alert with these labels, in file order."""
        return self._index.match(labels)

    def of_interest(self, labels: Mapping[str, str]) -> tuple[Rule, ...]:
        """Return the rules that look at such an alert though they may not match it, in file order."""
        return self._interest.of(labels)

    @cached_property
    def _interest(self) -> Interest:
        return Interest(self.rules)

    @cached_property
    def _by_digest(self) -> dict[str, Rule]:
        return {rule.digest: rule for rule in self.rules}

    @cached_property
    def _index(self) -> RuleIndex:
        return RuleIndex(self.rules)


def collect(placed: Iterable[tuple[Rule, Place]]) -> RuleSet:
    """Make one set, with its warnings. Raises `RuleFileErrors` where two rules have one name."""
    rules: list[Rule] = []
    places: dict[str, Place] = {}
    errors: list[FileError] = []
    for rule, place in placed:
        if rule.name in places:
            errors.append(
                place.says(f"`{rule.name}` is the name of another rule at {places[rule.name]}; rename one")
            )
            continue
        places[rule.name] = place
        rules.append(rule)
    if errors:
        raise RuleFileErrors(tuple(errors))
    kinds = (oddities, odd_guards, odd_verifying)
    odd = [places[r.name].says(message) for r in rules for kind in kinds for message in kind(r)]
    met = [places[rule.name].says(message) for rule, message in overlaps(rules)]
    return RuleSet(tuple(rules), tuple(sorted({*odd, *met})), MappingProxyType(places))


def combine(rulesets: Iterable[RuleSet]) -> RuleSet:
    """Put the rules of several files together, in their order, and compare them across the files."""
    sets = tuple(rulesets)
    if len(sets) == 1:
        return sets[0]
    combined = collect((rule, _place(rule, one)) for one in sets for rule in one.rules)
    of_files = {warning for one in sets for warning in one.warnings}
    mentions = tuple(mention for one in sets for mention in one.mentions)
    return RuleSet(combined.rules, tuple(sorted({*combined.warnings, *of_files})), combined.places, mentions)


def _place(rule: Rule, ruleset: RuleSet) -> Place:
    """Find where a rule is written; a rule that was made without a file is nowhere."""
    return ruleset.places.get(rule.name, Place(rule.source, 0, 0))
