"""What many seeds came to, as one table."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

_DOUBLED = ("one_change_per_effect", "no_stale_write", "one_unfinished_rollback_per_instance")


def figures(results: Sequence[Mapping[str, Any]], seconds: float) -> dict[str, Any]:
    """Sum the results of seeds up; `doubled`, `lost` and the like count what broke an invariant."""
    faults: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    recovered = [seconds for one in results for seconds in one["recoveries_s"]]
    for one in results:
        faults.update(one["faults"])
        ends.update(one["ends"])
    return {
        "seeds": len(results),
        "over SSH": sum(one["way"] == "ssh" for one in results),
        "with two servers": sum(one["servers"] == 2 for one in results),
        "kills (SIGKILL)": _sum(results, "kills"),
        "stops past the lease (SIGSTOP)": _sum(results, "stops"),
        "Redis killed and restarted": _sum(results, "redis_restarts"),
        "faults put into calls": _listed(Counter({k: n for k, n in faults.items() if not _is_signal(k)})),
        "notifications posted": _sum(results, "posts"),
        "of these refused or unheard": _sum(results, "refused"),
        "alerts accepted": _sum(results, "accepted"),
        "rollbacks": _sum(results, "rollbacks"),
        "how they ended": _listed(ends),
        "effects": _sum(results, "effects"),
        "ways back": _sum(results, "ways_back"),
        "lost": _broken(results, "accepted_has_an_end"),
        "doubled": sum(_broken(results, name) for name in _DOUBLED),
        "over a limit": _broken(results, "never_over_a_limit"),
        "other violations": sum(
            len(p) for one in results for n, p in one["violations"].items() if n not in _NAMED
        ),
        "recoveries after a kill or stop": len(recovered),
        "the median one": f"{statistics.median(recovered or [0]):.1f} s",
        "the slowest one": f"{max(recovered, default=0):.1f} s",
        "took": f"{seconds:.0f} s",
    }


_NAMED = {*_DOUBLED, "accepted_has_an_end", "never_over_a_limit"}


def shown(told: Mapping[str, Any]) -> str:
    """Return the figures in two columns."""
    width = max(len(name) for name in told)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in told.items())


def _is_signal(kind: str) -> bool:
    return kind.startswith("kill") or kind == "stop"


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counted.most_common()) or "none"


def _sum(results: Sequence[Mapping[str, Any]], name: str) -> int:
    return sum(one[name] for one in results)


def _broken(results: Sequence[Mapping[str, Any]], invariant: str) -> int:
    return sum(len(one["violations"].get(invariant, ())) for one in results)
