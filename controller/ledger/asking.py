"""Questions to a worker, answered through the ledger: what would a rollback do here? Nothing is promised.

A question lives for a minute, changes nothing and is not repeated: who asks sees the time limit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson

from controller.ledger.connection import Client, Scripts, translated
from controller.ledger.doorbell import Doorbell
from controller.ledger.ids import new_id
from controller.ledger.keys import key

_LIVES_S = 60


class Asking:
    """Asks and answers."""

    def __init__(self, connection: Client, scripts: Scripts, doorbell: Doorbell) -> None:
        self._client = connection
        self._scripts = scripts
        self._doorbell = doorbell

    def ask(self, question: Mapping[str, Any]) -> str:
        """Ask; the id that is returned is waited for with `wait`."""
        ident = new_id("p")

        def build(pipe: Any) -> None:
            pipe.set(key("ask", ident), orjson.dumps(dict(question)), ex=_LIVES_S)
            self._doorbell.ring(pipe, ident, 1)

        self._scripts.transact(build)
        return ident

    def question(self, ident: str) -> dict[str, Any] | None:
        """Read and take the question; None when it lapsed, is no question, or somebody else has it."""
        with translated():
            text = self._client.getdel(key("ask", ident))
        try:
            found = orjson.loads(text or "null")
        except ValueError:
            return None
        return found if isinstance(found, dict) else None

    def answer(self, ident: str, answer: Mapping[str, Any]) -> None:
        """Answer a question."""
        with translated(), self._client.pipeline(transaction=True) as pipe:
            pipe.rpush(key("answer", ident), orjson.dumps(dict(answer)))
            pipe.expire(key("answer", ident), _LIVES_S)
            pipe.execute()

    def wait(self, ident: str, timeout_s: float) -> dict[str, Any] | None:
        """Wait for the answer; None when no worker gave one in time."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            with translated():  # below the read limit of the receiver's client
                found = self._client.blpop([key("answer", ident)], timeout=min(left, 0.5))
            if found:
                return dict(orjson.loads(found[1]))
        return None
