"""The numbers that must agree with each other, in one place, and the check that they do.

Each is in seconds. They are one model and not constants of the modules that use them, because a lease that is
shorter than a call, or a queue time limit that is shorter than a step, is a bug nobody sees until 3 a.m.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat

if TYPE_CHECKING:
    from collections.abc import Iterator


class Numbers(BaseModel):
    """Time limits and intervals, in seconds. The defaults agree; the check names those that do not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    call_timeout_s: PositiveFloat = 5
    """One call to Redis from a worker or to a cluster, or one connection attempt to a host."""
    lease_ttl_s: PositiveFloat = 10
    """How long a lease lives without being renewed."""
    lease_renew_s: PositiveFloat = 3
    """How often its holder renews it."""
    lease_renew_timeout_s: PositiveFloat = 1
    """One renewal, by a client of its own that never retries."""
    lease_lost_s: PositiveFloat = 7
    """Without a successful renewal for this long, by its own clock, the holder stops writing."""
    step_deadline_s: PositiveFloat = 60
    """One step of a plan. Drains have their own."""
    acting_deadline_s: PositiveFloat = 600
    """From the commit to the last step, over all takeovers."""
    stretch_sleep_max_s: PositiveFloat = 30
    """The longest a job waits in place; anything longer becomes an entry in `due`."""
    job_timeout_s: PositiveFloat = 150
    """RQ's time limit for one job: the backstop behind our own deadlines."""
    reconcile_every_s: PositiveFloat = 2
    """How often each worker machine looks for entries of `due` that have passed."""
    due_first_s: PositiveFloat = 5
    """How long after a bell nobody answered it is rung again; doubles from there."""
    due_max_s: PositiveFloat = 60
    """The longest pause between two bells."""
    web_connect_s: PositiveFloat = 0.3
    """The receiver connects to Redis."""
    web_read_s: PositiveFloat = 0.7
    """The receiver waits for an answer of Redis, once; it tries once more and then answers 503."""
    heard_write_every_s: PositiveFloat = 300
    """How often a repeated alert is written down as heard again; repeats in between write nothing."""
    straggler_within_s: PositiveFloat = 120
    """A firing that began before its episode's close and is heard this soon after it opens nothing."""
    start_drift_s: PositiveFloat = 60
    """How much later than the last repeat a start may be and still belong to the same episode."""
    rule_spreads_s: PositiveFloat = 120
    """How long a changed rule file may take to reach every machine: a rule that no server has named for so long is
    gone, and people are told of an alert that has waited so long for a worker that knows its rule.
    """
    group_interval_s: PositiveFloat = 300
    """Alertmanager's `group_interval`, as far as known: how late a resolve may come."""
    episode_kept_s: PositiveFloat = 90 * 86_400
    """How long an episode that nobody hears of any more is remembered."""
    effect_kept_s: PositiveFloat = 90 * 86_400
    """How long it is remembered that an arrival was rolled back."""
    left_kept_s: PositiveFloat = 7 * 86_400
    """For how long a release that an instance was rolled back from is not gone back to by a rule."""
    history_kept_s: PositiveFloat = 90 * 86_400
    """How long an ended rollback and its journal can be shown."""
    observe_every_s: PositiveFloat = 30
    """How often each cluster is looked over: what its workloads run, since when, and by which image digests."""
    observe_hosts_every_s: PositiveFloat = 60
    """How often each instance on a host is looked at: what it runs, and whether it is well."""
    relearn_every_s: PositiveFloat = 30
    """How often Alertmanager is asked what fires, where the settings name it."""
    relearn_absent_s: PositiveFloat = 60
    """So long, and in two looks at least, it must not list an alert before the alert's episode is closed."""
    relearn_settled_s: PositiveFloat = 300
    """One that started more recently closes nothing: Prometheus sends an alert again each minute, or each time its
    rule group is evaluated where that is more seldom.
    """
    sighting_kept_s: PositiveFloat = 400 * 86_400
    """How long the digests of a release that ran healthily are remembered."""
    unready_s: NonNegativeFloat = 3
    """A server that was asked to stop answers 503 for so long before it stops listening: balancers notice."""
    termination_grace_s: PositiveFloat = 90
    """What the service manager must grant between SIGTERM and SIGKILL: a worker parks at the next step."""

    def contradictions(self) -> tuple[str, ...]:
        """Say which numbers contradict which, each with what to set; nothing when they agree."""
        return tuple(self._contradictions())

    def _contradictions(self) -> Iterator[str]:
        for smaller, larger, why in _ORDER:
            if getattr(self, smaller) >= getattr(self, larger):
                yield self._message(smaller, larger, why)
        yield from self._sums()

    def _message(self, smaller: str, larger: str, why: str) -> str:
        low, high = getattr(self, smaller), getattr(self, larger)
        return (
            f"{smaller} ({low:g}) must be less than {larger} ({high:g}): {why}. "
            f"Set {smaller} below {high:g} or {larger} above {low:g}."
        )

    def _sums(self) -> Iterator[str]:
        if self.lease_renew_s + self.lease_renew_timeout_s > self.lease_lost_s:
            yield (
                f"lease_renew_s ({self.lease_renew_s:g}) plus lease_renew_timeout_s "
                f"({self.lease_renew_timeout_s:g}) must not exceed lease_lost_s ({self.lease_lost_s:g}): "
                "a single slow renewal would lose the lease. "
                f"Set lease_renew_s to at most {self.lease_lost_s - self.lease_renew_timeout_s:g}."
            )
        if self.web_connect_s + self.web_read_s > 1:
            yield (
                f"web_connect_s ({self.web_connect_s:g}) plus web_read_s ({self.web_read_s:g}) must not "
                "exceed 1: an alert that cannot be recorded is answered 503 within a second. "
                f"Set web_read_s to at most {max(1 - self.web_connect_s, 0):g}."
            )
        least = self.step_deadline_s + min(30.0, self.step_deadline_s / 2)
        if self.termination_grace_s < least:
            yield (
                f"termination_grace_s ({self.termination_grace_s:g}) must be at least step_deadline_s "
                f"({self.step_deadline_s:g}) plus half of it, or plus 30: a worker that is asked to stop "
                f"finishes the step under way. Set termination_grace_s to at least {least:g}."
            )
        least = self.step_deadline_s + self.stretch_sleep_max_s
        if self.job_timeout_s <= least:
            yield (
                f"job_timeout_s ({self.job_timeout_s:g}) must be more than step_deadline_s "
                f"({self.step_deadline_s:g}) plus stretch_sleep_max_s ({self.stretch_sleep_max_s:g}): "
                "RQ would cut a step that is within its own deadline. "
                f"Set job_timeout_s above {least:g}."
            )


_ORDER = (
    ("call_timeout_s", "lease_ttl_s", "a call that hangs would outlive the lease it was made under"),
    ("lease_renew_s", "lease_lost_s", "the holder would give up before it renews"),
    ("lease_lost_s", "lease_ttl_s", "the holder must stop before somebody else may start"),
    ("call_timeout_s", "step_deadline_s", "one slow call would use up the step"),
    ("step_deadline_s", "acting_deadline_s", "one step would use up the whole rollback"),
    ("reconcile_every_s", "due_first_s", "a bell would be rung again before anybody looks"),
    ("due_first_s", "due_max_s", "the pause between bells grows from the first to the longest"),
    ("relearn_every_s", "relearn_absent_s", "an episode would be closed on the word of one look"),
    ("relearn_absent_s", "relearn_settled_s", "an Alertmanager that has just started lists nothing yet"),
    ("group_interval_s", "episode_kept_s", "an episode would be forgotten while its alert still repeats"),
    ("unready_s", "termination_grace_s", "the server would be killed while it still answers 503"),
    ("acting_deadline_s", "effect_kept_s", "a finished rollback would be forgotten while one is under way"),
)
