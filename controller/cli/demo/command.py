"""`rollbackctl demo`."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.children import Children
from controller.cli.failures import Failed
from controller.cli.terminal import say

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from controller.cli.demo.stage import Stage


@click.command("demo")
@click.option("--keep", is_flag=True, help="Stay up until Ctrl-C, to look deeper.")
def command(*, keep: bool) -> None:
    """Show the whole path on this machine: an alert comes in, one canary goes back, and it is told why.

    Everything is real (an embedded Valkey, the server, a worker, two instances of a service), runs in a temporary
    folder, needs no rights, and is gone at the end.
    """
    from controller.cli.demo.stage import Stage  # noqa: PLC0415 - nothing of it is needed for --help
    from controller.cli.demo.story import Story  # noqa: PLC0415

    _forget_own_settings()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    with _folder() as folder, Children() as children:
        stage = Stage(folder, children)
        try:
            ident = Story(stage, stage.set_up()).tell()
        except (Failed, OSError) as error:
            for line in stage.log_tails():
                say(line, style="bright_black", err=True)
            raise Failed(f"The demo failed: {error}") from error
        _look_deeper(stage, ident, keep=keep)
        if keep:
            _until_interrupted()


def _look_deeper(stage: Stage, ident: str, *, keep: bool) -> None:
    if keep:
        say("Look deeper:", bold=True)
        say(f"  rollbackctl show {ident} --config {stage.config} --url {stage.url}")
        say("Ctrl-C ends it.", style="bright_black")
    else:
        say("Look deeper: `rollbackctl demo --keep`. Set up your own: `rollbackctl init`.", bold=True)


def _until_interrupted() -> None:
    try:
        signal.pause()
    except KeyboardInterrupt:
        say()


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="rollback-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _forget_own_settings() -> None:
    """Take variables away that would steer the demo's processes: they are meant for a real installation."""
    for name in [name for name in os.environ if name.startswith("ROLLBACK_")]:
        del os.environ[name]


def _interrupted(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt
