"""Follows rollbacks to their end: a live line on a terminal, one line per change elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from controller.cli.failures import Failed, Unreachable, Unsettled
from controller.cli.records import SETTLED, because, short, standing, subject
from controller.cli.terminal import clean, coloured, print_json, say
from controller.cli.times import span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from controller.cli.api import Api

_LOOK_EVERY_S = 0.4
_UNREACHABLE_S = 30


def follow(server: Api, ids: Sequence[str], timeout_s: float, *, as_json: bool = False) -> None:
    """Return once every rollback recovered; raises `Failed` when one did not, `Unsettled` when time is over."""
    begun = time.monotonic()
    seen: dict[str, dict[str, Any]] = {}
    with _live(as_json=as_json) as live:
        while time.monotonic() - begun < timeout_s:
            _look(server, ids, seen, quiet=as_json)
            if all(record["state"] in SETTLED for record in seen.values()):
                break
            if live is not None:
                live.update(_line(seen, time.monotonic() - begun))
            time.sleep(_LOOK_EVERY_S)
    records = list(seen.values())
    if as_json:
        print_json({"rollbacks": records})
    _judge(records, timeout_s)


def _live(*, as_json: bool) -> Any:
    if as_json or not sys.stdout.isatty():
        return nullcontext(None)
    from controller.cli.terminal import console  # noqa: PLC0415

    return console().status("")


def _look(server: Api, ids: Sequence[str], seen: dict[str, dict[str, Any]], *, quiet: bool) -> None:
    for ident in ids:
        record = _read(server, ident)
        before, seen[ident] = seen.get(ident), record
        changed = before is None or (before["state"], before["reason"]) != (record["state"], record["reason"])
        if changed and not quiet:
            reason = because(record)
            click.echo(
                f"{clean(subject(record))}  {coloured(standing(record))}"
                + (f"  {clean(reason)}" if reason else "")
            )


def _read(server: Api, ident: str) -> dict[str, Any]:
    """Read one record; a server that restarts meanwhile is waited for."""
    deadline = time.monotonic() + _UNREACHABLE_S
    while True:
        try:
            return server.get(f"rollbacks/{ident}")
        except Unreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def _line(seen: dict[str, dict[str, Any]], seconds: float) -> Any:
    from rich.text import Text  # noqa: PLC0415

    waiting = [record for record in seen.values() if record["state"] not in SETTLED]
    doing = ", ".join(f"{short(record)} {record['state']}" for record in waiting[:4])
    return Text(clean(f"{doing}  {span(seconds)}"))


def _judge(records: list[dict[str, Any]], timeout_s: float) -> None:
    open_ones = [record["id"] for record in records if record["state"] not in SETTLED]
    bad = [record["id"] for record in records if record["state"] in SETTLED and standing(record) != "recovered"]
    if bad:
        raise Failed(f"Did not recover: {', '.join(bad)}. `rollbackctl show {bad[0]}` says why.")
    if open_ones or not records:
        raise Unsettled(
            f"Not ended after {span(timeout_s)}, and going on: {', '.join(open_ones)}. See `rollbackctl show`."
        )
    say("All recovered.", style="green")
