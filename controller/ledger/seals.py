"""Seals in the ledger: what ended is sealed within seconds, and read back as it is stored by whoever checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import orjson
import structlog

from controller.ledger.connection import Client, Scripts, redis_now_ms, translated
from controller.ledger.keys import HISTORY, SEALS, UNSEALED, key
from rules.seals import Key, Seal, Stored, sealed

log = structlog.get_logger(__name__)

_AT_ONCE = 50
_NUMBERS_END = 2**53
_TAMPERED = "somebody wrote into what Redis keeps of it; see docs/explanation/audit.md"


@dataclass(frozen=True, slots=True)
class AsStored:
    """A rollback's record and journal, as the texts that Redis holds."""

    id: str
    record: Mapping[str, str]
    journal: tuple[str, ...]


class Seals:
    """Seals what ended, and reads what was sealed."""

    def __init__(self, connection: Client, scripts: Scripts) -> None:
        self._client = connection
        self._scripts = scripts

    def waiting(self) -> tuple[str, ...]:
        """Name what ended and is not sealed yet, the oldest first, so many as are sealed at once."""
        with translated():
            return tuple(self._client.zrange(UNSEALED, 0, _AT_ONCE - 1))

    def seal(self, ids: Iterable[str], by: Key) -> int:
        """Seal what ended; says how many. What somebody else seals or changes meanwhile is left to the next time.

        Each seal is logged with its number and sum: a log that is kept elsewhere tells when they go missing.
        """
        made = 0
        for ident in ids:
            stored = self.stored([ident])[0]
            last, now_ms = self._last(), redis_now_ms(self._client)
            if not (last.is_integer() and 0 <= last < _NUMBERS_END - 1):
                log.error("seals.number_unusable", last=last, fix=_TAMPERED)
                break
            number = int(last) + 1
            text = sealed(Stored.of(ident, stored.record, stored.journal), by, number, now_ms)
            fields = orjson.dumps(dict(stored.record)).decode()
            verdict = self._scripts.run("seal", ident, number, fields, len(stored.journal), text)
            if verdict == "ok":
                seal = Seal.read(text)
                log.info(
                    "rollback.sealed", rollback=ident, number=number, mac=seal.mac if seal else "", key=by.name
                )
                made += 1
            elif verdict == "changed":
                self._put_off(ident, now_ms)
        return made

    def _put_off(self, ident: str, now_ms: int) -> None:
        """Look at it after the others: what can never be read as it is stored must not keep them waiting."""
        log.warning("seals.changed_meanwhile", rollback=ident, fix="where this goes on: " + _TAMPERED)
        with translated():
            self._client.zadd(UNSEALED, {ident: now_ms}, xx=True)

    def newest(self) -> int:
        """Return the number of the newest seal; 0 where there is none."""
        last = self._last()
        return int(min(max(last, 0), _NUMBERS_END))

    def _last(self) -> float:
        with translated():
            last = self._client.zrevrange(SEALS, 0, 0, withscores=True)
        return float(last[0][1]) if last else 0.0

    def ids(self) -> tuple[str, ...]:
        """Name every rollback that is remembered: what is sealed, the newest seal first, then the others."""
        with translated(), self._client.pipeline(transaction=False) as pipe:
            pipe.zrevrange(SEALS, 0, -1)
            pipe.zrevrange(HISTORY, 0, -1)
            by_seal, by_opening = pipe.execute()
        return tuple(dict.fromkeys([*by_seal, *by_opening]))

    def stored(self, ids: Iterable[str]) -> tuple[AsStored, ...]:
        """Read rollbacks as they are stored; what is not there any more has an empty record."""
        wanted = tuple(ids)
        with translated(), self._client.pipeline(transaction=True) as pipe:  # record and journal of one moment
            for ident in wanted:
                pipe.hgetall(key("rollback", ident))
                pipe.lrange(key("journal", ident), 0, -1)
            answers = pipe.execute()
        return tuple(
            AsStored(ident, record, tuple(journal))
            for ident, record, journal in zip(wanted, answers[::2], answers[1::2], strict=True)
        )
