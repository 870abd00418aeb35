"""Looks at instances before anything is decided about them, within a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import closing

import structlog

from rules.errors import RollbackError
from rules.instances import Instance
from workers.runner.preparing import prepare
from workers.site import Site
from workers.terms import Terms

log = structlog.get_logger(__name__)

_BUDGET_S = 40
"""All looks of one job together: a fleet that hangs must not use up the queue's time limit."""
_WOULD_MOST = 20


class Looks:
    """What runs where, and what a rule that only observes would do there. `check` is asked before each look."""

    def __init__(self, site: Site, check: Callable[[], None]) -> None:
        self._site = site
        self._check = check
        self._until = time.monotonic() + _BUDGET_S

    def running(self, instances: Iterable[Instance], terms: Terms) -> dict[str, tuple[str, ...]]:
        """Say which release each instance (by id) runs: every word that names it, its name first.

        One that cannot be seen now counts as running what the alert names: its own rollback looks again, with
        retries, and refuses if it does not.
        """
        return {instance.id: self._names(instance, terms) for instance in instances}

    def would(self, instances: Iterable[Instance], terms: Terms) -> tuple[dict[str, str | None], str]:
        """Say to which release each instance would go back, and all of it in words."""
        releases: dict[str, str | None] = {}
        said: list[str] = []
        for at, instance in enumerate(instances):
            releases[instance.id], words = self._would(instance, terms, look=at < _WOULD_MOST)
            said.append(words)
        return releases, "; ".join(said)

    def _time_left(self) -> bool:
        self._check()
        return time.monotonic() < self._until

    def _names(self, instance: Instance, terms: Terms) -> tuple[str, ...]:
        expected = (terms.expects,) if terms.expects else ()
        if not self._time_left():
            return expected
        try:
            with closing(self._site.reach(instance, "", terms, time.time)) as driver:
                return driver.observe().names
        except RollbackError as e:
            log.warning("instance.not_seen", instance=instance.id, reason=e.reason, detail=str(e))
            return expected

    def _would(self, instance: Instance, terms: Terms, *, look: bool) -> tuple[str | None, str]:
        if not look or not self._time_left():
            return None, f"{instance.label} (not looked at)"
        try:
            with closing(self._site.reach(instance, "", terms, time.time)) as driver:
                plan = prepare(driver, terms, self._site.just_left(instance)).plan
        except RollbackError as e:
            return None, f"{instance.label} (but: {e})"
        return plan.to_release, f"{instance.label} from {plan.from_release} to {plan.to_release}"
