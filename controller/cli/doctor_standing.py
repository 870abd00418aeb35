"""The doctor's look at what waits for a person, and at what persons left standing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from controller.cli.times import span
from controller.ledger import LedgerUnavailable, State
from rules.findings import Finding, Level, Section, from_message, warns, well
from rules.instances import read_instance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from controller.ledger import Ledger, Rollback

_TITLE = "Waits for a person"
_MOST = 20
_LONG_S = 86_400


def look_at_standing(ledger: Ledger) -> Section:
    """Say what only a person moves on: held rollbacks, loop-breakers, questions, pauses, demoted rules."""
    try:
        found = tuple(_about(ledger))
    except LedgerUnavailable as error:
        return Section(_TITLE, (from_message(Level.WRONG, str(error), "Look at Redis first."),))
    return Section(_TITLE, found or (well("Nothing."),))


def _about(ledger: Ledger) -> Iterator[Finding]:
    unfinished = ledger.rollbacks.list(_MOST, states=(State.HELD, State.WAITING))
    for rollback in unfinished:
        yield from _rollback(rollback)
    for service, breaker in ledger.hands.breakers().items():
        what = f"Rules leave {service} alone: {breaker.why}."
        yield warns(what, f"Look at {_some(breaker.rollbacks)}, then `rollbackctl resume --service {service}`.")
    for pause in ledger.hands.pauses():
        if pause.until_ms is None or pause.until_ms / 1000 - time.time() > _LONG_S:
            until = "without an end" if pause.until_ms is None else "for more than a day"
            scope = pause.scope or "everything"
            name = "".join(f" --{word}" if at == 0 else f" {word}" for at, word in enumerate(pause.scope.split()))
            why = f" ({pause.why})" if pause.why else ""
            what = f"{pause.by} paused {scope} {until}{why}: rules start nothing there."
            yield warns(what, f"When it is no longer needed: `rollbackctl resume{name}`.")
    for rule, demotion in ledger.hands.demotions().items():
        what = f"The rule {rule} may only ask: {demotion.why}."
        yield warns(what, f"Correct it, then `rollbackctl promote {rule}`.")


def _rollback(rollback: Rollback) -> Iterator[Finding]:
    label = read_instance(rollback.instance).label
    if rollback.state is State.HELD:
        what = f"{rollback.id} of {label} is held: {rollback.detail}."
        yield warns(
            what, f"`rollbackctl show {rollback.id}` says what was done; then `rollbackctl cancel` ends it."
        )
    elif rollback.asked:
        what = f"{rollback.id} of {label} asks since {span(time.time() - rollback.opened_ms / 1000)}."
        yield warns(what, f"`rollbackctl approve {rollback.id}` or `rollbackctl deny {rollback.id}`.")


def _some(rollbacks: tuple[str, ...]) -> str:
    return ", ".join(f"`rollbackctl show {one}`" for one in rollbacks[-2:]) or "`rollbackctl history`"
