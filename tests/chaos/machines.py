"""The processes of a run, as a service manager keeps them, and somebody who kills and stops them from outside."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from testbed.installation import Installation
from testbed.programs import Program, started
from testbed.wait import until

from chaos.chance import LOG
from chaos.plan import PLAN, ROLE, Kind, Plan

TESTS = Path(__file__).resolve().parents[1]
_AGAIN_AFTER_S = (0.2, 1.5)


@dataclass(slots=True)
class Machine:
    """One program that is started again whenever it ends; what a killed one left behind lives on."""

    name: str
    module: str
    words: tuple[str, ...]
    installed: Installation
    plan: Plan
    port: int = 0
    programs: list[Program] = field(default_factory=list)
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _again_at: float = 0.0

    def keep(self, chance: random.Random) -> None:
        """Start it where it does not run, after a moment. Called by the thread that outlives it all."""
        if self.programs and self.programs[-1].process.poll() is None:
            return
        if self.programs and not self._again_at:
            self._again_at = time.monotonic() + chance.uniform(*_AGAIN_AFTER_S)
        if time.monotonic() >= self._again_at:
            self._start()
            self._again_at = 0.0

    def _start(self) -> None:
        env = {
            "ROLLBACK_CONFIG": str(self.installed.settings_file),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(TESTS),
            PLAN: str(self.plan.file),
            ROLE: f"{self.name}-{len(self.programs)}",
        }
        if self.port:
            env["ROLLBACK_LISTEN"] = f"127.0.0.1:{self.port}"
        argv = [sys.executable, "-m", self.module, *self.words]
        self.programs.append(self._open.enter_context(started(self.name, argv, self.installed.folder, env)))

    def family(self) -> list[int]:
        """Return every living process of it, also of those that its dead left behind."""
        return [pid for program in self.programs for pid in program.family()]

    def end(self) -> None:
        """End it all, at once; what is forked meanwhile is seen the next time."""
        until(self._is_gone, within_s=60, what=f"every process of {self.name} has ended")
        self._open.close()

    def _is_gone(self) -> bool:
        family = self.family()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not family


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that was done to a process from outside."""

    at: float
    kind: Kind
    pid: int
    name: str


@dataclass(slots=True)
class Killer:
    """Kills and stops processes at random moments, and wakes whoever was stopped, by whomever."""

    machines: list[Machine]
    plan: Plan
    chance: random.Random
    hits: list[Hit] = field(default_factory=list)
    _asleep: dict[int, float] = field(default_factory=dict)
    _read: int = 0
    _next_at: float = 0.0
    faults: int = 0
    """How many faults the processes have met by themselves."""

    def tick(self, now: float) -> None:
        """Do what is due."""
        self.wake(now)
        if not self.plan.outside or not self.plan.failing.exists():
            return
        if now >= self._next_at:
            if self._next_at:
                self._strike(now)
            self._next_at = now + self.chance.uniform(0.4, 2.0)

    def _strike(self, now: float) -> None:
        machine = self.chance.choice(self.machines)
        family = machine.family()
        if not family:
            return
        pid = self.chance.choice(family)
        stops = sum(hit.kind is Kind.STOP for hit in self.hits)
        kind = Kind.STOP if stops < self.plan.stops and self.chance.random() < 0.25 else Kind.KILL
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP if kind is Kind.STOP else signal.SIGKILL)
            self.hits.append(Hit(time.time(), kind, pid, machine.name))
        if kind is Kind.STOP:
            self._asleep[pid] = now + self.plan.stop_s

    def wake(self, now: float) -> None:
        """Let go on whoever was stopped for long enough."""
        for pid in self._stopped_by_themselves():
            self._asleep[pid] = now + self.plan.stop_s
        for pid, wakes_at in list(self._asleep.items()):
            if now >= wakes_at:
                del self._asleep[pid]
                if any(pid in machine.family() for machine in self.machines):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGCONT)

    def _stopped_by_themselves(self) -> Iterator[int]:
        file = Path(self.plan.folder) / LOG
        if not file.exists():
            return
        with file.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self.faults += 1
                entry = json.loads(line)
                if entry["kind"] == Kind.STOP:
                    yield entry["pid"]
