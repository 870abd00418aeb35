"""How rules spread: which of them servers go by, and which alerts wait for a worker that knows theirs.

A server that reads a rule file before the workers do accepts alerts under rules that no worker knows yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from controller.ledger.connection import Client, Scripts, redis_now_ms, translated
from controller.ledger.keys import AWAITING


@dataclass(frozen=True, slots=True)
class Awaiting:
    """Pairs of alert and rule that wait for a worker that knows the rule: how many, and for how long the first."""

    pairs: int
    age_s: float


class Spreading:
    """Notes and tells how far rules have come."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def announce(self, digests: Iterable[str]) -> None:
        """Say by which rules this server goes; one that none names for `rule_spreads_s` is in force no more."""
        self._scripts.run("in_force", orjson.dumps(sorted(digests)))

    def in_force(self) -> frozenset[str]:
        """Return the digests of the rules by which some server goes, or went within `rule_spreads_s`."""
        return frozenset(self._scripts.run("in_force", b"[]"))

    def awaiting(self) -> Awaiting:
        """Count what waits for a worker that knows its rule."""
        now_ms = redis_now_ms(self._client)
        with translated():
            count, first = int(self._client.zcard(AWAITING)), self._client.zrange(AWAITING, 0, 0, withscores=True)
        return Awaiting(count, max(0.0, (now_ms - first[0][1]) / 1000) if first else 0.0)

    def awaited_ms(self, fingerprint: str, digest: str) -> int | None:
        """Return since when an alert waits for a worker that knows this rule; None where it does not."""
        with translated():
            at = self._client.zscore(AWAITING, f"{fingerprint} {digest}")
        return None if at is None else int(at)

    def complaints(self) -> tuple[str, ...]:
        """Say what waits so, and what ends that; nothing where nothing does."""
        waits = self.awaiting()
        if not waits.pairs:
            return ()
        many = "1 alert waits" if waits.pairs == 1 else f"{waits.pairs} alerts wait"
        return (
            (
                f"{many} for a worker that knows its rule, the first for {waits.age_s:.0f} s: servers go by rules "
                "that a worker machine has not. It passes by itself once the machines of the workers have the "
                "same rule files, settings and version; of a file with errors their log says `rules.not_loaded`."
            ),
        )
