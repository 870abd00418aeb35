"""`rollbackctl lock`: a deploy tool holds a service while it deploys; no rule changes it meanwhile."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from controller.cli.failures import Conflict, Unsettled, Unusable
from controller.cli.options import api, api_options
from controller.cli.terminal import say
from controller.cli.times import span
from rules.durations import DurationError, parse_duration

if TYPE_CHECKING:
    from controller.cli.api import Api

_LOOK_EVERY_S = 2.0


@click.command("lock", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("service")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED, metavar="-- CMD…")
@click.option("--wait", is_flag=True, help="Wait while somebody else holds it.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), default=1800, show_default=True, help="Seconds to --wait."
)
@click.option("--ttl", default="60s", show_default=True, help="It ends so long after its holder died.")
@click.option("--reason", default="", help="Why; whoever meets the lock reads it.")
@api_options
def command(
    *,
    service: str,
    argv: tuple[str, ...],
    wait: bool,
    timeout: float,
    ttl: str,
    reason: str,
    config: Path | None,
    url: str | None,
) -> None:
    """Hold SERVICE while CMD runs, and end with the exit code of CMD.

    Options come before SERVICE. Signals are passed on to CMD; if this process is killed, the lock ends by itself.
    """
    from controller.cli.holding import Holding, run  # noqa: PLC0415 - for those who lock

    argv = argv[1:] if argv[:1] == ("--",) else argv
    if not argv:
        raise click.UsageError("Say what to run: rollbackctl lock SERVICE -- CMD…")
    server, ttl_s = api(config, url), _seconds(ttl)
    path = f"locks/{quote(service, safe='')}"
    asked = {"reason": reason or Path(argv[0]).name[:200], "ttl": ttl}  # its arguments may hold secrets
    answer = _wait(server, path, asked, timeout) if wait else server.post(path, asked)
    with Holding(server, path, asked, str(answer["token"]), ttl_s) as holding:
        code = run(argv)
    if holding.lost:
        say(f"{service} was not locked all the time; look at `rollbackctl history --service {service}`.", err=True)
    sys.exit(code)


def _seconds(ttl: str) -> float:
    try:
        return parse_duration(ttl)
    except DurationError as error:
        raise Unusable(f"--ttl: {error}") from error


def _wait(server: Api, path: str, asked: dict[str, str], timeout_s: float) -> dict[str, Any]:
    """Ask until it is ours; says once who has it."""
    deadline, told = time.monotonic() + timeout_s, ""
    while True:
        try:
            return server.post(path, asked)
        except Conflict as held:
            if time.monotonic() > deadline:
                raise Unsettled(f"Not locked after {span(timeout_s)}: {held}. CMD was not run.") from held
            holder = str(held).partition(" until ")[0]
            if holder != told:
                say(f"Waiting: {holder}.", err=True)
                told = holder
            time.sleep(min(_LOOK_EVERY_S, max(0.0, deadline - time.monotonic())))
