"""The rules and the inventory that a process goes by, re-read when their files change.

A file with errors never takes rules away: the process keeps what it had, and says what is wrong at its place.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from controller.settings.reading import read_house, rule_files
from rules.reading.fileerrors import RuleFileErrors

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from controller.settings.settings import Settings
    from rules.reading.fileerrors import FileError
    from rules.reading.surroundings import Surroundings
    from rules.rulefile import RuleSet
    from rules.services import Inventory

log = structlog.get_logger(__name__)

Signature = tuple[tuple[str, int, int, int], ...]
"""What tells that a file changed: path, mtime, size and inode (which a ConfigMap's swapped link changes)."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Rules and inventory that were read together; a caller that needs both takes them from one reading."""

    rules: RuleSet
    inventory: Inventory
    loaded_at: float


class House:
    """The rules and the inventory in force. Safe in several threads: a refresh swaps one reference."""

    def __init__(self, rules: Iterable[Path], inventory: Path, surroundings: Surroundings | None = None) -> None:
        """Read the files. What the rules name of the settings must be in `surroundings`, where that is given."""
        self._sources = (tuple(rules), inventory)
        self._surroundings = surroundings
        self._lock = threading.Lock()
        self._signature = _signature(*self._sources)
        self._doubted = False
        self._reading = self._read()
        self._errors: tuple[FileError, ...] = ()

    @classmethod
    def load(cls, settings: Settings) -> House:
        """Read what the settings name; raises `RuleFileErrors` with every error of every file."""
        return cls(settings.rules, settings.inventory, settings.surroundings)

    @property
    def reading(self) -> Reading:
        """Rules and inventory that belong together."""
        return self._reading

    @property
    def rules(self) -> RuleSet:
        """The rules in force."""
        return self._reading.rules

    @property
    def inventory(self) -> Inventory:
        """The inventory in force."""
        return self._reading.inventory

    @property
    def loaded_at(self) -> float:
        """When what is in force was read, in seconds since the epoch."""
        return self._reading.loaded_at

    @property
    def errors(self) -> tuple[FileError, ...]:
        """What is wrong with the files as they are now; empty when they are what is in force."""
        return self._errors

    @property
    def digests(self) -> frozenset[str]:
        """The digests of the rules in force."""
        return frozenset(rule.digest for rule in self.rules.rules)

    def refresh(self) -> bool:
        """Read the files again if any of them changed; true when other rules or hosts are in force now."""
        with self._lock:
            doubted, self._doubted = self._doubted, False
            signature = _signature(*self._sources)
            if signature == self._signature and not doubted:
                return False
            self._signature = signature
            return self._replace()

    def reload(self) -> tuple[FileError, ...]:
        """Read the files again, changed or not; returns their errors, none when they are what is in force now."""
        with self._lock:
            self._signature = _signature(*self._sources)
            self._replace()
            return self._errors

    def doubt(self) -> None:
        """Have the next `refresh` read the files, changed or not; takes no lock: a signal's handler may say so."""
        self._doubted = True

    def _replace(self) -> bool:
        try:
            reading = self._read()
        except RuleFileErrors as error:
            self._keep_what_we_had(error)
            return False
        self._errors, self._reading = (), reading
        log.info("rules.loaded", rules=len(reading.rules.rules), services=len(reading.inventory.services))
        return True

    def _read(self) -> Reading:
        ruleset, hosts, errors = read_house(*self._sources, self._surroundings)
        if ruleset is None or hosts is None:
            raise RuleFileErrors(tuple(errors))
        return Reading(ruleset, hosts, time.time())

    def _keep_what_we_had(self, error: RuleFileErrors) -> None:
        self._errors = error.errors
        for problem in error.errors:
            log.error("rules.not_loaded", problem=str(problem), kept="the rules and hosts read before")


def _signature(rules: tuple[Path, ...], inventory: Path) -> Signature:
    return tuple(_stat(path) for path in (*rule_files(rules), inventory))


def _stat(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino
