"""Writes what the chart holds a second time; `make chart` does it, and a test fails while a file is out of date.

Rights come from the drivers' table, the README's table from values.yaml, and the schema of the values that the
settings take as they are from the settings' own models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from controller.settings import Numbers
from rules.schema import policy
from workers.kubernetes.rights import PAUSING, RIGHTS, rules_of_role

CHART = Path(__file__).resolve().parents[2] / "helm" / "rollback-controller"
_BEGIN, _END = "<!-- values: written by `make chart` -->", "<!-- end of values -->"
_LONGEST_DEFAULT = 90


class Value(NamedTuple):
    """One documented value: its path with dots, its default, and what is said about it."""

    path: str
    default: Any
    says: str


def rights() -> str:
    """Return files/rights.yaml."""
    sections = {
        "needed": [right for right in RIGHTS if not right.optional],
        "optional": [right for right in RIGHTS if right.optional],
        "pausing": [right for right in PAUSING if not right.wide],
        "pausingWide": [right for right in PAUSING if right.wide],
    }
    texts = (f"{name}:\n{rules_of_role(found)}\n" for name, found in sections.items())
    return "# Written by `make chart` from workers/kubernetes/rights.py.\n" + "".join(texts)


def documented(text: str) -> Iterator[Value]:
    """Read the lines `# --` of values.yaml and the keys below them, in order."""
    defaults = YAML(typ="safe", pure=True).load(text)
    above: list[tuple[int, str]] = []
    says = ""
    for line in text.splitlines():
        if comment := re.match(r"\s*# -- (.*)", line):
            says = comment[1]
        elif key := re.match(r"( *)([A-Za-z][A-Za-z0-9]*):", line):
            depth = len(key[1])
            above = [*((at, name) for at, name in above if at < depth), (depth, key[2])]
            if says:
                path = [name for _, name in above]
                yield Value(".".join(path), _at(defaults, path), says)
            says = ""


def table(text: str) -> str:
    """Write the README's table."""
    rows = (f"| `{value.path}` | {_shown(value.default)} | {value.says} |" for value in documented(text))
    return "\n".join(("| value | default | says |", "|---|---|---|", *rows))


def readme(present: str, values: str) -> str:
    """Return the README with its table as values.yaml has it."""
    head, _, rest = present.partition(_BEGIN)
    return f"{head}{_BEGIN}\n\n{table(values)}\n\n{_END}{rest.partition(_END)[2]}"


def schema(present: str) -> str:
    """Return values.schema.json with `policy` and `numbers` as the settings read them."""
    known = json.loads(present)
    bounds = policy()
    known["definitions"] |= bounds.pop("$defs")
    known["properties"] |= {"policy": bounds, "numbers": _numbers()}
    return json.dumps(known, indent=2, ensure_ascii=False).replace("#/$defs/", "#/definitions/") + "\n"


def _numbers() -> dict[str, Any]:
    kinds = ("type", "minimum", "exclusiveMinimum")
    fields = Numbers.model_json_schema()["properties"].items()
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            spelt: {kind: said[kind] for kind in kinds if kind in said}
            for name, said in fields
            for spelt in (name.replace("_", "-"), name)
        },
    }


def written() -> dict[Path, str]:
    """Return every file that is written from another, with its text."""
    page, values, shape = CHART / "README.md", CHART / "values.yaml", CHART / "values.schema.json"
    return {
        CHART / "files" / "rights.yaml": rights(),
        page: readme(page.read_text(), values.read_text()),
        shape: schema(shape.read_text()),
    }


def _at(values: Any, path: list[str]) -> Any:
    for name in path:
        values = values[name]
    return values


def _shown(default: Any) -> str:
    if default in ("", [], {}):
        return "" if default == "" else f"`{json.dumps(default)}`"
    text = default if isinstance(default, str) else json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "see values.yaml"


if __name__ == "__main__":
    for path, text in written().items():
        path.write_text(text)
