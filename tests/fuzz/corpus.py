"""The files that the product itself shows: library, reference pages, how-tos and tests of rules, by kind.

They are the grammar: their trees know every key, and what stands under one anywhere may stand under it elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from testbed.web_face import INVENTORY, RULES

REPOSITORY = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SETTINGS = frozenset(
    {
        *("redis", "auth", "policy", "notify", "clusters"),
        *("prometheus", "alertmanager", "numbers", "listen", "audit"),
    }
)
_VERSIONS = {"rules/v1": "rules", "inventory/v1": "inventory", "facts/v1": "facts"}
_MANIFESTS = (
    "version: v1.3.0\nservice: shop\ncommit: 4f1c9e2\nbuilt-at: 2026-11-21T03:00:00Z\n",
    "version: v1.4.0\ndigests: ['sha256:" + "ab" * 32 + "']\nirreversible: true\nnotes: a new column\n",
    "version: v1.5.0\ncannot-go-back-past: v1.3.0\npassed-smoke-test: true\ngoos: linux\ngoarch: amd64\n"
    "go-version: go1.22\nartifact-sha256: '" + "cd" * 32 + "'\n",
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] - the fast one, where there is one
    """Leaves times as they are written."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str) -> Any:
    """Read YAML as plain data that JSON can hold."""
    return yaml.load(text, _Loader)


@cache
def texts(kind: str) -> tuple[str, ...]:
    """Return the files of a kind: rules, inventory, facts, tests, settings, manifests."""
    if kind == "manifests":
        return _MANIFESTS
    return tuple(text for text in (*_everything(), *_within_tests()) if _kind(text) == kind)


@cache
def trees(kind: str) -> tuple[Any, ...]:
    """Return the same as plain data."""
    return tuple(read(text) for text in texts(kind))


@cache
def values() -> dict[str, tuple[Any, ...]]:
    """Return what stands under each key, anywhere in any file of any kind."""
    found: dict[str, list[Any]] = {}
    for text in (*_everything(), *_MANIFESTS):
        _collect(read(text), found)
    return {key: tuple(there) for key, there in sorted(found.items())}


def _collect(tree: Any, found: dict[str, list[Any]]) -> None:
    if isinstance(tree, dict):
        for key, value in tree.items():
            there = found.setdefault(str(key), [])
            if value not in there:
                there.append(value)
            _collect(value, found)
    elif isinstance(tree, list):
        for item in tree:
            _collect(item, found)


@cache
def _everything() -> tuple[str, ...]:
    return tuple(text for text in (RULES, INVENTORY, *_files(), *_blocks()) if _is_mapping(text))


def _files() -> Iterator[str]:
    for folder in ("rules/library", "tests/unit/histories"):
        for path in sorted((REPOSITORY / folder).glob("*.yaml")):
            yield path.read_text()


def _blocks() -> Iterator[str]:
    for path in sorted((REPOSITORY / "docs").rglob("*.md")):
        if "kubernetes-rights" not in path.name:  # objects of Kubernetes, none of ours
            yield from _BLOCK.findall(path.read_text())


def _within_tests() -> Iterator[str]:
    """Give the rules, inventories and facts that stand inside of test files, as files of their own."""
    for text in _everything():
        if _kind(text) == "tests":
            tree = read(text)
            inside = [tree["rules"], tree.get("inventory"), *(test.get("facts") for test in tree["tests"])]
            for part in inside:
                if isinstance(part, dict):
                    yield json.dumps({"version": "facts/v1", **part}, indent=1)


def _is_mapping(text: str) -> bool:
    try:
        return isinstance(read(text), dict)
    except yaml.YAMLError:
        return False


def _kind(text: str) -> str:
    tree = read(text)
    if "tests" in tree:
        return "tests"
    if tree.get("version") in _VERSIONS:
        return _VERSIONS[tree["version"]]
    return "settings" if tree.keys() & _SETTINGS else ""
