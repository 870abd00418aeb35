"""`rollbackctl worker`: checks what it was given, then becomes `python -m workers`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from controller.cli.first_process import hold_sigterm
from controller.cli.options import config_option, load, load_house


@click.command("worker")
@click.option("--processes", type=click.IntRange(1, 256), help="How many; overrides `workers` of the settings.")
@config_option
def command(*, processes: int | None, config: Path | None) -> None:
    """Run the workers of this machine: they carry rollbacks out.

    SIGTERM lets the step under way finish and parks the rest for another worker.
    """
    load_house(load(config))
    argv, more = worker_process(config)
    if processes is not None:
        more["ROLLBACK_WORKERS"] = str(processes)
    sys.stdout.flush()
    hold_sigterm()
    os.execve(argv[0], argv, {**os.environ, **more})  # noqa: S606 - the same process goes on: signals reach it


def worker_process(config: Path | None) -> tuple[list[str], dict[str, str]]:
    """Return the command of the workers and what it needs in the environment; nothing here imports them."""
    from controller.settings.loading import find_settings_file  # noqa: PLC0415

    found = find_settings_file(config)
    return [sys.executable, "-m", "workers"], {} if found is None else {"ROLLBACK_CONFIG": str(found.absolute())}
