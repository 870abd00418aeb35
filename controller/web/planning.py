"""Asks the workers what going back would take now: they reach the instances, this process never does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from controller.web.refusals import unavailable
from rules.decisions import Reason

if TYPE_CHECKING:
    from controller.ledger import Ledger

WITHIN_S: Final = 20.0
_AT_ONCE: Final = 4
"""So many threads may wait for workers; the others stay free for alerts."""


class Planning:
    """Questions to the workers, each answered by whichever is free; a dry run is one for each instance."""

    def __init__(self, ledger: Ledger, *, within_s: float = WITHIN_S) -> None:
        self._asking = ledger.asking
        self._within_s = within_s
        self._room = threading.Semaphore(_AT_ONCE)

    def plans(self, instances: Sequence[str], spec: Mapping[str, object]) -> list[dict[str, Any]]:
        """Return for each instance its plan, or the refusal that a rollback would meet; changes nothing."""
        with self._among_few():
            return self._ask(instances, spec)

    def ask(self, question: Mapping[str, object], *, within_s: float | None = None) -> dict[str, Any]:
        """Ask the workers one question and return the answer; a 503 `Refusal` where none comes in time."""
        with self._among_few():
            within_s = within_s or self._within_s
            answer = self._asking.wait(self._asking.ask(question), within_s)
        if answer is None:
            raise unavailable(_nobody(within_s))
        return answer

    @contextmanager
    def _among_few(self) -> Iterator[None]:
        if not self._room.acquire(blocking=False):
            raise unavailable("too many questions are waiting for workers; try again in a few seconds")
        try:
            yield
        finally:
            self._room.release()

    def _ask(self, instances: Sequence[str], spec: Mapping[str, object]) -> list[dict[str, Any]]:
        deadline = time.monotonic() + self._within_s
        asked = [(name, self._asking.ask({"instances": [name], "spec": spec})) for name in instances]
        return [self._answer(name, question, deadline) for name, question in asked]

    def _answer(self, instance: str, question: str, deadline: float) -> dict[str, Any]:
        answer = self._asking.wait(question, max(deadline - time.monotonic(), 0.01))
        if answer is not None:
            return dict(answer["plans"][0])
        refusal = {"reason": Reason.DEADLINE, "detail": _nobody(self._within_s)}
        return {"instance": instance, "plan": None, "refusal": refusal}


def _nobody(within_s: float) -> str:
    return f"no worker answered within {within_s:g} s; is `rollbackctl worker` running?"
