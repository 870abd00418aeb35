"""`make chaos`: many seeds, each a run of its own; a table, and what is left of a run that went wrong."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from chaos.table import figures, shown

TESTS = Path(__file__).resolve().parents[1]
_RUN_WITHIN_S = 400


def main() -> int:
    """Run the seeds; 1 where an invariant did not hold or a run came to nothing."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seed", type=int, help="only this one, and keep its folder")
    parser.add_argument("--jobs", type=int, default=max(1, (os.cpu_count() or 2) // 2), help="runs side by side")
    parser.add_argument("--json", type=Path, help="write the figures and every result there")
    asked = parser.parse_args()
    seeds = [asked.seed] if asked.seed is not None else range(asked.first, asked.first + asked.seeds)
    home, begun = Path(tempfile.mkdtemp(prefix="rollback-chaos-")), time.monotonic()
    results = list(_all(home, seeds, asked.jobs, keep=asked.seed is not None))
    bad = [one for one in results if one["violations"]]
    told = figures(results, time.monotonic() - begun)
    print(f"\n{shown(told)}")
    if asked.json:
        asked.json.write_text(json.dumps({"figures": told, "results": results}, indent=1))
    if bad:
        seed = bad[0]["seed"]
        print(f"\nAn invariant did not hold in {len(bad)} of {len(results)} seeds. What was written: {home}")
        print(f"Replay one with: make chaos SEED={seed}")
    elif asked.seed is not None:
        print(f"\nWhat was written: {home}")
    else:
        shutil.rmtree(home)
    return 1 if bad else 0


def _all(home: Path, seeds: Sequence[int], jobs: int, *, keep: bool) -> Iterator[dict[str, Any]]:
    """Run seeds and tell of each as it is over; the folder of a good one goes away."""
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(_one, home, seed) for seed in seeds]
        for number, done in enumerate(as_completed(running), 1):
            result = done.result()
            print(_line(number, len(running), result), flush=True)
            for name, problems in result["violations"].items():
                for problem in problems:
                    print(f"    {name}: {problem}", flush=True)
            if not keep and not result["violations"]:
                shutil.rmtree(home / str(result["seed"]), ignore_errors=True)
            yield result


def _one(home: Path, seed: int) -> dict[str, Any]:
    """Run a seed in a process of its own; one that breaks off is a violation: who knows what it had seen."""
    folder = home / str(seed)
    folder.mkdir()
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    argv = [sys.executable, "-m", "chaos.scenario", "--seed", str(seed), "--folder", str(folder)]
    with (folder / "scenario.log").open("wb") as log:
        try:
            subprocess.run(argv, env=env, stdout=log, stderr=log, check=False, timeout=_RUN_WITHIN_S)
        except subprocess.TimeoutExpired:
            log.write(f"took longer than {_RUN_WITHIN_S} s\n".encode())
    file = folder / "result.json"
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    last = (folder / "scenario.log").read_text(errors="replace").strip().splitlines()[-1:]
    return {**_NOTHING, "seed": seed, "violations": {"the_run_itself": [*last, f"see {folder}/scenario.log"]}}


_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("taste", "way"), "?"),
    **dict.fromkeys(("servers", "kills", "stops", "redis_restarts", "posts", "refused", "accepted"), 0),
    **dict.fromkeys(("rollbacks", "effects", "ways_back", "seconds"), 0),
    "recoveries_s": [],
    "faults": {},
    "ends": {},
}


def _line(number: int, of: int, one: Mapping[str, Any]) -> str:
    verdict = "BROKEN" if one["violations"] else "holds"
    faults = sum(one["faults"].values())
    return (
        f"{number}/{of}  seed {one['seed']}  {one['taste']}, {one['way']}: {one['kills']} kills, "
        f"{one['stops']} stops, {faults} faults, {one['effects']} effects, {one['seconds']:.0f} s  {verdict}"
    )


if __name__ == "__main__":
    sys.exit(main())
