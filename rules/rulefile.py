"""Rule files: text in, rules out, and every mistake at its place.

Each rule is read over the file's `defaults`: mappings are merged key by key, everything else is replaced.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rules.reading.contradictions import contradictions
from rules.reading.fileerrors import FileError, Place, RuleFileErrors
from rules.reading.modelerrors import check, find_node
from rules.reading.rulemodels import OF_ONE_RULE, RuleFileModel, RuleModel
from rules.reading.surroundings import Mention, mentions_in
from rules.reading.yamlfile import read_yaml
from rules.reading.yamlnodes import Broken, Entry, Mapping, Scalar, Sequence
from rules.rule import HostsTarget, Mode, Retry, Rule, Target, Verify, When
from rules.ruleset import RuleSet, collect, combine
from rules.to import Previous, Version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.reading.yamlfile import Document
    from rules.reading.yamlnodes import Node

__all__ = [
    "FileError",
    "HostsTarget",
    "Mode",
    "Previous",
    "Retry",
    "Rule",
    "RuleFileErrors",
    "RuleSet",
    "Target",
    "Verify",
    "Version",
    "When",
    "combine",
    "parse_rules",
]


def parse_rules(text: str | bytes, filename: str) -> RuleSet:
    """Read one rule file. Raises `RuleFileErrors` with all of its mistakes, and nothing else, for any input."""
    document = read_yaml(text, filename)
    errors = list(document.errors)
    shape, wrong = check(RuleFileModel, document.root, document)
    errors += wrong
    defaults = _part(document.root, "defaults")
    if isinstance(defaults, Mapping):
        errors += _check_defaults(defaults, document)
    placed: list[tuple[Rule, Place]] = []
    mentions: dict[Mention, None] = {}  # each once, in the order of the file
    for node in _rule_nodes(document.root):
        whole = _over(defaults, node)
        rule, wrong = _read_rule(whole, document)
        errors += wrong
        if rule is not None:
            placed.append((rule, Place(filename, *_name_place(node))))
            mentions |= dict.fromkeys(mentions_in(whole, document))
    ruleset = _collected(placed, errors, document, holds_rules=shape is None or bool(shape.rules))
    return replace(ruleset, mentions=tuple(mentions))


def _collected(
    placed: list[tuple[Rule, Place]], errors: list[FileError], document: Document, *, holds_rules: bool
) -> RuleSet:
    try:
        ruleset = collect(placed)
    except RuleFileErrors as error:
        raise RuleFileErrors((*errors, *error.errors)) from error
    if errors:
        raise RuleFileErrors(tuple(errors))
    if holds_rules:
        return ruleset
    return RuleSet(warnings=(document.error(document.root, "the file holds no rules; nothing will be done"),))


def _part(root: Mapping, key: str) -> Node | None:
    entry = root.entries.get(key)
    return entry.value if entry else None


def _rule_nodes(root: Mapping) -> Iterator[Node]:
    rules = _part(root, "rules")
    if isinstance(rules, Sequence):
        yield from (node for node in rules.items if not isinstance(node, Broken))


def _read_rule(node: Node, document: Document) -> tuple[Rule | None, list[FileError]]:
    model, errors = check(RuleModel, node, document)
    if model is None:
        return None, errors
    if errors := list(_contradictions(model, node, document)):
        return None, errors
    line, _ = _name_place(node)
    return model.read(f"{document.file}:{line}"), errors


def _contradictions(model: RuleModel, node: Node, document: Document) -> Iterator[FileError]:
    for loc, message in contradictions(model):
        place, key = find_node(node, loc)
        yield document.error(key if key and loc[-1] == "[key]" else place, message)


def _check_defaults(defaults: Mapping, document: Document) -> Iterator[FileError]:
    """Check the defaults by themselves, for what no rule would show; what they leave out is no mistake."""
    for key in OF_ONE_RULE:
        if key in defaults.entries:
            yield document.error(defaults.entries[key].key, f"`{key}` belongs to one rule; move it there")
    _, errors = check(RuleModel, defaults, document, partial=True)
    yield from errors


def _over(defaults: Node | None, own: Node) -> Node:
    """Lay a rule over the defaults. Places stay those of what was written."""
    if not isinstance(defaults, Mapping) or not isinstance(own, Mapping):
        return own
    entries = dict(defaults.entries)
    for key, entry in own.entries.items():
        inherited = entries.get(key)
        value = entry.value if inherited is None else _over(inherited.value, entry.value)
        entries[key] = Entry(entry.key, value)
    return Mapping(own.line, own.column, own.start, own.end, own.flow, entries)


def _name_place(node: Node) -> tuple[int, int]:
    """Return where a rule's name is written, or where the rule begins."""
    if isinstance(node, Mapping) and "name" in node.entries:
        name = node.entries["name"].value
        if isinstance(name, Scalar):
            return name.line, name.column
    return node.line, node.column
