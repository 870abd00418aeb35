"""Helm's own engine, from Python: renders our chart as `helm template` does, for any version of Kubernetes.

The package brings Helm's Go library. Its `Chart.render` takes no version, the library below it does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate.utils as schemas
from helm_python import _native
from ruamel.yaml import YAML

from testbed.chart_files import CHART

schemas.schema_contents = cache(schemas.schema_contents)  # or each object reads all of them anew

Values = Mapping[str, Any]
Manifest = dict[str, Any]


@cache
def chart() -> helm_python.Chart:
    """Load the chart once for all tests of a process; it is read-only."""
    return helm_python.Chart.load(CHART)


def render(
    values: Values,
    *,
    name: str = "rb",
    namespace: str = "rollback",
    kubernetes: str = "v1.34.0",
    api_versions: Sequence[str] = (),
) -> dict[str, str]:
    """Return the text of each template by its name below `templates/`; raises `HelmError` with its message."""
    options = {"name": name, "namespace": namespace, "kube_version": kubernetes, "api_versions": [*api_versions]}
    texts = _native.call_string("helm_render", chart()._raw(), json.dumps(values), json.dumps(options))
    return {path.partition("/templates/")[2]: text for path, text in json.loads(texts).items()}


def manifests(values: Values, **options: Any) -> list[Manifest]:
    """Return every object that an installation with these values has, hooks included."""
    chart().validate_schema(dict(values))
    found: list[Manifest] = []
    for path, text in sorted(render(values, **options).items()):
        if path.endswith(".yaml"):
            found += [one for one in YAML(typ="safe", pure=True).load_all(text) if one]
    return found


def check(manifest: Manifest, version: str) -> None:
    """Check an object of Kubernetes itself against the schemas of a version, which know every field."""
    schemas.validate(manifest, version, strict=True)


def refusal(values: Values) -> str:
    """Return what Helm says of values that it refuses; the empty string where it takes them."""
    try:
        manifests(values)
    except helm_python.HelmError as error:
        return str(error)
    return ""


def read_values(path: Path) -> dict[str, Any]:
    """Read a file of values as Helm does."""
    return helm_python.values_from_yaml(path.read_text())
