"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from controller.cli.failures import Unusable

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.cli.api import Api
    from controller.settings import Settings
    from controller.settings.house import House

F = TypeVar("F", bound="Callable[..., Any]")

config_option = click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Settings file; else $ROLLBACK_CONFIG, ./rollback.yaml, /etc/rollback-controller/rollback.yaml.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_url_option = click.option("--url", help="Where the server is; else $ROLLBACK_URL, or what the settings say.")


def api_options(function: F) -> F:
    """Add what every command needs that speaks to the server."""
    return config_option(_url_option(function))


def load(config: Path | None) -> Settings:
    """Read the settings; everything that is wrong with them ends the command."""
    from controller.settings import SettingsError, load_settings  # noqa: PLC0415 - 100 ms that `--help` need not wait for

    try:
        return load_settings(config)
    except SettingsError as error:
        raise Unusable("\n".join(error.problems)) from error


def api(config: Path | None, url: str | None) -> Api:
    """Find the server and our token."""
    from controller.cli.api import Api  # noqa: PLC0415
    from controller.cli.token import find_token  # noqa: PLC0415

    settings = load(config)
    found = find_token(settings)
    address = url.rstrip("/") if url else settings.server_url
    return Api(address, found.secret, found.source) if found else Api(address)


def load_house(settings: Settings) -> House:
    """Read rules and inventory; everything that is wrong with them ends the command."""
    from controller.settings.house import House  # noqa: PLC0415
    from rules.reading.fileerrors import RuleFileErrors  # noqa: PLC0415

    try:
        return House.load(settings)
    except RuleFileErrors as error:
        raise Unusable(str(error)) from error
