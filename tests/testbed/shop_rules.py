"""Rules about the shop of `testbed.worksite`, made without a rule file."""

from __future__ import annotations

from rules.matchers import parse_matchers
from rules.rule import HostsTarget, Mode, Rule, Target, Verify, When
from rules.templates import Template
from rules.to import Previous
from testbed.unguarded import ALL_AT_ONCE, NO_GUARDS

ALERT = {"alertname": "HighErrorRate", "instance": "127.0.0.1:9102", "version": "v1.3.0"}
CANARY = {"track": ("canary",)}


class Book:
    """A rule set of a few rules."""

    def __init__(self, *rules: Rule) -> None:
        self.rules = rules

    def by_digest(self, digest: str) -> Rule | None:
        """Find a rule."""
        return next((rule for rule in self.rules if rule.digest == digest), None)

    def match(self, labels: dict[str, str]) -> tuple[Rule, ...]:
        """Find the rules that are about an alert."""
        return tuple(rule for rule in self.rules if rule.when.matches(labels))


def rule(name: str = "canary", *, mode: Mode = Mode.ACT, running: str | None = None, **target: object) -> Rule:
    """Return a rule about the host that an alert names."""
    where: dict[str, object] = {"only": CANARY, **target}
    if running is not None:
        where["running"] = Template(running)
    return Rule(
        name=name,
        mode=mode,
        when=When(parse_matchers('alertname="HighErrorRate"')),
        target=Target(HostsTarget(Template("{{ $labels.instance }}")), **where),
        to=(Previous(),),
        guards=NO_GUARDS,
        waves=ALL_AT_ONCE,
        verify=Verify(healthy_within_s=5, steady_s=0),
    )
