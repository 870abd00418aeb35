"""`python -m workers --config FILE`: the worker processes of one machine."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from controller.logs import configure
from controller.settings.loading import SettingsError, load_settings
from controller.settings.secrets import SecretUnreadable
from rules.reading.fileerrors import RuleFileErrors
from workers.supervisor import supervise


def main() -> int:
    """Run until asked to stop; 1 when something had to be killed, 2 when the configuration is refused."""
    _obey_sigterm()
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--config", type=Path, help="the settings file (default: as rollbackctl finds it)")
    try:
        settings = load_settings(parser.parse_args().config)
        configure(settings.log)
        return supervise(settings)
    except (SettingsError, SecretUnreadable, RuleFileErrors) as e:
        print(e, file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2


def _obey_sigterm() -> None:
    """End on SIGTERM until there is more to stop: the first process of a container has no default for it.

    `rollbackctl worker` held back what came while it became this program.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


if __name__ == "__main__":
    sys.exit(main())
