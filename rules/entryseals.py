"""Seals of what one worker wrote and another is about to go by: entries of a journal, and digests that were seen.

Each is a keyed sum (HMAC-SHA256). An entry's is over the entry, the rollback it belongs to and the seal before it,
so none can be made up, changed, moved to another place, or copied from another rollback. What was cut off at the
end is not seen. A sighting's is over the instance, the revision and what that was seen to run.
Pure: everything here is computed from values. docs/explanation/audit.md says what it proves, and what not.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from rules.seals import Key, canonical, keyed_sum, sum_of

SEAL = "seal"
"""The field of an entry that holds its seal."""

BOUND = ("instance", "service", "host", "rule", "rule_digest", "by", "spec")
"""The fields of a record by which a plan is made, and which stand from its opening on."""

_ENTRIES = b"the entries of a journal under way"
_SIGHTINGS = b"what a healthy revision was seen to run"


def bound(record: Mapping[str, str]) -> str:
    """Identify for what a plan was made: the instance, under whose terms, and what these are."""
    words = {name: record.get(name, "") for name in BOUND}
    return sum_of(canonical(words))


def seal_of(entry: Mapping[str, Any], rollback: str, before: str, key: Key) -> dict[str, str]:
    """Return the seal of an entry; `before` is `mac_of` the sealed entry before it, or empty."""
    return {"key": key.name, "mac": _mac(entry, rollback, before, key)}


def holds(entry: Mapping[str, Any], rollback: str, before: str, key: Key) -> bool:
    """Whether the seal that an entry bears was made for it, with this key."""
    return hmac.compare_digest(
        _mac(entry, rollback, before, key).encode(), mac_of(entry).encode("utf-8", "replace")
    )


def seal_of_sighting(instance: str, revision: str, seen: Mapping[str, Any], key: Key) -> dict[str, str]:
    """Return the seal of what a revision, named with its workload's uid, was seen to run."""
    return {"key": key.name, "mac": _sighting(instance, revision, seen, key)}


def is_sighting(instance: str, revision: str, seen: Mapping[str, Any], keys: Mapping[str, Key]) -> bool:
    """Whether a worker with one of these keys has seen that, there."""
    key = keys.get(key_of(seen))
    if key is None:
        return False
    return hmac.compare_digest(
        _sighting(instance, revision, seen, key).encode(), mac_of(seen).encode("utf-8", "replace")
    )


def mac_of(entry: Mapping[str, Any]) -> str:
    """Return the sum in the seal that an entry bears; empty where it bears none."""
    return _word(entry, "mac")


def key_of(entry: Mapping[str, Any]) -> str:
    """Return the name of the key that sealed an entry, by its own word; empty where it bears no seal."""
    return _word(entry, "key")


def _word(entry: Mapping[str, Any], name: str) -> str:
    seal = entry.get(SEAL)
    word = seal.get(name) if isinstance(seal, Mapping) else None
    return word if isinstance(word, str) else ""


def _mac(entry: Mapping[str, Any], rollback: str, before: str, key: Key) -> str:
    return _sum({"rollback": rollback, "before": before, "entry": _plain(entry)}, _ENTRIES, key)


def _sighting(instance: str, revision: str, seen: Mapping[str, Any], key: Key) -> str:
    return _sum({"instance": instance, "revision": revision, "seen": _plain(seen)}, _SIGHTINGS, key)


def _plain(sealed: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sealed.items() if name != SEAL}


def _sum(what: Mapping[str, Any], purpose: bytes, key: Key) -> str:
    own = hmac.new(key.secret, purpose, hashlib.sha256).digest()  # ended rollbacks are sealed with the key itself
    return keyed_sum(what, own)
