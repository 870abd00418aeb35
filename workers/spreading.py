"""A rule that is unknown on this machine is on its way here, or gone: the rules that servers go by tell which."""

from __future__ import annotations

from controller.settings.numbers import Numbers
from workers.site import Site

PATIENCE_S = 86_400
"""So long a rule is waited for; past it there is an end with its reason, and who hears the alert asks again."""
_GROWS_BY = 8


def has_what_servers_have(site: Site) -> bool:
    """Whether this machine knows every rule that some server goes by; servers that say nothing are not waited for.

    Until it does, it is behind them, and cannot know what is gone: what was changed may have been changed again.
    """
    return site.ledger.spreading.in_force() <= site.house.digests


def pause_s(numbers: Numbers, age_s: float) -> float:
    """How long to wait before it is looked at again: seldom, where that has been of no use for long."""
    return min(max(age_s / _GROWS_BY, numbers.due_first_s), numbers.due_max_s)
