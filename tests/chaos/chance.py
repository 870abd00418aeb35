"""One process's stream of decisions, derived from the seed, its role and its place among the forks."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from chaos.plan import ROLE, Family, Kind, Plan

LOG = "faults.jsonl"
_LATE_S = (0.05, 1.5)
_SIGNALLED = {Kind.KILL, Kind.KILL_PARENT, Kind.KILL_GROUP, Kind.STOP}


def _rollback() -> str:
    """Return the rollback that this process has in hand, by the thread that keeps its lease; "" for none."""
    names = (thread.name for thread in threading.enumerate())
    return next((name.removeprefix("lease-") for name in names if name.startswith("lease-r")), "")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something is to go wrong here; `part` in 0..1 says where between two bounds."""

    kind: Kind
    part: float


class Chance:
    """Says at each fault point what happens, and writes it down before it does."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._root = os.getpid()
        self._begin(os.environ.get(ROLE, "process"))
        os.register_at_fork(before=self._count_fork, after_in_child=self._is_child)

    def _begin(self, role: str) -> None:
        self._role = role
        self._forks = 0
        self._seen = 0
        self._random = random.Random(f"{self.plan.seed}/{role}")

    def _count_fork(self) -> None:
        self._forks += 1

    def _is_child(self) -> None:
        self._begin(f"{self._role}.{self._forks}")

    def at(self, family: Family, point: str, *kinds: Kind) -> Fault | None:
        """Return what goes wrong at a point, None for nothing; signals and delays have been dealt already.

        `kinds` are those that this point can do besides: what a call cannot be made to do is left out.
        """
        self._seen += 1
        fault = self._choose(family, point, kinds)
        if fault is not None and self.plan.failing.exists() and self._spend(point, fault):
            return self._deal(fault)
        return None

    def _choose(self, family: Family, point: str, kinds: tuple[Kind, ...]) -> Fault | None:
        if self.plan.only:
            hit = point in self.plan.only
            return Fault(Kind(self.plan.only_kind), self._random.random()) if hit else None
        if self._random.random() >= self.plan.rates[family]:
            return None
        open_to = {*_SIGNALLED, Kind.LATE, *kinds}
        weights = {kind: w for kind, w in self.plan.weights(family).items() if kind in open_to}
        kind = self._random.choices(list(weights), list(weights.values()))[0]
        if kind is Kind.KILL_PARENT and os.getpid() == self._root:
            kind = Kind.KILL
        return Fault(kind, self._random.random())

    def _spend(self, point: str, fault: Fault) -> bool:
        """Take a fault from the budget that all processes of the seed share, and write it down."""
        entry = {
            "at": time.time(),
            "kind": fault.kind,
            "point": point,
            "n": self._seen,
            "role": self._role,
            "pid": os.getpid(),
            "thread": threading.current_thread().name,
            "rollback": _rollback(),
        }
        with (Path(self.plan.folder) / LOG).open("a+b") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            log.seek(0)
            spent = [json.loads(line)["kind"] for line in log]
            if len(spent) >= self.plan.faults:
                return False
            if fault.kind is Kind.STOP and spent.count(Kind.STOP) >= self.plan.stops:
                return False
            log.write(json.dumps(entry).encode() + b"\n")
        return True

    def _deal(self, fault: Fault) -> Fault | None:
        match fault.kind:
            case Kind.KILL:
                os.kill(os.getpid(), signal.SIGKILL)
            case Kind.KILL_PARENT:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(os.getppid(), signal.SIGKILL)
            case Kind.KILL_GROUP:
                os.killpg(os.getpgrp(), signal.SIGKILL)
            case Kind.STOP:
                os.kill(os.getpid(), signal.SIGSTOP)
            case Kind.LATE:
                self.pause(fault)
            case _:
                return fault
        return None

    def pause(self, fault: Fault, most_s: float = _LATE_S[1]) -> None:
        """Let some time pass."""
        time.sleep(_LATE_S[0] + fault.part * (most_s - _LATE_S[0]))
