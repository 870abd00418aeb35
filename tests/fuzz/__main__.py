"""`make fuzz`: every target, each in a process of its own; a table, and for each crash how to see it again."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from fuzz.table import row, shown
from fuzz.targets import by_name, shares

TESTS = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run the targets; 1 where anything crashed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--target", help="only this one; it gets all the cases")
    parser.add_argument(
        "--seed", type=int, default=secrets.randbelow(10**9), help="one seed is always the same cases"
    )
    parser.add_argument("--replay", help="the one case that a crash was told with; needs --target")
    parser.add_argument("--jobs", type=int, default=max(1, os.cpu_count() or 1), help="targets side by side")
    asked = parser.parse_args()
    many = {by_name(asked.target).name: asked.cases} if asked.target else shares(asked.cases)
    folder, begun = Path(tempfile.mkdtemp(prefix="rollback-fuzz-")), time.monotonic()
    what = "one case again" if asked.replay else f"{sum(many.values())} cases, seed {asked.seed}"
    print(f"{what}; what crashes is written to {folder}", flush=True)
    results = []
    with ThreadPoolExecutor(asked.jobs) as pool:
        running = [pool.submit(_one, name, cases, asked, folder) for name, cases in many.items()]
        for done in as_completed(running):
            results.append(done.result())
            print(row(results[-1]), flush=True)
            for crash in results[-1]["crashes"]:
                _tell(crash, folder, asked.seed)
    order = list(many)
    results.sort(key=lambda one: order.index(one["target"]))
    print(f"\n{shown(results, time.monotonic() - begun)}")
    crashed = any(one["crashes"] for one in results)
    if not crashed:
        shutil.rmtree(folder)
    return 1 if crashed else 0


def _one(name: str, cases: int, asked: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Run a target; a process that does not come back crashed at the case that it wrote down last."""
    words = ["--target", name, "--cases", str(cases), "--seed", str(asked.seed), "--folder", str(folder)]
    if asked.replay:
        words += ["--replay", asked.replay]
    log = folder / f"{name}.log"
    with log.open("wb") as out:
        env = {**os.environ, "PYTHONPATH": str(TESTS)}
        argv = [sys.executable, "-m", "fuzz.one", *words]
        ended = subprocess.run(argv, env=env, stdout=out, stderr=out, check=False).returncode
    file = folder / f"{name}.json"
    if file.exists():
        found: dict[str, Any] = json.loads(file.read_text())
        return found
    what = f"the process died of {signal.Signals(-ended).name}" if ended < 0 else f"the run broke off: see {log}"
    last = folder / f"{name}.last"
    case = last.read_text() if last.exists() else "none"
    crash = {"target": name, "what": what, "case": case, "trace": log.read_text(errors="replace"), "replay": ""}
    return {"target": name, "cases": 0, "accepted": 0, "refused": 0, "seconds": 0.0, "crashes": [crash]}


def _tell(crash: Mapping[str, str], folder: Path, seed: int) -> None:
    """Print a crash as far as a screen goes, and write all of it down."""
    number = len(list(folder.glob(f"{crash['target']}-*.txt"))) + 1
    file = folder / f"{crash['target']}-{number}.txt"
    how = f"REPLAY={crash['replay']}" if crash["replay"] else f"SEED={seed}"
    again = f"make fuzz TARGET={crash['target']} {how}"
    file.write_text("\n\n".join((crash["what"], crash["case"], crash["trace"], again)))
    lines = (crash["what"][:400], f"the input: {crash['case'][:400]}", f"all of it: {file}", f"again: {again}")
    print("\n".join(f"    {line}" for line in lines), flush=True)


if __name__ == "__main__":
    sys.exit(main())
