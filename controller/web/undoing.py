"""A person takes a rollback back: a rollback of its own, by name, to what ran before; and the marks as they were.

It is one change like any other, on the same path: the target refuses it where something else runs there by now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from controller.ledger import MovedOn, NewRollback, State
from controller.web.refusals import Refusal
from rules.instances import WorkloadInstance, read_instance

if TYPE_CHECKING:
    from controller.ledger import Ledger, Rollback
    from controller.web.inputs import UndoAsked

_BEFORE_CHANGE: Final = (State.PLANNED, State.WAITING)
_UNDER_WAY: Final = (State.ACTING, State.PARKED, State.UNDOING)
_WAIVED: Final = ("affected", "cooldown", "known-bad", "limits", "not-known-good", "smoke-test-failed")
"""What would keep a rule from going there, and is what a person takes back with it."""


def undo(ledger: Ledger, done: Rollback, by: str, asked: UndoAsked) -> dict[str, Any]:
    """Open the rollback that takes `done` back, lift its marks, and demote its rule after a false alarm.

    Raises a 409 `Refusal` where it changed nothing, is under way, or its instance has another rollback by now.
    """
    _check(done)
    _let_go(ledger, done, by, asked.reason)
    opened = ledger.rollbacks.open(_new(done, by, asked))
    if opened.joined:
        found = ledger.rollbacks.get(opened.id)
        if found is None or found.spec.get("undoes") != done.id:
            raise Refusal(
                409,
                f"{done.instance} has an unfinished rollback by now: wait for {opened.id}, or cancel it "
                f"(`rollbackctl show {opened.id}`), then undo again",
            )
    lifted = ledger.catalogue.lift(done.service, done.id, by)
    if asked.false_alarm and done.rule:
        ledger.hands.demote(done.rule, _why(done, by, asked.reason), done.id, by)
    ledger.hands.note(by, "undo (false alarm)" if asked.false_alarm else "undo", done.id, asked.reason)
    return {
        "id": opened.id,
        "undoes": done.id,
        "instance": done.instance,
        "from": done.to_release,
        "to": done.from_release,
        "lifted": list(lifted),
        "demoted": done.rule if asked.false_alarm and done.rule else None,
    }


def _check(done: Rollback) -> None:
    ident = done.id
    if done.state in _BEFORE_CHANGE:
        raise Refusal(409, f"{ident} has not changed anything yet: `rollbackctl cancel {ident}` ends it")
    if done.state in _UNDER_WAY:
        raise Refusal(409, f"{ident} is under way ({done.state}): wait for its step to end, then undo it")
    if done.state is State.ENDED and done.undone_as:
        raise Refusal(409, f"{ident} has put back what was there before already, so there is nothing to undo")
    if done.changed_ms is None or not done.to_release:
        raise Refusal(409, f"{ident} changed nothing ({done.outcome or done.state}), so there is nothing to undo")
    if not done.from_release:
        raise Refusal(409, f"nothing ran on {done.instance} before {ident}, so there is no release to go back to")
    pods = _pods_taken_away(done)
    if pods is not None:
        raise Refusal(409, pods)


def _pods_taken_away(done: Rollback) -> str | None:
    """Say how pods that were taken away come back: how many there are to be is a person's own word."""
    plan = done.public()["plan"] or {}
    for step in plan.get("steps") or ():
        values = step.get("values") or {}
        if values.get("replicas") != 0 or values.get("template"):
            continue
        instance = read_instance(done.instance)
        if isinstance(instance, WorkloadInstance):
            before = ((values.get("was") or {}).get("spec") or {}).get("replicas") or "N"
            return (
                f"{done.id} took the pods of {instance.label} away and changed no release; "
                f"`kubectl scale {instance.kind}/{instance.name} -n {instance.namespace} --replicas={before}` "
                "brings them back"
            )
    return None


def _let_go(ledger: Ledger, done: Rollback, by: str, why: str) -> None:
    """End what is still being verified, or held: one instance has one unfinished rollback."""
    if done.state is State.ENDED:
        return
    try:
        ledger.rollbacks.cancel(done.id, by=by, why=why, undone=True)
    except MovedOn as error:
        moved = ledger.rollbacks.get(done.id)
        if moved is None or moved.state is not State.ENDED:
            raise Refusal(409, f"{done.id} cannot be undone this moment: {error}; try again") from error


def _new(done: Rollback, by: str, asked: UndoAsked) -> NewRollback:
    kept = {name: done.spec[name] for name in ("pin", "gitops", "when_paused") if name in done.spec}
    spec = {
        **kept,
        "to": [{"version": done.from_release}],
        "override": True,
        "overridden": sorted({*_WAIVED, *asked.override}),
        "expects": done.to_release,
        "undoes": done.id,
    }
    return NewRollback(
        instance=done.instance,
        service=done.service,
        host=done.host,
        by=by,
        why=f"undoes {done.id}" + (": false alarm" if asked.false_alarm else "") + _colon(asked.reason),
        spec=spec,
    )


def _why(done: Rollback, by: str, reason: str) -> str:
    return f"{by} called {done.id} a false alarm" + _colon(reason)


def _colon(reason: str) -> str:
    return f": {reason}" if reason else ""
