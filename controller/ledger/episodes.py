"""One firing of one alert, as the ledger remembers it. Times are milliseconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
import structlog

from rules.alerts import Alert

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Episode:
    """One firing of one alert, as it is remembered."""

    fingerprint: str
    open: bool
    first_ms: int
    heard_ms: int
    closed_ms: int | None
    alert: Alert
    truncated: int = 0
    """How many alerts were cut off the notification that brought it."""

    @classmethod
    def of(cls, fingerprint: str, raw: Mapping[str, str]) -> Episode:
        """Read what `hear` wrote; a forgotten or unreadable episode counts as closed at an unknown time."""
        try:
            return cls._of(fingerprint, raw)
        except (ValueError, TypeError):
            log.exception("episode.unreadable", fingerprint=fingerprint[:64])
            return cls._of(fingerprint, {})

    @classmethod
    def _of(cls, fingerprint: str, raw: Mapping[str, str]) -> Episode:
        closed, first = raw.get("closed", "0"), int(raw.get("first") or 0)
        alert = Alert(
            fingerprint=fingerprint,
            status="firing" if closed == "" else "resolved",
            labels=_texts(raw.get("labels")),
            annotations=_texts(raw.get("annotations")),
            starts_at_ms=first,
        )
        return cls(
            fingerprint,
            closed == "",
            first,
            int(raw.get("heard") or 0),
            int(closed) if closed else None,
            alert,
            int(raw.get("truncated") or 0),
        )


def _texts(text: str | None) -> dict[str, str]:
    found = orjson.loads(text or "{}")
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise TypeError("no texts by name")
    return found
