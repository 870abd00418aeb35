"""Reading the settings: the file, then the variables over it, then the check of the numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic_settings
from pydantic import ValidationError

from controller.settings.places import NAMES_BELOW, Places, misspelt_variables
from controller.settings.settings import Settings
from rules.reading.fileerrors import RuleFileErrors
from rules.reading.yamlfile import read_yaml
from rules.reading.yamlnodes import Broken, Unclear, value_of

if TYPE_CHECKING:
    from rules.reading.yamlnodes import Value

USUAL_PLACES = (Path("rollback.yaml"), Path("/etc/rollback-controller/rollback.yaml"))
"""Where the settings file is looked for when nobody names one."""

_PATHS = frozenset(
    {
        *("rules", "inventory", "data_dir", "file", "kubeconfig"),
        *("token_file", "password_file", "sentinel_password_file", "ca_file", "urls_file", "key_file"),
    }
)
"""The keys whose values are paths, wherever they stand."""

_CREDENTIALS = "$CREDENTIALS_DIRECTORY/"
"""Where systemd puts what `LoadCredential=` names; each process has a directory of its own."""

_DEFAULTS = {"rules": "rules.yaml", "inventory": "inventory.yaml", "data_dir": "data"}


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
    return next((place for place in USUAL_PLACES if _is_there(place)), None)


def _is_there(place: Path) -> bool:
    """Tell whether a usual place has a file.

    A working directory that is closed to us has none of ours. The place for all may have one that is not for us:
    then whoever reads it says so, and nobody goes on as if there were none.
    """
    try:
        return place.is_file()
    except PermissionError:
        return place.is_absolute()


def load_settings(path: Path | None = None) -> Settings:
    """Read the settings; raises `SettingsError` naming everything that is wrong.

    Relative paths in the file are relative to the file; those in variables, to the working directory.
    """
    found = find_settings_file(path)
    places, values = (Places(), {}) if found is None else _read(found)
    if misspelt := misspelt_variables(os.environ):
        raise SettingsError(*misspelt)
    try:
        settings = Settings(**values)
    except ValidationError as error:
        problems = [places.problem(e["loc"], e["type"], e["msg"]) for e in error.errors(include_url=False)]
        raise SettingsError(*problems) from error
    except pydantic_settings.SettingsError as error:
        raise SettingsError(f"{error}. Write it as JSON, or set its parts with `__`.") from error
    if wrong := settings.numbers.contradictions():
        raise SettingsError(*(places.said(("numbers",), sentence) for sentence in wrong))
    return settings


def _read(path: Path) -> tuple[Places, dict[str, Any]]:
    try:
        data = path.read_bytes()
    except PermissionError as error:
        message = f"{path}: cannot be read: {error.strerror}. Be a user who may, or name a file with --config."
        raise SettingsError(message) from error
    except OSError as error:
        message = f"{path}: cannot be read: {error.strerror}. `rollbackctl init` writes one."
        raise SettingsError(message) from error
    if all(line.strip()[:1] in {b"", b"#"} for line in data.splitlines()):
        return Places(), {}
    try:
        document = read_yaml(data, str(path))
    except RuleFileErrors as error:
        raise SettingsError(*map(str, error.errors)) from error
    places = Places(document)
    values = _plain(value_of(document.root), (), places, path.parent)
    if document.errors or places.errors:
        raise SettingsError(*map(str, sorted({*document.errors, *places.errors})))
    for name in ("rules", "inventory", "data_dir"):
        values.setdefault(name, str(path.parent / _DEFAULTS[name]))
    return places, values


def _plain(value: Value, loc: tuple[str | int, ...], places: Places, folder: Path) -> Any:
    """Return what the model takes: underscores in keys, paths beside the file, nothing half understood."""
    if isinstance(value, dict):
        keys = {key if loc in NAMES_BELOW else _key(key): item for key, item in value.items()}
        return {key: _plain(item, (*loc, key), places, folder) for key, item in keys.items()}
    if isinstance(value, list):
        return [_plain(item, (*loc, at), places, folder) for at, item in enumerate(value)]
    if isinstance(value, Unclear):
        places.unclear(loc, value)
        return value.text
    if isinstance(value, Broken):
        return None
    named = tuple(part for part in loc if isinstance(part, str))
    if isinstance(value, str) and named and named[-1] in _PATHS and named[:-1] not in NAMES_BELOW:
        return str(_path(folder, value))
    return value


def _path(folder: Path, value: str) -> Path:
    """Return where a path leads: beside the file, or to what the service manager handed to this process.

    Where nobody handed anything over it stays as it is written: a person's command needs none of those files, and
    whoever does need one says which.
    """
    handed = os.environ.get("CREDENTIALS_DIRECTORY")
    if handed and value.startswith(_CREDENTIALS):
        return Path(handed) / value.removeprefix(_CREDENTIALS)
    return folder / value


def _key(key: str) -> str:
    return key.replace("-", "_")
