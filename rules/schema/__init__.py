"""The JSON Schemas of rules, inventory and facts, for editors. Generated from the models, never edited.

`python -m rules.schema` writes them; a test fails when they are out of date. They know the shape of a file, not
whether a matcher or a template can be read: `rollbackctl rules check` does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rules.durations import write_duration
from rules.inventory import InventoryModel
from rules.limits import write_number
from rules.reading.factmodels import FactsModel
from rules.reading.policymodels import PolicyModel
from rules.reading.rulemodels import OF_ONE_RULE, RuleFileModel, RuleModel
from rules.rulewriting import write_share

DIRECTORY = Path(__file__).parent
_BY_NAME = ("properties", "$defs")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Return the schemas by the names of their files."""
    return {
        "rules.v1.json": _rules(),
        "inventory.v1.json": _inventory(),
        "facts.v1.json": _finished(FactsModel.model_json_schema(), "A facts file of the rollback controller"),
    }


def policy() -> dict[str, Any]:
    """Return the schema of the settings' `policy:`; what it refers to is under `$defs`."""
    return dict(_plain(PolicyModel.model_json_schema()))


def written(schema: dict[str, Any]) -> str:
    """Return a schema as its file holds it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _rules() -> dict[str, Any]:
    rule = RuleModel.model_json_schema()
    parts = rule.pop("$defs")
    # What a rule leaves out may come from the defaults, so only its name can be demanded here.
    rule["required"] = ["name"]
    inherited = {key: part for key, part in rule["properties"].items() if key not in OF_ONE_RULE}
    defaults = {"type": "object", "additionalProperties": False, "properties": inherited}
    file = RuleFileModel.model_json_schema()
    file["properties"]["defaults"] = {
        "$ref": "#/$defs/Defaults",
        "description": "What every rule of this file inherits, key by key.",
    }
    file["properties"]["rules"]["items"] = {"$ref": "#/$defs/Rule"}
    file["$defs"] = {**parts, "Rule": rule, "Defaults": defaults}
    return _finished(file, "A rule file of the rollback controller")


def _inventory() -> dict[str, Any]:
    schema = InventoryModel.model_json_schema()
    schema["oneOf"] = [{"required": ["ssh"]}, {"required": ["connection"]}]
    return _finished(schema, "The inventory of the rollback controller")


def _finished(schema: dict[str, Any], title: str) -> dict[str, Any]:
    plain = _plain(schema)
    parts = dict(sorted(plain.pop("$defs").items()))
    return {"$schema": _DIALECT, "title": title, **plain, "$defs": parts}


def _plain(value: Any) -> Any:
    """Drop pydantic's own titles and null, which no field accepts; write defaults as a file would."""
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    plain = {
        key: _named(part) if key in _BY_NAME else _plain(part) for key, part in value.items() if key != "title"
    }
    default = plain.get("default")
    if default is None or isinstance(default, dict) or default not in plain.get("enum", [default]):
        plain.pop("default", None)
    elif isinstance(default, float) and plain.get("type") == "string":
        plain["default"] = _quantity(default, str(plain["pattern"]))
    return _without_null(plain)


def _quantity(value: float, pattern: str) -> str:
    """Write a default as a file would: the pattern tells what kind of quantity it is."""
    if pattern.endswith("%$"):
        return write_share(value)
    return f"{write_number(value)}x" if pattern.endswith("x$") else write_duration(value)


def _named(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: _plain(part) for name, part in parts.items()}


def _without_null(part: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in part.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) != 1:
        return part
    rest = {key: inner for key, inner in part.items() if key != "anyOf"}
    return {**kinds[0], **rest}
