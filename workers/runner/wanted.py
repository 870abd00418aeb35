"""Whether a rollback is still wanted: before its first change its rule stands, and one of its alerts fires."""

from __future__ import annotations

from controller.ledger import Rollback, Taken
from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from workers.runner.consequences import Consequences
from workers.site import Site

RULE_SPREADS_S = 120
"""How long a changed rule file may take to reach every machine."""


def require_still_wanted(site: Site, taken: Taken, rollback: Rollback, consequences: Consequences) -> None:
    """Raise `NotYet` or `Permanent` unless the rule stands as it was and an alert is open, or a person asked."""
    _require_the_rule(site, taken, rollback, consequences)
    if taken.episodes and not any(episode.open for episode in taken.episodes):
        raise Permanent(Reason.RESOLVED, "every alert behind this rollback resolved before the first change")


def _require_the_rule(site: Site, taken: Taken, rollback: Rollback, consequences: Consequences) -> None:
    """Raise unless the rule still stands as it was when it opened this rollback.

    Files reach machines at different times, so a rule that is unknown here is first waited for.
    """
    if not rollback.rule_digest or site.house.rules.by_digest(rollback.rule_digest) is not None:
        return
    problem = f"rule {rollback.rule} was changed or taken away before the first change"
    if taken.now_ms - rollback.opened_ms < RULE_SPREADS_S * 1000:
        raise NotYet(Reason.RULE_CHANGED, problem, retry_after_s=5)
    _ask_the_new_rule(site, taken, rollback)
    consequences.held(rollback, Reason.RULE_CHANGED, f"{problem}; what it says now is asked instead")
    raise Permanent(Reason.RULE_CHANGED, problem)


def _ask_the_new_rule(site: Site, taken: Taken, rollback: Rollback) -> None:
    """Have the alerts put before the rule as it is now, once this rollback has ended."""
    rules = site.house.rules
    for episode in taken.episodes:
        for rule in rules.match(episode.alert.labels) if episode.open else ():
            if rule.name == rollback.rule:
                site.ledger.rollbacks.wait_behind(rollback.id, episode.fingerprint, rule.digest)
