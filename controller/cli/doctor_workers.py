"""The doctor's look at the workers: whether they work, and what they say of all that they reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.cli.times import span
from controller.ledger import LedgerUnavailable
from rules.findings import Finding, Level, Section, counted, from_message, warns, well, wrong

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.ledger import Ledger
    from controller.settings import Settings

_SILENT_S = 30
_OVERDUE_S = 30
_SWEEPS_LATE = 4
_ANSWERS_WITHIN_S = 45
_LOG = "Look at the log of `rollbackctl worker`."
_START = "Start `rollbackctl worker`, or look at its log."


def look_at_workers(settings: Settings, ledger: Ledger) -> Section:
    """Say who works, what waits for them, and whether those look that have to."""
    try:
        return Section("Workers", tuple(_about(settings, ledger)))
    except LedgerUnavailable as error:
        return Section("Workers", (from_message(Level.WRONG, str(error), _LOG),))


def _about(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    yield from _machines(ledger)
    counts = ledger.counts()
    overdue = ledger.health.overdue(_OVERDUE_S)
    if overdue:
        longest = span(max(overdue.values()))
        what = f"{counted(len(overdue), 'id')} due, and nobody rings: the oldest for {longest}: {_named(overdue)}."
        yield wrong(what, f"The reconciler rings every two seconds, if it runs. {_LOG}")
    else:
        yield well(
            f"{counted(counts.due, 'id')} due now or later, {counted(counts.queued, 'doorbell')} in the queue."
        )
    orphans = ledger.health.orphans()
    if orphans:
        what = f"{counted(orphans, 'unfinished rollback')} had no entry in rc:due any more, and went on late."
        yield warns(what, "See who else writes to this Redis: no script of ours leaves one so.")
    for waits in (*ledger.spreading.complaints(), *ledger.health.left_alone()):
        yield from_message(Level.WARNS, waits, _LOG)
    yield from _observer(settings, ledger)
    yield from _relearner(settings, ledger)
    yield from _teller(ledger)


def _machines(ledger: Ledger) -> Iterator[Finding]:
    machines = ledger.health.machines()
    alive = {name: age for name, age in machines.items() if age <= _SILENT_S}
    if alive:
        yield well(f"{counted(len(alive), 'worker machine')} at work: {_named(alive)}.")
    else:
        yield wrong(f"No worker was heard of for {_SILENT_S} s: accepted alerts wait.", _START)
    for name, age in machines.items():
        if name not in alive:
            what = f"The worker machine {name} was last heard of {span(age)} ago, and did not say goodbye."
            yield warns(what, "Start it again; where it is gone for good, this is forgotten after a day.")


def _observer(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    late_s = _SWEEPS_LATE * settings.numbers.observe_every_s
    for swept in ledger.sightings.sweeps():
        if swept.trouble:
            yield from_message(Level.WRONG, f"Cluster {swept.cluster} cannot be observed: {swept.trouble}", _LOG)
        elif swept.age_s is None or swept.age_s > late_s:
            since = "not yet" if swept.age_s is None else f"{span(swept.age_s)} ago"
            yield wrong(f"Cluster {swept.cluster} was last looked over {since}: the observer does not run.", _LOG)
    for unseen in ledger.sightings.not_seen():
        yield from_message(Level.WARNS, f"{unseen}.", "The look of a worker, below, says more.")


def _relearner(settings: Settings, ledger: Ledger) -> Iterator[Finding]:
    if settings.alertmanager is None:
        return
    asked = ledger.relearned.asked()
    if asked is None or asked.age_s is None:
        why = asked.trouble if asked else "no worker machine has tried"
        yield from_message(Level.WRONG, f"Alertmanager was never asked what fires: {why}", _LOG)
    elif asked.late:
        for complaint in ledger.relearned.complaints():
            yield from_message(Level.WRONG, complaint, _LOG)
    else:
        told = f"{counted(asked.learned, 'alert')} and {counted(asked.closed, 'resolve')} came only so"
        yield well(f"Alertmanager said {span(asked.age_s)} ago what fires; {told}.")


def _teller(ledger: Ledger) -> Iterator[Finding]:
    stuck = [waiting for waiting in ledger.outbox.waiting() if waiting.error or waiting.gave_up]
    by_channel = {waiting.channel: waiting for waiting in stuck}
    for channel, waiting in by_channel.items():
        count = counted(sum(one.channel == channel for one in stuck), "message")
        error = waiting.error or "given up"
        what = f"The channel {channel} has not got {count}; the last try: {error}."
        yield wrong(what, f"Correct `notify.{channel}` in the settings; what waits is sent by itself.")


def ask_workers(ledger: Ledger) -> Iterator[Section]:
    """Have a worker look at everything that workers reach."""
    title = "What workers reach"
    try:
        if ledger.health.silence():
            what = "Monitoring, clusters and hosts were not looked at: no worker is there to do it."
            yield Section(title, (wrong(what, _START),))
            return
        answer = ledger.asking.wait(ledger.asking.ask({"check": True}), _ANSWERS_WITHIN_S)
    except LedgerUnavailable as error:
        yield Section(title, (from_message(Level.WRONG, str(error), _LOG),))
        return
    if answer is None:
        what = f"No worker looked within {_ANSWERS_WITHIN_S} s: all are busy, or of an older version."
        yield Section(title, (wrong(what, f"Raise `workers` in the settings if they are. {_LOG}"),))
        return
    try:
        yield from [Section.read(one) for one in answer["sections"]]
    except (KeyError, ValueError):
        what = "A worker gave an answer that this version does not know."
        yield Section(title, (wrong(what, "Run the same version everywhere."),))


def _named(names: dict[str, float], most: int = 5) -> str:
    listed = sorted(names)
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")
