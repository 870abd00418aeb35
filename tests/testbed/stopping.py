"""`python -m testbed.stopping POINT FOLDER --config FILE`: a worker machine whose job stops itself at a point.

Whoever comes to the point first says so in FOLDER and stops by SIGSTOP, all threads of it, as a machine does that
is suspended; the test lets it go on. The points lie where the product has just asked its lease for the last time.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import urllib3.connectionpool

STOPPED = "stopped"


def stop_once(folder: Path) -> None:
    """Stop this process, unless another came here before it."""
    try:
        with (folder / STOPPED).open("x") as said:
            said.write(str(os.getpid()))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGSTOP)


def at_step(kind: str, when: str, stop: Callable[[], None]) -> None:
    """Stop around a step of that kind: after its intent and the last look at the lease, or before its done."""
    steps: Any = import_module("workers.runner.steps").Steps
    perform = steps._fenced

    @functools.wraps(perform)
    def around(self: Any, step: Any, *more: Any) -> Any:
        if when == "before" and step.kind == kind:
            stop()
        seen = perform(self, step, *more)
        if when == "after" and step.kind == kind:
            stop()
        return seen

    steps._fenced = around


def at_wire(method: str, when: str, stop: Callable[[], None]) -> None:
    """Stop around a request that writes: it is composed, and not yet sent; or answered, and not yet read."""
    pool: Any = urllib3.connectionpool.HTTPConnectionPool
    make = pool._make_request

    @functools.wraps(make)
    def around(self: Any, conn: Any, verb: str, url: str, *args: Any, **more: Any) -> Any:
        meant = verb == method.upper() and "/apis/apps/" in url and "dryRun" not in url
        if when == "before" and meant:
            stop()
        answer = make(self, conn, verb, url, *args, **more)
        if when == "after" and meant:
            stop()
        return answer

    pool._make_request = around


if __name__ == "__main__":
    point, place = sys.argv[1], Path(sys.argv[2])
    del sys.argv[1:3]
    what, moment = point.split(".")
    install = at_wire if what.startswith("http-") else at_step
    install(what.removeprefix("http-"), moment, lambda: stop_once(place))
    from workers.__main__ import main

    sys.exit(main())
