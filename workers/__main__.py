"""`python -m workers --config FILE`: the worker processes of one machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from controller.logs import configure
from controller.settings.loading import SettingsError, load_settings
from controller.settings.secrets import SecretUnreadable
from rules.reading.fileerrors import RuleFileErrors
from workers.supervisor import supervise


def main() -> int:
    """Run until asked to stop; 1 when something had to be killed, 2 when the configuration is refused."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument("--config", type=Path, help="the settings file (default: as rollbackctl finds it)")
    try:
        settings = load_settings(parser.parse_args().config)
        configure(settings.log)
        return supervise(settings)
    except (SettingsError, SecretUnreadable, RuleFileErrors) as e:
        print(e, file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2


if __name__ == "__main__":
    sys.exit(main())
