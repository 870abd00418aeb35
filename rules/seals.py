"""Seals: what proves that an ended rollback, and the journal of what was done, are as they were when it ended.

A seal is a keyed sum (HMAC-SHA256) over every field of the record and every entry of the journal, with a number
that grows by one. It holds a short sum of each part besides, so that whoever checks it can say which part differs.
Pure: everything here is computed from texts. docs/explanation/audit.md says what a seal proves, and what not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SHORT = 16
"""Characters of the sums that only find what differs; what is proven rests on the whole ones."""

_SUM = re.compile("[0-9a-f]{8,64}")

UNTOUCHED = frozenset({"seal"})
"""The fields of a record that its seal does not cover."""


@dataclass(frozen=True, slots=True)
class Key:
    """A secret that makes and checks seals, and the name under which seals mention it."""

    name: str
    secret: bytes

    @classmethod
    def of(cls, secret: bytes) -> Key:
        """Name a secret by a sum of it that says nothing about it."""
        return cls(hashlib.sha256(b"the name of a sealing key\n" + secret).hexdigest()[:8], secret)

    def __repr__(self) -> str:
        return f"Key({self.name!r})"


@dataclass(frozen=True, slots=True)
class Stored:
    """A rollback as it is stored, by sums: `fields` by name, `journal` by place; `head` and `seal` as written."""

    id: str
    fields: Mapping[str, str]
    journal: Sequence[str]
    head: str
    seal: str = ""

    @classmethod
    def of(cls, ident: str, record: Mapping[str, str], journal: Iterable[str]) -> Stored:
        """Take the sums of what Redis holds."""
        fields = {name: sum_of(text) for name, text in record.items() if name not in UNTOUCHED}
        head, seal = record.get("journal_head", ""), record.get("seal", "")
        return cls(ident, fields, [sum_of(entry) for entry in journal], head, seal)


@dataclass(frozen=True, slots=True)
class Seal:
    """What a seal says of itself, whether or not it is true."""

    number: int
    key: str
    at_ms: int
    fields: Mapping[str, str]
    journal: Sequence[str]
    mac: str

    @classmethod
    def read(cls, text: str) -> Seal | None:
        """Read a seal; None where the text is none, or names what no sum is."""
        try:
            said = json.loads(text)
            fields, journal = dict(said["fields"]), list(said["journal"])
            words = [said["key"], said["mac"], *fields.values(), *journal]
            if not all(isinstance(word, str) and _SUM.fullmatch(word) for word in words):
                return None
            return cls(_count(said["number"]), said["key"], _count(said["at"]), fields, journal, said["mac"])
        except (ValueError, KeyError, TypeError, RecursionError):
            return None


def _count(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 2**53:
        raise TypeError("not a number that a seal has")
    return value


def sum_of(text: str) -> str:
    """Return the sum by which a text is known."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def chained(head: str, entry_sum: str) -> str:
    """Return the head of a journal's chain after an entry of that sum.

    It rests on sums, so that a chain can be followed by one who may not see what an entry holds.
    """
    return hashlib.sha256(f"{head}\n{entry_sum}".encode()).hexdigest()


def sealed(stored: Stored, key: Key, number: int, at_ms: int) -> str:
    """Return the text of the seal, number `number`, for a rollback as it is stored."""
    said = {
        "number": number,
        "key": key.name,
        "at": at_ms,
        "fields": {name: whole[:_SHORT] for name, whole in stored.fields.items()},
        "journal": [whole[:_SHORT] for whole in stored.journal],
    }
    return canonical({**said, "mac": _mac(stored, key, number, at_ms)})


def chain_fault(stored: Stored) -> str | None:
    """Say how the journal differs from the head that its record names; None where it leads there."""
    head = ""
    for entry in stored.journal:
        head = chained(head, entry)
    if head == stored.head:
        return None
    return f"its journal of {len(stored.journal)} entries does not lead to the head that the record names"


def seal_fault(stored: Stored, seal: Seal, keys: Mapping[str, Key]) -> str | None:
    """Say what differs from what was sealed, first of all which entry; None where nothing does."""
    key = keys.get(seal.key)
    if key is None:
        return (
            f"it is sealed with key {seal.key[:16]!r}, which the key file does not have: an older copy of it, "
            "or a seal of somebody else"
        )
    if hmac.compare_digest(_mac(stored, key, seal.number, seal.at_ms).encode(), seal.mac.encode()):
        return None
    return _entry_that_differs(stored, seal) or _field_that_differs(stored, seal) or "its seal was not made for it"


def _entry_that_differs(stored: Stored, seal: Seal) -> str | None:
    entries = [whole[:_SHORT] for whole in stored.journal]
    if entries == list(seal.journal):
        return None
    for at, (found, wanted) in enumerate(zip(entries, seal.journal, strict=False), 1):
        if found != wanted:
            return f"entry {at} of its journal differs (of {len(seal.journal)} that were sealed)"
    at = min(len(entries), len(seal.journal)) + 1
    what = "is missing from" if len(entries) < len(seal.journal) else "was added to"
    return f"entry {at} {what} its journal ({len(seal.journal)} were sealed, {len(entries)} are there)"


def _field_that_differs(stored: Stored, seal: Seal) -> str | None:
    for name in sorted({*stored.fields, *seal.fields}):
        found, wanted = stored.fields.get(name, "")[:_SHORT], seal.fields.get(name, "")
        if found != wanted:
            what = "was added" if not wanted else "is missing" if not found else "differs"
            return f"field `{name}` of the record {what}"
    return None


def _mac(stored: Stored, key: Key, number: int, at_ms: int) -> str:
    what = {
        "rollback": stored.id,
        "number": number,
        "key": key.name,
        "at": at_ms,
        "fields": dict(stored.fields),
        "journal": list(stored.journal),
        "head": stored.head,
    }
    return keyed_sum(what, key.secret)


def keyed_sum(what: Any, secret: bytes) -> str:
    """Return the sum (HMAC-SHA256) of a value by its one text, which nobody without the secret can make."""
    return hmac.new(secret, canonical(what).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def canonical(value: Any) -> str:
    """Write a value as the one text that seals are made of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
