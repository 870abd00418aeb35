"""Whether other instances still run what one left: then an alert of the whole service says nothing of that one."""

from __future__ import annotations

from collections.abc import Mapping

from controller.ledger import End, Ledger, Rollback, RosterEntry, State
from rules.campaigns import latest_of
from rules.facts import Member, MemberState
from rules.guards.names import Release


def others_run_it(ledger: Ledger, rollback: Rollback) -> bool:
    """Tell whether any other instance of the service runs the release still, or again, as far as is known.

    Members of the campaign are known by their own rollbacks. An instance that nobody could look at, or that the
    rule does not select, is no member: it counts as it was last seen. Raises `LedgerUnavailable`.
    """
    if not rollback.campaign:
        return False
    booked = ledger.booking.read(rollback.campaign, rollback.service)
    members = {member.instance: member for member in latest_of(booked.campaign)}
    seen = {name: one for name, one in _seen(ledger, rollback).items() if name != rollback.instance}
    if any(runs for name, (runs, _) in seen.items() if name not in members):
        return True
    return any(
        _runs_it(ledger, member, seen.get(name)) for name, member in members.items() if name != rollback.instance
    )


def _seen(ledger: Ledger, rollback: Rollback) -> Mapping[str, tuple[bool, int]]:
    """Return of each instance on the roster whether it ran the release when it was last seen, and when."""
    if not rollback.release:
        return {}
    catalogue = ledger.catalogue.of(rollback.service, rollback.environment)

    def runs(entry: RosterEntry) -> bool:
        return bool(entry.names) and Release.of(entry.names, catalogue).word == rollback.release

    entries = ledger.roster.of_service(rollback.service, rollback.environment)
    return {entry.instance: (runs(entry), entry.seen_ms) for entry in entries}


def _runs_it(ledger: Ledger, member: Member, seen: tuple[bool, int] | None) -> bool:
    """Tell of one member: it joined because it ran the release, and does so unless it was changed since."""
    if member.state in (MemberState.WAITING, MemberState.RECOVERED):
        return member.state is MemberState.WAITING
    record = ledger.rollbacks.get(member.rollback)
    if record is None:
        return member.state is MemberState.LEFT
    if member.state is not MemberState.LEFT:
        return not _stands(record)
    if seen is not None and seen[1] >= (record.ended_ms or 0):
        return seen[0]
    return record.outcome != End.SUPERSEDED


def _stands(record: Rollback) -> bool:
    """Tell whether the change was made, and neither was taken back nor is about to be."""
    if record.undone_as or record.state in (State.ACTING, State.PARKED):
        return False
    return record.state is State.ENDED or record.changed_ms is not None
