"""`rollbackctl up`: everything for one machine in one process tree, taken down whole."""

from __future__ import annotations

import fcntl
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.failures import Failed, Unusable
from controller.cli.options import config_option, load, load_house
from controller.cli.terminal import say
from controller.cli.worker import worker_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.cli.children import Children
    from controller.settings import Settings


@click.command("up")
@config_option
def command(*, config: Path | None) -> None:
    """Run everything for one machine: Valkey on disk, the server and the workers.

    A `redis: {url: …}` in the settings is used instead of the embedded Valkey. Ctrl-C or SIGTERM stops all of it,
    the workers first; SIGHUP has the rules read again; when one part ends by itself, the others are stopped and
    the exit code is 1.
    """
    from controller.cli.children import Children  # noqa: PLC0415

    settings = load(config)
    load_house(settings)
    stopping = _stop_on_signals()
    with _folder(settings.data_dir), Children() as children:
        workers, env = worker_process(config)
        env |= _redis(children, settings) | _readable_log(settings)
        children.start("server", [sys.executable, "-m", "controller.cli", "serve"], env=env, grace_s=30)
        grace_s = settings.numbers.termination_grace_s + 5
        children.start("workers", workers, env=env, grace_s=grace_s)
        signal.signal(signal.SIGHUP, lambda number, _: children.tell(number, "server", "workers"))
        say(f"Starting at {settings.server_url}; Ctrl-C stops everything.", bold=True, err=True)
        ended = children.wait(stopping)
        say("Stopping, the workers first.", bold=True, err=True)
    if ended is not None:
        code = ended.process.returncode
        raise Failed(f"The {ended.name} ended by itself, with {code}; the lines above say why. All is stopped.")


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is somebody to pass it on to
    return stopping


@contextmanager
def _folder(folder: Path) -> Iterator[None]:
    """Hold the data folder: two of us in one folder would be two servers on one file."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as error:
        raise Unusable(f"Another `rollbackctl up` runs on {folder}. Stop it, or set another data-dir.") from error
    except OSError as error:
        raise Unusable(f"Cannot use {folder}: {error.strerror}. Set data-dir to a folder we may write.") from error


def _redis(children: Children, settings: Settings) -> dict[str, str]:
    if settings.redis.said:
        return {}
    from controller.cli.valkey import start_valkey  # noqa: PLC0415

    return {"ROLLBACK_REDIS__URL": start_valkey(children, settings.data_dir.absolute())}


def _readable_log(settings: Settings) -> dict[str, str]:
    """Log for people, unless the settings say how to log."""
    return {} if "format" in settings.log.model_fields_set else {"ROLLBACK_LOG__FORMAT": "console"}
