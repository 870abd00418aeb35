"""What is learned by asking Alertmanager: which episodes are open, which it lists, and how the asking goes.

Losing any of it costs a look or two: the next one writes it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from controller.ledger.connection import Client, Scripts, redis_now_ms, translated
from controller.ledger.keys import RELEARNED

_PART = 500
_LATE_LOOKS = 6
_LATE_S = 60
"""So many turns, and at least so long, may go by without an answer before people hear of it."""
_FORGOTTEN_S = 86_400
"""Who no longer asks an Alertmanager is not reminded of it for longer."""


@dataclass(frozen=True, slots=True)
class Unresolved:
    """One open episode. `listed`: Alertmanager was seen to list it, so its absence from there says something."""

    fingerprint: str
    first_ms: int
    heard_ms: int
    truncated: int
    listed: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """How the asking goes. Ages are in seconds, None where there was nothing yet."""

    age_s: float | None
    """Since Alertmanager answered."""
    every_s: float
    alerts: int
    learned: int
    """Alerts that no notification had brought, since this ledger began."""
    closed: int
    """Episodes whose resolve no notification had brought."""
    trouble: str
    """Why it could not be asked the last time; nothing where it could."""
    trouble_age_s: float | None
    """Since that began."""

    @property
    def late(self) -> bool:
        """Whether it went without an answer for so long that somebody should look."""
        since = self.age_s if self.age_s is not None else self.trouble_age_s
        return since is not None and since > max(_LATE_LOOKS * self.every_s, _LATE_S)


class Relearned:
    """Notes and tells what asking Alertmanager brought."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def claim(self, name: str, for_s: float) -> bool:
        """Say whether machine `name` asks for so long; it may claim again, and keeps it, while it lives."""
        return bool(self._scripts.run("turn", name, max(round(for_s * 1000), 1)))

    def unresolved(self) -> tuple[int, dict[str, Unresolved]]:
        """Return the time of the ledger in ms, and every episode that is open, by fingerprint."""
        found: dict[str, Unresolved] = {}
        cursor, began_ms = "0", 0
        while True:
            cursor, now_ms, rows = self._scripts.run("unresolved", cursor, _PART)
            began_ms = began_ms or int(now_ms)
            for fingerprint, first, heard, truncated, listed in rows:
                found[fingerprint] = Unresolved(fingerprint, int(first), int(heard), int(truncated), bool(listed))
            if str(cursor) == "0":
                return began_ms, found

    def listed(self, fingerprints: Sequence[str], as_of_ms: int) -> None:
        """Note that Alertmanager lists them, in a whole list of what fires that was asked for then.

        What was cut off from notifications before then is known by now: absence counts again.
        """
        for at in range(0, len(fingerprints), _PART):
            self._scripts.run("listed", orjson.dumps(list(fingerprints[at : at + _PART])), as_of_ms)

    def managed(self, every_s: float, *, alerts: int, learned: int, closed: int) -> None:
        """Note a look that had a whole answer."""
        now_ms = redis_now_ms(self._client)
        told = {"at": now_ms, "tried_at": now_ms, "every": every_s, "alerts": alerts}
        with translated(), self._client.pipeline(transaction=True) as pipe:
            pipe.hset(RELEARNED, mapping=told)
            pipe.hincrby(RELEARNED, "learned", learned)
            pipe.hincrby(RELEARNED, "closed", closed)
            pipe.hdel(RELEARNED, "trouble", "trouble_at")
            pipe.execute()

    def troubled(self, every_s: float, trouble: str) -> None:
        """Note why Alertmanager could not be asked; since when is kept from the first time."""
        now_ms = redis_now_ms(self._client)
        with translated(), self._client.pipeline(transaction=True) as pipe:
            pipe.hset(RELEARNED, mapping={"tried_at": now_ms, "every": every_s, "trouble": trouble})
            pipe.hsetnx(RELEARNED, "trouble_at", now_ms)
            pipe.execute()

    def asked(self) -> Asked | None:
        """Tell how it goes; None where nobody has asked for a day."""
        now_ms = redis_now_ms(self._client)
        with translated():
            kept = self._client.hgetall(RELEARNED)
        if now_ms - int(kept.get("tried_at", 0)) > _FORGOTTEN_S * 1000:
            return None
        return Asked(
            age_s=_age(kept.get("at"), now_ms),
            every_s=float(kept.get("every", 0)),
            alerts=int(kept.get("alerts", 0)),
            learned=int(kept.get("learned", 0)),
            closed=int(kept.get("closed", 0)),
            trouble=kept.get("trouble", ""),
            trouble_age_s=_age(kept.get("trouble_at"), now_ms),
        )

    def complaints(self) -> tuple[str, ...]:
        """Say for how long Alertmanager has not been asked, where that is too long."""
        asked = self.asked()
        if asked is None or not asked.late:
            return ()
        since = "ever" if asked.age_s is None else f"for {asked.age_s:.0f} s"
        why = asked.trouble or (
            "No worker machine asks it: does `rollbackctl worker` run, and is `alertmanager` in its settings?"
        )
        return (
            f"Alertmanager has not told what fires {since}: alerts and resolves that were missed stay so. {why}",
        )


def _age(at_ms: str | None, now_ms: int) -> float | None:
    return None if at_ms is None else (now_ms - int(at_ms)) / 1000
