"""What a worker believes of that which stands in Redis: only what a worker sealed, where there is a key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import orjson

from controller.settings.secrets import SecretUnreadable
from rules.decisions import Reason
from rules.entryseals import SEAL, bound, holds, key_of, mac_of, seal_of
from rules.errors import NotYet, Permanent
from rules.seals import Key, sum_of

Phase = Literal["plan", "way-back"]
GIVEN_BACK = "given-back"
Entry = Mapping[str, Any]

_PLANNED_BY: Mapping[Phase, str] = {"plan": "prepared", "way-back": "way-back"}
"""The entry that names the plan of each phase."""
_DECIDES = frozenset({"intent", "done", "found-begun", GIVEN_BACK, *_PLANNED_BY.values()})
"""The entries that decide what is carried out; the others are for people."""

_RETRY_S = 15.0
_UNTOUCHED = (
    "Nothing of it is carried out. Look at the target and at who can write to Redis, then cancel this rollback; "
    "what is still needed is rolled back anew"
)
_WHO = (
    "by a worker that has no key, before `audit.key-file` was set, or by somebody who wrote into Redis. "
    + _UNTOUCHED
)


class Trust:
    """Seals what this worker writes of one rollback, and judges what others wrote.

    `record` is as it was when the lease was taken. Without a key nothing is sealed, and what is stored is
    believed, but for what says that somebody sealed it.
    """

    def __init__(self, rollback: str, record: Mapping[str, str], keys: Callable[[], Sequence[Key]]) -> None:
        self._rollback = rollback
        self._bound = bound(record)
        self._unusable = ""
        found: Sequence[Key] = ()
        try:
            found = keys()
        except SecretUnreadable as e:
            self._unusable = str(e)
        self._keys = {key.name: key for key in found}
        self._ours = found[-1] if found else None

    def sealed(self, entry: Entry, before: Sequence[Entry]) -> Entry:
        """Return an entry as it is to be written, after the others; raises `NotYet` where a key is unusable."""
        self.require_key()
        if self._ours is None:
            return entry
        words = {**entry, "for": self._bound} if entry["kind"] in _PLANNED_BY.values() else entry
        plain = orjson.loads(orjson.dumps(words))  # as it is read back
        return {**plain, SEAL: seal_of(plain, self._rollback, _last_mac(before), self._ours)}

    def require_key(self) -> None:
        """Raise `NotYet` where the settings name keys that cannot be read now: then nothing can be told."""
        if self._unusable:
            raise _not_here(f"the key that seals what is done cannot be used here: {self._unusable}")

    def require_steps(self, entries: Sequence[Entry]) -> None:
        """Raise unless every entry that decides what is carried out bears the seal of a worker.

        `Permanent` where it does not, `NotYet` where this worker cannot tell.
        """
        self.require_key()
        if self._ours is None:
            return
        before = ""
        for at, entry in enumerate(entries, 1):
            self._require(at, entry, before)
            before = mac_of(entry) or before

    def require_plan(self, phase: Phase, text: str, entries: Sequence[Entry]) -> None:
        """Raise as `require_steps`, and unless this very plan was the last that a worker made for it."""
        self.require_steps(entries)
        if self._ours is None:
            if any(SEAL in entry for entry in entries if entry["kind"] in _DECIDES):
                raise _not_here("what is to be done is sealed, and this worker has no key (`audit.key-file`)")
            return
        ours = (_PLANNED_BY[phase], GIVEN_BACK) if phase == "plan" else (_PLANNED_BY[phase],)
        named = next((entry for entry in reversed(entries) if entry["kind"] in ours), None)
        if named is None or named["kind"] == GIVEN_BACK:
            raise Permanent(Reason.NOT_SEALED, f"no worker has sealed what is to be done. It was written {_WHO}")
        if named.get("plan") != sum_of(text):
            what = "what stands in Redis to be done is not what a worker planned and sealed: somebody wrote there"
            raise Permanent(Reason.NOT_SEALED, f"{what}. {_UNTOUCHED}")
        if named.get("for") != self._bound:
            what = "its instance, rule, terms or who asked are not those it was planned for: somebody wrote there"
            raise Permanent(Reason.NOT_SEALED, f"{what}. {_UNTOUCHED}")

    def _require(self, at: int, entry: Entry, before: str) -> None:
        decides = entry["kind"] in _DECIDES
        if SEAL not in entry:
            if decides:
                what = f"entry {at} of its journal ({entry['kind']}) bears no seal. It was written {_WHO}"
                raise Permanent(Reason.NOT_SEALED, what)
            return
        key = self._keys.get(key_of(entry))
        if key is None:
            if decides:
                name = key_of(entry)[:16]
                what = (
                    f"what is to be done is sealed with key {name!r}, which this worker's `audit.key-file` lacks"
                )
                raise _not_here(f"{what}: a new key that is not here yet, one that was taken away, or a forgery")
        elif not holds(entry, self._rollback, before, key):
            what = (
                f"entry {at} of its journal is not as a worker sealed it: somebody wrote into Redis. {_UNTOUCHED}"
            )
            raise Permanent(Reason.NOT_SEALED, what)


def _last_mac(entries: Sequence[Entry]) -> str:
    return next((mac for entry in reversed(entries) if (mac := mac_of(entry))), "")


def _not_here(what: str) -> NotYet:
    said = f"{what}. It waits for a worker that can tell; give each the same keys"
    return NotYet(Reason.NOT_SEALED, said, retry_after_s=_RETRY_S)
