"""What the settings define and rules name: a name that nobody defined is a mistake at its place in the file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rules.durations import write_duration
from rules.reading.verifylint import unanswered
from rules.reading.wording import near_miss
from rules.reading.yamlnodes import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.reading.fileerrors import FileError
    from rules.reading.yamlfile import Document
    from rules.reading.yamlnodes import Node
    from rules.rule import Rule
    from rules.ruleset import RuleSet

Kind = Literal["freeze", "notify"]


@dataclass(frozen=True, slots=True)
class Mention:
    """A rule names something of the settings; `at` is the place of it, without a message."""

    kind: Kind
    name: str
    at: FileError


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the settings rules depend on: freeze windows and channels by name, and what monitoring there is."""

    windows: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    group_interval_s: float = 300.0
    prometheus: bool = True
    alertmanager: bool = True

    def errors(self, ruleset: RuleSet) -> Iterator[FileError]:
        """Name what rules name and the settings do not define."""
        for mention in ruleset.mentions:
            known, section, what = self._defined(mention.kind)
            if mention.name not in known:
                hint = near_miss(mention.name, known) or f"; define it under `{section}` there, or remove it here"
                yield replace(mention.at, message=f"the settings know no {what} `{mention.name}`{hint}")

    def warnings(self, ruleset: RuleSet) -> Iterator[FileError]:
        """Say which rules would judge before they can have been told, or ask what nobody answers."""
        for rule in ruleset.rules:
            if rule.name in ruleset.places:
                yield from (ruleset.places[rule.name].says(message) for message in self._odd(rule))

    def _odd(self, rule: Rule) -> Iterator[str]:
        least, within = 2 * self.group_interval_s, rule.verify.cleared_within_s
        if within is not None and within < least:
            yield self._too_short(rule, within, least)
        yield from unanswered(rule, prometheus=self.prometheus, alertmanager=self.alertmanager)

    def _too_short(self, rule: Rule, within: float, least: float) -> str:
        interval = write_duration(self.group_interval_s)
        return (
            f"`{rule.name}` waits {write_duration(within)} for the alert to be gone, but with a group_interval of "
            f"{interval} in Alertmanager it can take {write_duration(least)} until we are told: raise "
            "`cleared-within`, or set `numbers.group-interval-s` to what Alertmanager has"
        )

    def _defined(self, kind: Kind) -> tuple[frozenset[str], str, str]:
        if kind == "freeze":
            return self.windows, "policy.freeze", "freeze window"
        return self.channels, "notify", "channel"


def mentions_in(rule: Node, document: Document) -> Iterator[Mention]:
    """Find what a rule names, wherever it stands: in the rule, or in the defaults it inherits."""
    yield from _listed("freeze", _below(_below(rule, "guards"), "freeze"), document)
    yield from _listed("notify", _below(rule, "notify"), document)


def _below(node: Node | None, key: str) -> Node | None:
    entry = node.entries.get(key) if isinstance(node, Mapping) else None
    return entry.value if entry else None


def _listed(kind: Kind, node: Node | None, document: Document) -> Iterator[Mention]:
    items = node.items if isinstance(node, Sequence) else []
    for item in items:
        if isinstance(item, Scalar):
            yield Mention(kind, item.text, document.error(item, ""))
