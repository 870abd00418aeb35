"""Writes what one sweep sees into the roster, and vouches for what has been good for long enough."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

import structlog

from controller.ledger import Ledger, Look, RosterEntry, Unchanged
from rules.instances import WorkloadInstance, read_instance
from rules.marks import Mark
from workers.scraping import Scraped

log = structlog.get_logger(__name__)

OBSERVER = "observer"
"""The author of marks that nobody declared."""
_WRITTEN_TOGETHER = 100


@dataclass(slots=True)
class Keeper:
    """Keeps one cluster or inventory (`place`) for the length of one sweep.

    `scraped` is None where no Prometheus is configured; `blind`: it is, and does not answer now. Then nothing is
    vouched for. Not for several threads at once.
    """

    ledger: Ledger
    place: str
    good_after_s: float
    scraped: Scraped | None = None
    blind: bool = False
    known: frozenset[str] = frozenset()
    _waiting: list[Look | Unchanged] = field(default_factory=list)
    _targets: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def open(self) -> Keeper:
        """Read who is known here."""
        if self.scraped is None:
            self.known = self.ledger.roster.known_in(self.place)
        else:
            self._targets = {entry.instance: entry.targets for entry in self.ledger.roster.all_in(self.place)}
            self.known = frozenset(self._targets)
        return self

    def note(self, *looks: Look | Unchanged) -> None:
        """Take looks; they are written a hundred at a time."""
        for one in looks:
            self._waiting.append(replace(one, scraped=self._is_scraped(one)))
            if len(self._waiting) >= _WRITTEN_TOGETHER:
                self.write()

    def write(self) -> None:
        """Write what waits."""
        ripe = self.ledger.roster.seen(self._waiting, good_after_s=self.good_after_s)
        self._waiting.clear()
        for instance in () if self.blind else ripe:
            entry = self.ledger.roster.get(instance)
            if entry is not None:
                vouch(self.ledger, entry, self.good_after_s, looked=self.scraped is not None)

    def strike_off(self, present: Collection[str]) -> None:
        """Strike off who is known here and was not there: only for a sweep that saw everything."""
        self.ledger.roster.gone(self.place, sorted(self.known.difference(present)))

    def _is_scraped(self, one: Look | Unchanged) -> bool | None:
        if self.scraped is None:
            return None
        targets = one.targets if isinstance(one, Look) else self._targets.get(one.instance, ())
        where = read_instance(one.instance)
        if isinstance(where, WorkloadInstance):
            return self.scraped.of_pods(where.namespace, targets)
        return self.scraped.of_words(targets)


def vouch(ledger: Ledger, entry: RosterEntry, good_after_s: float, *, looked: bool) -> None:
    """Mark a release as known to be good, unless something is thought of it already.

    What the pipeline registered is good wherever its version runs; else its own name says which is meant.
    """
    known = ledger.catalogue.of(entry.service, entry.environment)
    if entry.names and entry.service and known.mark_of(entry.names).mark is Mark.UNKNOWN:
        manifest = known.manifest_of(entry.names)
        words = dict.fromkeys((entry.names[0], *([manifest.version] if manifest else [])))
        why = f"{entry.instance} ran it for {good_after_s:g} s, healthy and without a matched alert"
        checked = {True: "; scraped all the time", False: "; nobody could tell whether it was scraped"}
        why += checked[bool(entry.scraped)] if looked else "; whether it was scraped was not checked"
        for word in words:
            ledger.catalogue.mark(
                entry.service, word, Mark.KNOWN_GOOD, by=OBSERVER, why=why, environment=entry.environment
            )
        log.info("observer.known_good", instance=entry.instance, release=entry.names[0])
    ledger.roster.vouched(entry.instance)
