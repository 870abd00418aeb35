"""Whether a rollback is still wanted: before its first change its rule stands, and one of its alerts fires."""

from __future__ import annotations

from controller.ledger import Rollback, Taken
from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from workers.runner.consequences import Consequences
from workers.site import Site
from workers.spreading import PATIENCE_S, has_what_servers_have, pause_s


def require_still_wanted(site: Site, taken: Taken, rollback: Rollback, consequences: Consequences) -> None:
    """Raise `NotYet` or `Permanent` unless the rule stands as it was and an alert is open, or a person asked."""
    if taken.episodes and not any(episode.open for episode in taken.episodes):
        raise Permanent(Reason.RESOLVED, "every alert behind this rollback resolved before the first change")
    _require_the_rule(site, taken, rollback, consequences)


def _require_the_rule(site: Site, taken: Taken, rollback: Rollback, consequences: Consequences) -> None:
    """Raise unless the rule still stands as it was when it opened this rollback.

    Files reach machines at different times, so a rule that is unknown here is first waited for, and for as long as
    this machine is behind the servers.
    """
    if not rollback.rule_digest or site.house.rules.by_digest(rollback.rule_digest) is not None:
        return
    problem = f"rule {rollback.rule} was changed or taken away before the first change"
    age_s = (taken.now_ms - rollback.opened_ms) / 1000
    waited_s = (taken.now_ms - (rollback.waits_ms or taken.now_ms)) / 1000
    if age_s < site.numbers.rule_spreads_s or not has_what_servers_have(site):
        unknown = f"{problem}, or has not come to this worker yet"
        if waited_s > site.numbers.rule_spreads_s:
            consequences.held(rollback, Reason.RULE_UNKNOWN, unknown)
        pause = pause_s(site.numbers, waited_s)
        raise NotYet(Reason.RULE_UNKNOWN, unknown, retry_after_s=pause, patience_s=PATIENCE_S)
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
