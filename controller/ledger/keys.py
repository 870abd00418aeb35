"""Every Redis key of the product, in one place.

Everything lives under one prefix; RQ keeps its own keys under `rq:`. The scripts name their keys through the
prelude below, so a name stands once.
"""

from __future__ import annotations

from controller.settings.numbers import Numbers

PREFIX = "rc:"

QUEUE = "rollback"
"""The name of the RQ queue."""

QUEUE_LIST = f"rq:queue:{QUEUE}"

QUEUE_TYPES = {
    QUEUE_LIST: "list",
    f"{QUEUE_LIST}:intermediate": "list",
    **dict.fromkeys(("rq:queues", "rq:workers", f"rq:workers:{QUEUE}"), "set"),
    **{
        f"rq:{name}:{QUEUE}": "zset" for name in ("wip", "failed", "finished", "deferred", "scheduled", "canceled")
    },
}
"""RQ's keys about our queue, and what RQ keeps there."""

AWAITING = f"{PREFIX}awaiting"
BREAKERS = f"{PREFIX}breakers"
DECISIONS = f"{PREFIX}decisions"
DEEDS = f"{PREFIX}deeds"
DEMOTED = f"{PREFIX}demoted"
DUE = f"{PREFIX}due"
HISTORY = f"{PREFIX}history"
LOCKS = f"{PREFIX}locks"
NEWER = f"{PREFIX}newer"
ORPHANS = f"{PREFIX}orphans"
PAUSES = f"{PREFIX}pauses"
RELEARNED = f"{PREFIX}relearned"
SEALS = f"{PREFIX}seals"
REPLICATED = f"{PREFIX}replicated"
"""Written so that replicas have something to confirm; its value says nothing."""
SUSPENDED = f"{PREFIX}suspended"
SWEEPS = f"{PREFIX}sweeps"
TROUBLES = f"{PREFIX}sweep-troubles"
UNFINISHED = f"{PREFIX}unfinished"
UNSEALED = f"{PREFIX}unsealed"
UNSEEN = f"{PREFIX}unseen"
WORKERS = f"{PREFIX}workers"

OUTBOX = f"{PREFIX}outbox"
"""Messages that no teller has yet given to channels; `key("outbox", channel)` are those that wait for one."""
MESSAGES = f"{PREFIX}messages"
CHANNELS = f"{PREFIX}channels"
UNDELIVERED = f"{PREFIX}undelivered"
LOST = f"{PREFIX}lost-messages"
TOLD = f"{PREFIX}totals-told"

_CATALOGUE = {"MANIFESTS_MOST": 300, "MARKS_MOST": 1_000, "MARKS_DEEP": 100, "CATALOGUE_LOG_MOST": 1_000}
"""Of one service. The oldest go first; what is irreversible or known-bad goes last."""
_DEEDS_MOST = 5_000
_HISTORY_MOST = 10_000
_LOOP = {"LOOP_INEFFECTIVE": 2, "LOOP_FAILED": 3}
"""So many rollbacks of a service that did not help one after the other, or that failed, open its loop-breaker."""
_SIGHTINGS_MOST = 50
"""Revisions of one workload; its own history keeps ten by default."""
_STORM_KEPT_S = 3_600
"""How long it is remembered which services were matched; no storm brake looks further back."""
_STORM_MOST = 1_000
"""So many services are remembered for it: past any brake, more of them say nothing more."""
_HEAR_MOST = 1_500
"""Calls after which `hear` begins no further alert: so many keep Redis deaf for about 4 ms (measured)."""
_STARTS_KEPT_S = 8 * 86_400
"""How long it is remembered that a campaign began; limits count hours and days."""
_CAMPAIGN_KEPT_S = 86_400
"""So long after its last instance joined, a campaign takes more in; past it, the same release begins a new one."""
_ROSTER_KEPT_S = 86_400
"""An instance that was not seen for so long is no longer counted with its service."""
_UNSEEN_MOST_S = 900
"""So long an instance may go unseen and still count as having been healthy all the time."""
_SILENT_MOST_S = 7 * 86_400
"""An alert that nobody has repeated for so long, and never resolved, is no longer held against a release."""
_ARRIVALS_MOST = 20
_JUDGED_EVERY_S = 10
"""How exactly it is known when an alert behind an unfinished rollback was last heard."""

_MESSAGES_MOST = 1000
"""Messages that wait for one channel; beyond, the oldest is only counted."""
_TELLING = {
    "SAID_KEPT": 7 * 86_400,
    "SENDING": 60,
    "RETELL_FIRST": 5,
    "RETELL_MAX": 900,
    "TOLD_WITHIN": 3 * 86_400,
}
"""How long a message is not said again, how long one try may take, the pauses between tries, and their end."""


def key(kind: str, ident: str) -> str:
    """Name the key of one thing: `key("episode", fingerprint)`."""
    return f"{PREFIX}{kind}:{ident}"


def prelude(numbers: Numbers) -> str:
    """Return the constants that stand before every script; times in milliseconds."""
    constants = {
        "LEASE_TTL": numbers.lease_ttl_s,
        "DUE_FIRST": numbers.due_first_s,
        "DUE_MAX": numbers.due_max_s,
        "GAP": numbers.start_drift_s,
        "STRAGGLER": numbers.straggler_within_s,
        "RULE_SPREADS": numbers.rule_spreads_s,
        "HEARD_EVERY": numbers.heard_write_every_s,
        "JUDGED_EVERY": min(_JUDGED_EVERY_S, numbers.heard_write_every_s),
        "EPISODE_KEPT": numbers.episode_kept_s,
        "EFFECT_KEPT": numbers.effect_kept_s,
        "HISTORY_KEPT": numbers.history_kept_s,
        "STORM_KEPT": _STORM_KEPT_S,
        "STARTS_KEPT": _STARTS_KEPT_S,
        "CAMPAIGN_KEPT": _CAMPAIGN_KEPT_S,
        "SIGHTING_KEPT": numbers.sighting_kept_s,
        "ROSTER_KEPT": _ROSTER_KEPT_S,
        "UNSEEN_MOST": _UNSEEN_MOST_S,
        "SILENT_MOST": _SILENT_MOST_S,
        **_TELLING,
    }
    lines = [f"local {name} = {round(seconds * 1000)}" for name, seconds in constants.items()]
    lines.append(f"local ARRIVALS_MOST = {_ARRIVALS_MOST}")
    most = f"local HISTORY_MOST, SIGHTINGS_MOST = {_HISTORY_MOST}, {_SIGHTINGS_MOST}"
    lines += [f"local {name} = {count}" for name, count in {**_CATALOGUE, **_LOOP}.items()]
    lines.append(f"local STORM_MOST, HEAR_MOST = {_STORM_MOST}, {_HEAR_MOST}")
    deeds = f"local DEEDS_MOST, MESSAGES_MOST = {_DEEDS_MOST}, {_MESSAGES_MOST}"
    return "\n".join([f"local P = '{PREFIX}'", most, deeds, *lines, ""])
