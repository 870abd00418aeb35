"""What is allowed but odd about a rule's guards: those that are not asked, that always hold, or that never can."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rules.durations import write_duration
from rules.rule import Mode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.matchers import Matcher
    from rules.rule import Rule, Target, When

_PLAIN_ALTERNATIVES = re.compile(r"[\w:-]+(?:\|[\w:-]+)*")


def odd_guards(rule: Rule) -> Iterator[str]:
    """Say what is odd about the guards of one rule."""
    if rule.mode is Mode.ACT and rule.guards.caused_by_release is None:
        yield (
            f"`{rule.name}` acts on its own and does not ask whether the release is the cause; "
            "leave `caused-by-release` on, or write `mode: ask`"
        )
    if rule.when.unless is not None and _is_about_itself(rule.when, rule.when.unless.matchers):
        yield (
            f"`unless` of `{rule.name}` holds for the very alerts that the rule is about; "
            "name the alert of the other cause there"
        )
    if _takes_any_suspect(rule.target):
        yield (
            f"`{rule.name}` is about alerts that name no instance, and suspects every one it selects, whatever it "
            "runs; write `arrived-within: 2h`, or what they run under `running:`"
        )
    yield from _odd_waves(rule)


def _odd_waves(rule: Rule) -> Iterator[str]:
    first, most = rule.waves.steps[0], rule.guards.affected.max
    if not rule.waves.by and isinstance(first, int) and first > most:
        yield (
            f"the first wave of `{rule.name}` takes {first} instances, but `affected.max` allows {most}: "
            "make the wave smaller, or `affected.max` larger"
        )
    caused, within = rule.guards.caused_by_release, rule.target.arrived_within_s
    if caused is not None and within is not None and within > caused.within_s:
        yield (
            f"`{rule.name}` suspects releases of the last {write_duration(within)}, but `caused-by-release` "
            f"refuses those older than {write_duration(caused.within_s)}: make both the same"
        )


def _takes_any_suspect(target: Target) -> bool:
    """Tell whether labels alone choose the instances, whatever they run; that nothing chooses is odd by itself."""
    if target.running is not None or target.arrived_within_s is not None:
        return False
    chosen, within = bool(target.only or target.except_), target.kubernetes
    if within is None:
        return chosen and target.hosts is not None and target.hosts.instance is None
    return within.workload is None and within.selector is not None and (chosen or bool(within.selector))


def _is_about_itself(when: When, unless: tuple[Matcher, ...]) -> bool:
    """Tell whether values that the rule asks for satisfy all matchers of `unless`; false where it is not clear."""
    lists = [(*when.matchers, *matchers) for matchers in when.any_of] or [when.matchers]
    return any(all(_implied(matcher, wanted) for matcher in unless) for wanted in lists)


def _implied(matcher: Matcher, wanted: tuple[Matcher, ...]) -> bool:
    return any(
        one == matcher or any(matcher.matches({one.name: value}) for value in _values(one))
        for one in wanted
        if one.name == matcher.name
    )


def _values(matcher: Matcher) -> list[str]:
    """Name the values that a matcher asks for, where they can be listed."""
    if matcher.op == "=":
        return [matcher.value]
    if matcher.op == "=~" and _PLAIN_ALTERNATIVES.fullmatch(matcher.value):
        return matcher.value.split("|")
    return []
