"""A message on its way to one channel: a process that is given a deadline, and what came of it."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from pydantic import SecretStr

from controller.ledger.outbox import Taken

DEADLINE_S = 45.0
"""Less than the minute for which the message is ours."""

_ARGV = (sys.executable, "-m", "workers.telling.sender")


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it. `error` is empty when every address has it; `parts` are the addresses that do."""

    error: str
    parts: frozenset[str]
    addresses: int


class Sending:
    """One try. Addresses that have the message already are left out; nothing waits for the network here."""

    def __init__(self, taken: Taken, urls: Sequence[SecretStr], *, deadline_s: float = DEADLINE_S) -> None:
        self.taken = taken
        self._deadline = time.monotonic() + deadline_s
        self._deadline_s = deadline_s
        self._marks = [_mark(taken.id, url) for url in urls]
        self._asked = [n for n, mark in enumerate(self._marks) if mark not in taken.parts]
        message = taken.message
        told = {
            "kind": message.kind,
            "title": message.title,
            "body": message.body,
            "urls": [urls[n].get_secret_value() for n in self._asked],
        }
        self._process = subprocess.Popen(
            _ARGV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(BrokenPipeError), self._process.stdin as to:  # one that has died is seen later
            to.write(orjson.dumps(told))
        self._process.stdin = None  # closed: it has all there is

    def over(self) -> Sent | None:
        """Return what came of it, and None while it goes on. A process that outlives its deadline is killed."""
        late = time.monotonic() >= self._deadline
        if self._process.poll() is None and not late:
            return None
        return self._result(late=late)

    def stop(self) -> None:
        """Break it off; whoever takes the message next sends it again."""
        self._process.kill()
        self._result(late=True)

    def _result(self, *, late: bool) -> Sent:
        self._process.kill()
        said, _ = self._process.communicate()
        errors = dict(_read(line) for line in said.splitlines() if line.endswith(b"}"))
        has = {self._marks[self._asked[n]] for n, error in errors.items() if not error}
        silent = (
            f"did not answer within {self._deadline_s:g} s" if late else "could not be sent to: the sender died"
        )
        wrong = [
            f"address {place + 1} of {len(self._marks)} {errors.get(n, silent)}"
            for n, place in enumerate(self._asked)
            if errors.get(n, silent)
        ]
        return Sent("; ".join(wrong), self.taken.parts | has, len(self._marks))


def _read(line: bytes) -> tuple[int, str]:
    said = orjson.loads(line)
    return int(said["n"]), str(said["error"])


def _mark(message: str, url: SecretStr) -> str:
    """Name an address in the ledger: too short, and too different for each message, to find it from that."""
    return hashlib.sha256(f"{message}\n{url.get_secret_value()}".encode()).hexdigest()[:8]
