"""Manifests from a file or from options: every mistake is told here, at its place, before anything is sent."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from controller.cli.failures import Failed, Unusable
from rules.reading.fileerrors import RuleFileErrors
from rules.reading.manifestmodels import LIMIT, ManifestError, ManifestModel, read_manifests
from rules.reading.modelerrors import check
from rules.reading.yamlfile import read_yaml
from rules.reading.yamlnodes import value_of

if TYPE_CHECKING:
    from pathlib import Path

_OPTIONS = {"digests": "--digest", LIMIT: f"--{LIMIT}"}


def read(file: Path, service: str) -> Any:
    """Read one manifest, or a list of them."""
    name = "standard input" if str(file) == "-" else str(file)
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Unusable(f"{name} cannot be read: {error.strerror}.") from error
    return _list(data, name, service) if data.lstrip().startswith(b"[") else _mapping(data, name, service)


def from_options(options: dict[str, Any], service: str) -> dict[str, Any]:
    """Read one manifest from the options of the command."""
    try:
        read_manifests(options, service)
    except ManifestError as error:
        field = error.field.split(".")[0]
        option = _OPTIONS.get(field, f"--{field.replace('_', '-')}")
        raise Unusable(f"{option}: {error}.") from error
    return options


def _mapping(data: bytes, name: str, service: str) -> Any:
    """Read JSON or YAML, which JSON is a part of: so every mistake has its line and column."""
    try:
        document = read_yaml(data, name)
    except RuleFileErrors as error:
        raise Failed(str(error)) from error
    model, errors = check(ManifestModel, document.root, document)
    if found := (*document.errors, *errors):
        raise Failed("\n".join(str(error) for error in found))
    if model is not None and model.service not in {None, service}:
        place = document.root.entries["service"].value
        said = f"this says {model.service}, and you register for {service}; name one of them in both places"
        raise Failed(str(document.error(place, said)))
    return value_of(document.root)


def _list(data: bytes, name: str, service: str) -> Any:
    try:
        content = json.loads(data)
        read_manifests(content, service)
    except json.JSONDecodeError as error:
        raise Failed(f"{name}:{error.lineno}:{error.colno}: {error.msg}; a list is written as JSON") from error
    except UnicodeDecodeError as error:
        raise Failed(f"{name}: this is no UTF-8 text; save it as UTF-8") from error
    except ManifestError as error:
        where = f"manifest {error.index}" if error.index is not None else "the list"
        field = f": {error.field}" if error.field else ""
        raise Failed(f"{name}: {where}{field}: {error}") from error
    return content
