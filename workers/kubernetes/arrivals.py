"""When the present template came to a workload, by what the workload and its history say of themselves. Pure.

A ReplicaSet or ControllerRevision that was made anew tells it exactly. One that came again (an undo) keeps the
time of its first making: then it came after all that was made before it, and by the time of a write that must have
been that one or a later one. Times that pods started at say nothing: pods come and go under the same release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules.facts import Arrival, Hand
from rules.instances import WorkloadKind
from workers.kubernetes import marks
from workers.kubernetes.history import REVISION
from workers.kubernetes.progress import seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workers.kubernetes.history import Revision
    from workers.kubernetes.live import Live
    from workers.kubernetes.marks import Json

_SAME_WRITE_MS = 1000
"""The API writes whole seconds: what was made and written within one of these was written as it was made."""
_HISTORY_KEPT = 10
"""Earlier revisions that are kept where the workload does not say otherwise."""
_TELLS_A_ROW = 3
"""Fewer revisions in a row may all have come again in the order in which they were made."""
_BY_RULE = "rule "


@dataclass(frozen=True, slots=True)
class _Coming:
    """One time that a revision became the newest; `anew`: it was made then."""

    number: int
    revision: Revision
    anew: bool


@dataclass(frozen=True, slots=True)
class Came:
    """One release in a workload's history, and when it came. `number` and `hash` are the revision's, then."""

    number: int
    hash: str
    release: str
    arrival: Arrival


def arrived(live: Live, now_ms: int) -> Arrival | None:
    """Return when the present release came; None where its controller has made no revision of it yet.

    A restart makes another revision of the same release: it came when the first of these did.
    """
    comings = _comings(live)
    first = _first_of_run(live, comings)
    if first is None:
        return None
    after, by = _bounds(live, first, comings, now_ms)
    hand, who = _hand(live)
    return Arrival(by, after, hand, who)


def history(live: Live, now_ms: int) -> tuple[Came, ...]:
    """Return every coming that the workload's own history remembers, oldest first."""
    comings = _comings(live)
    found = []
    for coming in sorted(comings, key=lambda one: one.number):
        after, by = _bounds(live, coming, comings, now_ms)
        name = live.name_of(coming.revision)
        found.append(Came(coming.number, coming.revision.hash, name, Arrival(by, after)))
    return tuple(found)


def _comings(live: Live) -> tuple[_Coming, ...]:
    if live.kind is WorkloadKind.DEPLOYMENT:
        return tuple(coming for revision in live.revisions for coming in _of_replicaset(revision))
    known = live.revisions
    limit = live.workload["spec"].get("revisionHistoryLimit", _HISTORY_KEPT)
    forgotten = len(known) > max(limit, _TELLS_A_ROW - 1)
    return tuple(_Coming(one.number, one, _was_made_so(one, known, forgotten=forgotten)) for one in known)


def _of_replicaset(revision: Revision) -> Iterator[_Coming]:
    numbers = sorted({int(number) for number in revision.numbers if number.strip().isdigit()} - {0})
    for number in numbers:
        yield _Coming(number, revision, number == numbers[0])


def _was_made_so(revision: Revision, known: Sequence[Revision], *, forgotten: bool) -> bool:
    """Whether a ControllerRevision was made with the number that it has; nothing says what numbers it had before.

    It was made after those that are older, and so with a number that is no lower than its place among them, and
    that none of the others has now. Where the oldest were `forgotten`, those that are left tell by being in a row.
    """
    made, written = _made_ms(revision), _newest_ms(revision.kept_by, "f:revision")
    if made is None or (written is not None and written - made > _SAME_WRITE_MS):
        return False
    others = {other.number for other in known if other is not revision}
    place = 1 + sum(1 for other in known if other is not revision and (_made_ms(other) or 0) < made)
    if all(number in others for number in range(place, revision.number)):
        return True
    return forgotten and _are_in_a_row([one for one in known if one.number <= revision.number])


def _are_in_a_row(known: Sequence[Revision]) -> bool:
    """Whether they were made in the order of their numbers, without a gap."""
    row = sorted(known, key=lambda one: one.number)
    made = [_made_ms(one) or 0 for one in row]
    return len(row) >= _TELLS_A_ROW and row[-1].number - row[0].number == len(row) - 1 and made == sorted(made)


def _first_of_run(live: Live, comings: tuple[_Coming, ...]) -> _Coming | None:
    """Return the coming since which nothing else was here."""
    if live.current is None:
        return None
    present = live.current.number
    past = sorted((one for one in comings if one.number <= present), key=lambda one: -one.number)
    first = None
    for coming in past:
        follows = first is None or coming.number == first.number - 1
        if not follows or coming.revision.sha != live.current.sha:
            break
        first = coming
    return first


def _bounds(live: Live, coming: _Coming, all_of_them: tuple[_Coming, ...], now_ms: int) -> tuple[int | None, int]:
    """Return after what and by when it came."""
    made = _made_ms(coming.revision)
    if coming.anew and made is not None:
        return made, made
    before = [_made_ms(one.revision) for one in (*all_of_them, coming) if one.number <= coming.number]
    after = max((time for time in before if time is not None), default=None)
    later = [_made_ms(one.revision) for one in all_of_them if one.anew and one.number > coming.number]
    latest = [now_ms, *later, *_written_by(live, coming, all_of_them, after or 0)]
    by = min(time for time in latest if time is not None)
    return after, max(by, after or by)


def _written_by(
    live: Live, coming: _Coming, all_of_them: tuple[_Coming, ...], after_ms: int
) -> Iterator[int | None]:
    """Yield times at which the present revision had come for sure.

    An API server before 1.25 leaves the time of a write as it was where only a value changed. So a time counts
    only where it is later than all that was made before, and nothing else came again since.
    """
    if live.current is None or coming.revision is not live.current:
        return
    newest_made = max((one.number for one in all_of_them if one.anew and one.number < coming.number), default=0)
    if any(not one.anew and newest_made < one.number < coming.number for one in all_of_them):
        return
    times = [_newest_ms(coming.revision.kept_by, *_number_field(live.kind))]
    # Our own entry is taken out again after our write: then the others' are about what was there before.
    if live.brought_by is None:
        times.append(_newest_ms(live.workload, "f:spec", "f:template"))
    yield from (time for time in times if time is not None and time > after_ms)


def _number_field(kind: WorkloadKind) -> tuple[str, ...]:
    return ("f:metadata", "f:annotations", f"f:{REVISION}") if kind is WorkloadKind.DEPLOYMENT else ("f:revision",)


def _made_ms(revision: Revision) -> int | None:
    return _ms(revision.kept_by["metadata"].get("creationTimestamp"))


def _newest_ms(obj: Json, *path: str) -> int | None:
    """Return when one of those who wrote a field last wrote anything; the field was written by then."""
    times = [
        _ms(entry.get("time"))
        for entry in obj["metadata"].get("managedFields") or ()
        if _holds(entry.get("fieldsV1") or {}, path)
    ]
    return max((time for time in times if time is not None), default=None)


def _holds(fields: Json, path: tuple[str, ...]) -> bool:
    for part in path:
        if part not in fields:
            return False
        fields = fields[part] or {}
    return True


def _ms(text: object) -> int | None:
    seconds = seconds_of(text)
    return None if seconds is None else round(seconds * 1000)


def _hand(live: Live) -> tuple[Hand, str]:
    if live.brought_by is None:
        return Hand.DEPLOY, ""
    who = marks.annotations_of(live.workload).get(marks.RULE, "")
    return (Hand.ROLLBACK, live.brought_by) if who.startswith(_BY_RULE) or not who else (Hand.PERSON, who)
