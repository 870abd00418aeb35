"""What one seed means: how many faults, which ones, how often, and for how long. Passed to processes as a file."""

from __future__ import annotations

import json
import os
import random
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

PLAN = "ROLLBACK_CHAOS_PLAN"
ROLE = "ROLLBACK_CHAOS_ROLE"


class Kind(StrEnum):
    """What may happen at a fault point."""

    FAIL = "fail"
    """The call fails with the library's own error, and nothing was done."""
    LOST = "lost"
    """It was done; the caller sees an error."""
    HANG = "hang"
    """No answer comes until the caller's own time limit; at a reply, after it was done."""
    LATE = "late"
    """It is done, and answered, later."""
    CUT = "cut"
    """A command on a host is killed somewhere in the middle."""
    KILL = "kill"
    """SIGKILL to the process itself."""
    KILL_PARENT = "kill-parent"
    KILL_GROUP = "kill-group"
    STOP = "stop"
    """SIGSTOP to the process itself, past its lease; somebody outside wakes it."""


class Family(StrEnum):
    """Fault points of one sort."""

    REDIS = "redis"
    """Every command sent, every reply read, of every client: the lease's and RQ's too."""
    SCRIPT = "script"
    """Before and after the ledger's scripts, by name."""
    STEP = "step"
    """Before and after each intent, deed and done, and the scripts that a rollback's life hangs on."""
    HOST = "host"
    HTTP = "http"
    """Every exchange with an API server, Prometheus or Alertmanager."""


_SIGNALS = {Kind.LATE: 2.0, Kind.KILL: 6.0, Kind.KILL_PARENT: 2.0, Kind.KILL_GROUP: 1.0, Kind.STOP: 1.5}
_CALLS = {Kind.FAIL: 5.0, Kind.LOST: 6.0, Kind.HANG: 1.5, Kind.LATE: 3.0, Kind.KILL: 3.0, Kind.STOP: 0.5}
_WEIGHTS: dict[Family, dict[Kind, float]] = {
    Family.REDIS: {**_CALLS, Kind.KILL: 1.0, Kind.STOP: 0.2},
    Family.SCRIPT: _SIGNALS,
    Family.STEP: _SIGNALS,
    Family.HOST: {**_CALLS, Kind.CUT: 4.0, Kind.KILL_PARENT: 1.0},
    Family.HTTP: _CALLS,
}
_RATES = {Family.REDIS: 0.004, Family.SCRIPT: 0.004, Family.STEP: 0.03, Family.HOST: 0.04, Family.HTTP: 0.02}
_TASTES: dict[str, dict[Kind, float]] = {
    "mixed": {},
    "killing": {Kind.KILL: 4, Kind.KILL_PARENT: 4, Kind.KILL_GROUP: 4},
    "stopping": {Kind.STOP: 8, Kind.LATE: 2},
    "losing": {Kind.FAIL: 3, Kind.LOST: 5, Kind.CUT: 3, Kind.HANG: 2},
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The faults of one seed."""

    seed: int
    folder: str
    taste: str = "mixed"
    faults: int = 45
    """How many faults the processes of this seed may meet altogether."""
    stops: int = 4
    outside: bool = True
    """Whether processes and Redis are killed and stopped from outside as well."""
    people: bool = True
    """Whether somebody deploys, and pauses rules, meanwhile."""
    for_s: float = 14.0
    """How long things fail, at least, once everything runs."""
    least: int = 12
    """How many faults the processes have to meet before that is over; on a busy machine it takes longer."""
    settles_s: float = 240.0
    """How long, after that, everything may take to be over; whether it helped may be known after two minutes."""
    stop_s: float = 4.5
    """How long a stopped process stays so: longer than a lease."""
    hang_s: float = 2.0
    rates: dict[str, float] = field(default_factory=lambda: {str(k): v for k, v in _RATES.items()})
    only: tuple[str, ...] = ()
    """Where not empty: fault points that alone are used, always, with `only_kind`."""
    only_kind: str = ""
    sabotage: str = ""
    """A safety of the product that is taken out, to show that the invariants notice."""

    @classmethod
    def of(cls, seed: int, folder: Path, **over: Any) -> Plan:
        """Choose the taste of a seed."""
        chance = random.Random(f"{seed}/plan")
        taste = chance.choice(sorted(_TASTES))
        return cls(seed, str(folder), **{"taste": taste, "faults": chance.randint(25, 60), **over})

    @classmethod
    def given(cls) -> Plan:
        """Read the plan that this process was started with."""
        found = json.loads(Path(os.environ[PLAN]).read_text())
        return cls(**{**found, "only": tuple(found["only"])})

    @property
    def failing(self) -> Path:
        """The file that is there while faults are to happen."""
        return Path(self.folder) / "failing"

    @property
    def file(self) -> Path:
        """Where processes read it."""
        return Path(self.folder) / "plan.json"

    def write(self) -> None:
        """Write it for processes that are started from now on."""
        self.file.write_text(json.dumps(asdict(self), indent=1))

    def weights(self, family: Family) -> dict[Kind, float]:
        """Return how likely each kind is beside the others."""
        taste = _TASTES[self.taste]
        return {kind: weight * taste.get(kind, 1) for kind, weight in _WEIGHTS[family].items()}
