"""Reading the settings: the file, then the variables over it, then the check of the numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from controller.settings.settings import Settings

PLACES = (Path("rollback.yaml"), Path("/etc/rollback-controller/rollback.yaml"))
"""Where the settings file is looked for when nobody names one."""


class SettingsError(Exception):
    """The settings cannot be used; one line for each thing that is wrong, each at its place."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def find_settings_file(path: Path | None) -> Path | None:
    """Name the settings file: `path`, else ROLLBACK_CONFIG, else the first of the usual places."""
    if path is not None:
        return path
    if named := os.environ.get("ROLLBACK_CONFIG"):
        return Path(named)
    return next((place for place in PLACES if place.is_file()), None)


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings; raises `SettingsError` naming everything that is wrong.

    Relative paths in the file are relative to the file; those in variables, to the working directory.
    """
    found = find_settings_file(path)
    values: dict[str, Any] = {} if found is None else _read(found)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(*(f"{found}: {e['loc']}: {e['msg']}" for e in error.errors())) from error
    if wrong := settings.numbers.contradictions():
        raise SettingsError(*wrong)
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}. Run `rollbackctl init`.") from error
    except MarkedYAMLError as error:
        raise SettingsError(f"{path}: {error}") from error
