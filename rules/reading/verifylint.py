"""What is allowed but odd about how a rule verifies: what nobody could answer, or not in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.durations import write_duration
from rules.rule import OnIneffective

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.rule import Rule


def odd_verifying(rule: Rule) -> Iterator[str]:
    """Say what is odd about one rule by itself."""
    within = rule.verify.cleared_within_s
    for check in rule.verify.checks:
        if within is not None and check.for_s > within:
            yield (
                f"`{rule.name}` wants a check to hold for {write_duration(check.for_s)}, but judges it after "
                f"{write_duration(within)}: raise `cleared-within`, or shorten `for`"
            )


def unanswered(rule: Rule, *, prometheus: bool, alertmanager: bool) -> Iterator[str]:
    """Say what nobody would answer with what the settings name."""
    if rule.verify.checks and not prometheus:
        yield (
            f"`{rule.name}` has a `check`, and the settings name no Prometheus to ask: each of its rollbacks "
            "would end as inconclusive. Set `prometheus.url`, or remove `check`"
        )
    if rule.verify.on_ineffective is OnIneffective.UNDO and not prometheus and not alertmanager:
        yield (
            f"`{rule.name}` says `on-ineffective: undo`, but the settings name neither Alertmanager nor "
            "Prometheus, and a repeated notification seldom comes in time: it would hardly ever be ineffective. "
            "Set `alertmanager.url`"
        )
