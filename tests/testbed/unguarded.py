"""Guards that keep nothing back, for rules of tests that are about something else."""

from __future__ import annotations

from typing import Any

from rules.limits import Affected, Guards, Limits, Waves

UNGUARDED: dict[str, Any] = {
    "caused-by-release": "off",
    "cooldown": "0s",
    "limits": {"per-hour": 10_000, "per-day": 100_000},
    "affected": {"max": 10_000, "max-share": "100%", "min-healthy": "0%"},
}
"""The `guards` of a rule file, as data; in YAML: `guards: {UNGUARDED_YAML}`."""

UNGUARDED_YAML = (
    "{caused-by-release: off, cooldown: 0s, limits: {per-hour: 10000, per-day: 100000}, "
    "affected: {max: 10000, max-share: 100%, min-healthy: 0%}}"
)

AT_ONCE = ["100%"]
"""The `waves` of a rule file: all instances of a campaign together."""

NO_GUARDS = Guards(
    caused_by_release=None,
    cooldown_s=0,
    limits=Limits(10_000, 100_000),
    affected=Affected(10_000, 1.0, 0.0),
)
"""The same for a rule made without a file."""

ALL_AT_ONCE = Waves((1.0,))
