"""`rollbackctl serve`: the server in this process, until it is asked to stop."""

from __future__ import annotations

import os
from pathlib import Path

import click

from controller.cli.failures import Unusable
from controller.cli.options import config_option, load


@click.command("serve")
@click.option("--listen", metavar="ADDRESS:PORT", help="Overrides the settings; port 0 takes any free one.")
@config_option
def command(*, listen: str | None, config: Path | None) -> None:
    """Run the server: the receiver for Alertmanager and the API.

    SIGTERM or SIGINT ends it after the requests in flight.
    """
    from controller import logs  # noqa: PLC0415 - the web framework is loaded by the server alone
    from controller.settings import SettingsError  # noqa: PLC0415
    from controller.settings.secrets import SecretUnreadable  # noqa: PLC0415
    from controller.web.server import serve  # noqa: PLC0415
    from rules.reading.fileerrors import RuleFileErrors  # noqa: PLC0415

    if listen:
        os.environ["ROLLBACK_LISTEN"] = listen
    settings = load(config)
    try:
        logs.configure(settings.log)
        serve(settings)
    except (SettingsError, RuleFileErrors, SecretUnreadable) as error:
        raise Unusable(str(error)) from error
