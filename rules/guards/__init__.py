"""The guards: pure functions over facts, each of which may keep a rule from acting, and says why.

Each is asked, in this order; of those that speak with one strength the first gives the reason. Their names are
what `--override` and `why` call them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules.guards.breaker import BREAKER, loop_breaker
from rules.guards.budget import COOLDOWN, LIMITS, cooldown, limits
from rules.guards.capacity import AFFECTED, HEALTHY, affected_alone, min_healthy
from rules.guards.causality import CAUSED, STALE, caused_by_release, stale_alert
from rules.guards.freezing import FROZEN, frozen
from rules.guards.hand import LOCKED, OPTED_IN, OWN_HAND, PAUSED, deploy_locked, opted_in, own_hand, paused
from rules.guards.requirement import REQUIRE, required
from rules.guards.seeing import CLOCKS, MONITORED, clocks, monitored
from rules.guards.signals import ALSO, LASTING, UNLESS, common_cause, corroborated, lasting
from rules.guards.storm import STORM, storm
from rules.guards.waves import WAVES, waves

if TYPE_CHECKING:
    from rules.guards.answers import Guard

GUARDS: tuple[tuple[str, Guard], ...] = (
    (PAUSED, paused),
    (BREAKER, loop_breaker),
    (LOCKED, deploy_locked),
    (OPTED_IN, opted_in),
    (CLOCKS, clocks),
    (STALE, stale_alert),
    (OWN_HAND, own_hand),
    (CAUSED, caused_by_release),
    (MONITORED, monitored),
    (STORM, storm),
    (UNLESS, common_cause),
    (ALSO, corroborated),
    (REQUIRE, required),
    (COOLDOWN, cooldown),
    (LIMITS, limits),
    (AFFECTED, affected_alone),
    (HEALTHY, min_healthy),
    (FROZEN, frozen),
    (LASTING, lasting),
    (WAVES, waves),
)

BIND_PERSONS = frozenset({LOCKED, REQUIRE, COOLDOWN, LIMITS, AFFECTED, HEALTHY, FROZEN})
"""The guards that a person's own rollback is asked about; the others are about alerts, or hold rules back."""
