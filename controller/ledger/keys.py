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

DECISIONS = f"{PREFIX}decisions"
HISTORY = f"{PREFIX}history"
SWEEPS = f"{PREFIX}sweeps"
TROUBLES = f"{PREFIX}sweep-troubles"
UNFINISHED = f"{PREFIX}unfinished"
WORKERS = f"{PREFIX}workers"

_HISTORY_MOST = 10_000
_SIGHTINGS_MOST = 50
"""Revisions of one workload; its own history keeps ten by default."""
_JUDGED_EVERY_S = 10
"""How exactly it is known when an alert behind an unfinished rollback was last heard."""


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
        "HEARD_EVERY": numbers.heard_write_every_s,
        "JUDGED_EVERY": _JUDGED_EVERY_S,
        "EPISODE_KEPT": numbers.episode_kept_s,
        "EFFECT_KEPT": numbers.effect_kept_s,
        "HISTORY_KEPT": numbers.history_kept_s,
        "SIGHTING_KEPT": numbers.sighting_kept_s,
    }
    lines = [f"local {name} = {round(seconds * 1000)}" for name, seconds in constants.items()]
    most = f"local HISTORY_MOST, SIGHTINGS_MOST = {_HISTORY_MOST}, {_SIGHTINGS_MOST}"
    return "\n".join([f"local P = '{PREFIX}'", most, *lines, ""])
