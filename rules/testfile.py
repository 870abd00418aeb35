"""Tests of rules, written beside them: text in, what came out otherwise than expected out.

A test is laid over the file's `defaults` as a rule is: mappings are merged key by key, all else is replaced.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from rules.inventory import parse_inventory
from rules.reading.fileerrors import FileError, Place, RuleFileErrors
from rules.reading.modelerrors import check, find_node
from rules.reading.testmodels import TestFileModel, TestModel
from rules.reading.wording import near_miss
from rules.reading.yamlfile import read_yaml
from rules.reading.yamlnodes import Entry, Mapping, Scalar, Sequence, read_plain
from rules.rulefile import parse_rules
from rules.ruleset import RuleSet, combine
from rules.services import Inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rules.reading.yamlfile import Document
    from rules.reading.yamlnodes import Node

    Read = Callable[[str], bytes]
    """Reads a file that a test file names; raises OSError."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class Case:
    """One test, ready to run."""

    name: str
    place: Place
    model: TestModel
    node: Node


@dataclass(frozen=True, slots=True)
class TestFile:
    """A test file with the rules and the inventory that it names; `read` reads what its tests name."""

    __test__ = False

    document: Document
    cases: tuple[Case, ...]
    ruleset: RuleSet
    inventory: Inventory
    clusters: tuple[str, ...]
    read: Read = field(repr=False)


def parse_tests(text: str | bytes, filename: str, read: Read) -> TestFile:
    """Read a test file, and what it names. Raises `RuleFileErrors` with all mistakes that were found."""
    document = read_yaml(text, filename)
    shape, errors = check(TestFileModel, document.root, document)
    errors = [*document.errors, *errors]
    if shape is None or errors:
        raise RuleFileErrors(tuple(errors))
    loading = _Loading(document, read)
    rules = loading.rules()
    inventory = loading.one("inventory", parse_inventory) or Inventory({})
    cases = list(_cases(document, loading.errors))
    if rules is not None:
        loading.errors += _unknown_rules(cases, rules, document)
    if loading.errors or rules is None:
        raise RuleFileErrors(tuple(loading.errors))
    return TestFile(document, tuple(cases), rules, inventory, tuple(shape.clusters), read)


class _Loading:
    """Reads what a test file names, or holds itself."""

    def __init__(self, document: Document, read: Read) -> None:
        self.document, self._read = document, read
        self.errors: list[FileError] = []

    def rules(self) -> RuleSet | None:
        node = self.document.root.entries["rules"].value
        nodes = node.items if isinstance(node, Sequence) else [node]
        sets = [found for one in nodes if (found := self._parsed(one, parse_rules)) is not None]
        if len(sets) < len(nodes):
            return None
        try:
            return combine(sets)
        except RuleFileErrors as error:
            self.errors += error.errors
            return None

    def one(self, key: str, parse: Callable[[str | bytes, str], Parsed]) -> Parsed | None:
        entry = self.document.root.entries.get(key)
        return None if entry is None else self._parsed(entry.value, parse)

    def _parsed(self, node: Node, parse: Callable[[str | bytes, str], Parsed]) -> Parsed | None:
        try:
            if isinstance(node, Mapping):
                return parse(inline(node, self.document), self.document.file)
            if isinstance(node, Scalar):
                return parse(self._read(node.text), node.text)
            self.errors.append(
                self.document.error(node, "write the name of a file here, or what would stand in it")
            )
        except OSError as error:
            message = f"{node.text} cannot be read: {error.strerror}; names are beside this file"  # type: ignore[union-attr]
            self.errors.append(self.document.error(node, message))
        except RuleFileErrors as error:
            self.errors += error.errors
        return None


def inline(node: Node, document: Document) -> str:
    """Return what a node holds as a file of its own, in which everything keeps its line and column."""
    return "\n" * (node.line - 1) + " " * (node.column - 1) + document.source(node)


def _cases(document: Document, errors: list[FileError]) -> Iterator[Case]:
    root = document.root
    defaults = root.entries["defaults"].value if "defaults" in root.entries else None
    names: dict[str, Place] = {}
    for node in getattr(root.entries["tests"].value, "items", []):
        whole = _over(_fitting(defaults, node), node)
        model, wrong = check(TestModel, whole, document)
        errors += wrong
        if model is None:
            continue
        place = Place(document.file, node.line, node.column)
        if model.name in names:
            errors.append(
                place.says(f"`{model.name}` is the name of another test at {names[model.name]}; rename one")
            )
        names[model.name] = place
        if sum((model.alert is not None, bool(model.alerts), model.payload is not None)) != 1:
            errors.append(place.says("say which alerts: `alert`, `alerts` or `payload`, and one of them only"))
        yield Case(model.name, place, model, whole)


def _over(defaults: Node | None, own: Node) -> Node:
    """Lay a test over the defaults; null takes one away. Places stay those of what was written."""
    if not isinstance(defaults, Mapping) or not isinstance(own, Mapping):
        return own
    entries = dict(defaults.entries)
    for key, entry in own.entries.items():
        inherited = entries.get(key)
        if inherited is not None and _is_null(entry.value):
            del entries[key]
            continue
        value = entry.value if inherited is None else _over(inherited.value, entry.value)
        entries[key] = Entry(entry.key, value)
    return Mapping(own.line, own.column, own.start, own.end, own.flow, entries)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and read_plain(node.text) is None


def _fitting(defaults: Node | None, own: Node) -> Node | None:
    """Lay the default alert under each of several; what a test says otherwise replaces it."""
    if not isinstance(defaults, Mapping) or not isinstance(own, Mapping):
        return defaults
    if own.entries.keys().isdisjoint({"alerts", "payload"}):
        return defaults
    entries = {key: entry for key, entry in defaults.entries.items() if key not in ("alert", "alerts", "payload")}
    alert, several = defaults.entries.get("alert"), own.entries.get("alerts")
    if alert is not None and several is not None and isinstance(several.value, Sequence):
        several.value.items[:] = [_over(alert.value, one) for one in several.value.items]
    return Mapping(defaults.line, defaults.column, defaults.start, defaults.end, defaults.flow, entries)


def _unknown_rules(cases: list[Case], rules: RuleSet, document: Document) -> Iterator[FileError]:
    known = [rule.name for rule in rules.rules]
    for case in cases:
        for at, expected in enumerate(case.model.expect):
            for name in expected:
                if name not in known:
                    several = isinstance(find_node(case.node, ("expect",))[0], Sequence)
                    _, key = find_node(case.node, ("expect", at, name) if several else ("expect", name))
                    hint = near_miss(name, known) or f"; there is {', '.join(known) or 'none'}"
                    yield document.error(key or case.node, f"there is no rule `{name}`{hint}")
