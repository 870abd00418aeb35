"""`make bench`: measures, tells what it finds as it goes, and writes the tables of bench/README.md."""

from __future__ import annotations

import datetime as dt
import sys
import tempfile
from pathlib import Path

from testbed.parts import PACKAGES, PartMissingError, install, on_debian_as_root, program

from bench import machine, tables
from bench.matching import matching
from bench.overload import overload
from bench.reacting import reacting, remembering
from bench.receiving import receiving
from bench.undoing import undoing


def main() -> int:
    """Measure everything; 1 when a program that is needed is not here."""
    try:
        _have("wrk", "webhook")
    except PartMissingError as missing:
        print(f"bench: {missing}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="rollback-bench-") as name:
        tables.write(_sections(Path(name)))
    print(f"written: {tables.README}")
    return 0


def _have(*programs: str) -> None:
    PACKAGES.update({name: name for name in programs})
    for name in programs:
        try:
            program(name)
        except PartMissingError:
            if not on_debian_as_root():
                raise
            install([name])


def _sections(folder: Path) -> list[str]:
    day = dt.datetime.now(dt.UTC).date()
    print(machine.describe(), flush=True)
    print("Receiving, no worker running:", flush=True)
    rows, beside, server = receiving(folder)
    print("Overload, no worker running:", flush=True)
    storms = overload(folder / "overload")
    print("Reacting, one at a time:", flush=True)
    reactions = [reacting(folder / f"reacting-{fsync}", fsync) for fsync in ("everysec", "always")]
    print("Undoing in a cluster, one at a time:", flush=True)
    undone = undoing(folder / "undoing")
    sizes = remembering(folder / "remembering")
    print("Matching:", flush=True)
    matches = matching()
    return [
        f"{day}, {machine.describe()}; {server}, AOF with the fsync policy that each line names.",
        "### Receiving",
        tables.received(rows),
        "### Beside webhook",
        tables.beside_webhook(beside),
        "### Overload",
        tables.overloaded(storms),
        "### Reacting",
        tables.reacted(reactions),
        "### Undoing in a cluster",
        tables.undone(undone),
        "### Matching",
        tables.matched(matches),
        "### Memory",
        tables.remembered(sizes),
    ]


if __name__ == "__main__":
    sys.exit(main())
