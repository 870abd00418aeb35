"""Why a rule is not about an alert, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rules.matchers import Matcher
    from rules.rule import Rule


def mismatch(rule: Rule, labels: Mapping[str, str]) -> str:
    """Say which matcher does not hold."""
    failing = next((matcher for matcher in rule.when.matchers if not matcher.matches(labels)), None)
    if failing is not None:
        return _failed(failing, labels)
    return "none of the lists under `any` matches"


def _failed(matcher: Matcher, labels: Mapping[str, str]) -> str:
    value = labels.get(matcher.name)
    return f"{matcher} does not hold: " + (
        f'{matcher.name} is "{value}"' if value else f"there is no {matcher.name}"
    )
