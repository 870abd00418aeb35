"""Runs one target, and writes what came of it: a case that ends this process ends no other target."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import structlog
from testbed.redis import valkey

from fuzz.running import Run
from fuzz.target import Site
from fuzz.targets import by_name


def main() -> int:
    """Run a target's cases, or replay one; 1 where something broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replay", help="what a crash was told with")
    parser.add_argument("--folder", type=Path, required=True)
    asked = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    target = by_name(asked.target)
    with site() as place, target.opened(place) as check:
        run = Run(target, check, asked.folder / f"{target.name}.last")
        result = run.replay(asked.replay) if asked.replay else run.go(asked.cases, asked.seed)
    (asked.folder / f"{target.name}.json").write_text(json.dumps(result.plain()))
    return 1 if result.crashes else 0


@contextlib.contextmanager
def site() -> Iterator[Site]:
    """Give a folder, and a Redis of one's own."""
    with tempfile.TemporaryDirectory(prefix="rollback-fuzz-") as folder:
        kept = Path(folder) / "valkey"
        kept.mkdir()
        with valkey(kept) as server:
            yield Site(Path(folder), server)


if __name__ == "__main__":
    sys.exit(main())
