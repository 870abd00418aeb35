"""The committed JSON Schemas are those of the models, and accept what ships."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from rules.reading.yamlfile import read_yaml
from rules.reading.yamlnodes import value_of
from rules.rulefile import parse_rules
from rules.schema import DIRECTORY, schemas, written

LIBRARY = [
    path for path in sorted((DIRECTORY.parent / "library").glob("*.yaml")) if not path.name.endswith(".test.yaml")
]
INVENTORY = """
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts: [{name: web1, labels: {track: canary}}]
"""


def validator(name: str) -> jsonschema.Draft202012Validator:
    schema = json.loads((DIRECTORY / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def data(text: str) -> object:
    return value_of(read_yaml(text, "x.yaml").root)


@pytest.mark.parametrize("name", schemas())
def test_the_committed_schema_is_that_of_the_models(name):
    """When this fails, run `make schema`."""
    assert (DIRECTORY / name).read_text(encoding="utf-8") == written(schemas()[name])


@pytest.mark.parametrize(
    "part", json.loads(written(schemas()["rules.v1.json"]))["$defs"].values(), ids=lambda p: ""
)
def test_every_default_is_one_that_the_schema_accepts(part):
    """Written as a file writes it: 34%, 2x, 30m."""
    for name, field in part.get("properties", {}).items():
        if "default" in field and "$ref" not in json.dumps(field):
            jsonschema.Draft202012Validator(field).validate(field["default"])
            assert name not in {"max-share", "min-healthy"} or field["default"].endswith("%")


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
def test_the_schema_accepts_the_library(path: Path):
    """An editor shows no error in a file that ships."""
    validator("rules.v1.json").validate(data(path.read_text(encoding="utf-8")))


def test_the_schema_accepts_an_inventory():
    """Nor in an inventory."""
    validator("inventory.v1.json").validate(data(INVENTORY))


RULES = """
version: rules/v1
defaults: {{to: [previous], {defaults}}}
rules:
  - name: a
    when: {{matchers: [a="b"]}}
    target: {{hosts: {{}}, {target}}}
    {rule}
"""

REFUSED = [
    {"rule": "guards: {cooldown: 30}"},
    {"rule": "guards: {caused-by-release: never}"},
    {"rule": "guards: {limits: {per-hour: 0}}"},
    {"rule": "guards: {affected: {max-share: 0.34}}"},
    {"rule": "waves: {by: zone}"},
    {"rule": "before: {require: [{name: a, promql: b, is: small}]}"},
    {"rule": "restore: auto"},
    {"rule": "to: [same-as]"},
    {"rule": "to: [{same-as: {}}]"},
    {"rule": "mode: asks"},
    {"rule": "mode:"},
    {"rule": "verify: {steady: 10}"},
    {"rule": "verify: {steady: ten}"},
    {"rule": "to: [last-known-god]"},
    {"rule": "to: []"},
    {"target": "kubernetes: {}"},
    {"target": "hosts: {}, kubernetes: {selector: {}}"},
    {"target": "only: {a: []}"},
    {"target": "only: {a: 1}"},
    {"defaults": "name: b"},
    {"defaults": "verify: {stedy: 1s}"},
]


ACCEPTED = [
    {"rule": "guards: {caused-by-release: off, cooldown: 0s, freeze: [week-end]}"},
    {"rule": "guards: {caused-by-release: {within: 2h, compare: {by: version, query: errors, at-least: 5x}}}"},
    {"rule": "guards: {limits: {per-hour: 1}, affected: {max: 1, max-share: 34%, min-healthy: 0%}}"},
    {"rule": "to: [last-known-good, stable, {version: v1}]"},
    {"rule": "waves: [1, 50%]"},
    {"rule": "waves: {steps: [1, 100%]}"},
    {"rule": "mode: ask"},
    {"rule": "notify: [oncall]"},
    {"target": "arrived-within: 2h"},
]


@pytest.mark.parametrize("pieces", ACCEPTED, ids=str)
def test_the_schema_accepts_what_the_loader_accepts(pieces):
    """Else an editor shows an error where there is none."""
    text = RULES.format(**{"defaults": "", "target": "", "rule": "", **pieces})
    validator("rules.v1.json").validate(data(text.replace(": off", ': "off"')))
    parse_rules(text, "rules.yaml")


@pytest.mark.parametrize("pieces", REFUSED, ids=str)
def test_the_schema_refuses_what_the_loader_refuses(pieces):
    """As far as a shape can tell."""
    text = RULES.format(**{"defaults": "", "target": "", "rule": "", **pieces})
    assert validator("rules.v1.json").is_valid(data(RULES.format(defaults="", target="", rule="")))
    assert not validator("rules.v1.json").is_valid(data(text))
