"""What each process takes, as the kernel counts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Size:
    """One process. `pss_mb` counts shared pages by their part: the sum of it is what is really used."""

    process: str
    rss_mb: float
    pss_mb: float


def sizes(*, server: int, supervisor: int, valkey: int) -> list[Size]:
    """Measure the processes of a whole system at this moment, and the job that is under way."""
    found = [_size("server: watches over", server)]
    found += [_size("server: serves", child) for child in _children(server)]
    found += [_size("supervisor of the workers", supervisor)]
    reconciler, *workers = _children(supervisor)  # in the order in which the supervisor starts them
    found += [_size("reconciler", reconciler)]
    for n, worker in enumerate(workers, 1):
        found += [_size(f"worker {n}", worker)]
        found += [_size("job's process, during a rollback", job) for job in _children(worker)]
    return [*found, _size("Valkey", valkey)]


def reset_peak(pid: int) -> None:
    """Let `peak_mb` begin anew."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def peak_mb(pid: int) -> float:
    """Return the most that a process has had in memory since then, shared pages included."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return next(int(words[1]) for words in lines if words[0] == "VmHWM:") / 1024


def _children(pid: int) -> list[int]:
    return sorted(int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def _size(process: str, pid: int) -> Size:
    lines = (line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kb = {words[0].rstrip(":"): int(words[1]) for words in lines}
    return Size(process, kb["Rss"] / 1024, kb["Pss"] / 1024)
