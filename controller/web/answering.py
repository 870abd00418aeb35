"""What a person says to one rollback over the API: yes, no, or take it back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flask import Blueprint, Response, request

from controller.ledger import MovedOn
from controller.settings import Role
from controller.web.inputs import ApproveAsked, DenyAsked, UndoAsked, read_input
from controller.web.refusals import Refusal, json_response
from controller.web.undoing import undo

if TYPE_CHECKING:
    from controller.ledger import Ledger, Rollback
    from controller.web.auth import Doorkeeper

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def answering_blueprint(ledger: Ledger, door: Doorkeeper) -> Blueprint:
    """Serve approve, deny and undo; every view asks the door first."""
    answering = Answering(ledger, door)
    blueprint = Blueprint("answering", __name__, url_prefix="/api/v1/rollbacks")
    for path, view in (
        ("/<ident>/approve", answering.approve),
        ("/<ident>/deny", answering.deny),
        ("/<ident>/undo", answering.undo),
    ):
        blueprint.add_url_rule(path, view.__name__, view, methods=["POST"])
    return blueprint


class Answering:
    """The views; each method is one."""

    def __init__(self, ledger: Ledger, door: Doorkeeper) -> None:
        self._ledger = ledger
        self._door = door

    def _admit(self, role: Role) -> str:
        return self._door.admit(request.headers.get("Authorization"), role).name

    def approve(self, ident: str) -> Response:
        """Allow the plan that a rollback asks about; a plan that changed since is asked about again."""
        by = self._admit(Role.APPROVE)
        said = read_input(request, ApproveAsked)
        asked = existing(self._ledger, ident)
        try:
            rollback = self._ledger.rollbacks.approve(ident, by=by, to=said.to)
        except MovedOn as error:
            raise Refusal(409, _asks_nothing(asked, str(error))) from error
        self._ledger.hands.note(by, "approve", ident, said.reason)
        return json_response(rollback.public())

    def deny(self, ident: str) -> Response:
        """Say no: nothing is changed, and the rollback ends."""
        by = self._admit(Role.APPROVE)
        why = read_input(request, DenyAsked).reason
        asked = existing(self._ledger, ident)
        if not asked.asked:
            raise Refusal(409, _asks_nothing(asked, f"the rollback is {asked.state}"))
        try:
            rollback = self._ledger.rollbacks.deny(ident, by=by, why=why)
        except MovedOn as error:
            raise Refusal(
                409, f"too late to deny {ident}: {error}; `rollbackctl show {ident}` tells more"
            ) from error
        self._ledger.hands.note(by, "deny", ident, why)
        return json_response(rollback.public())

    def undo(self, ident: str) -> Response:
        """Take a rollback back: what it went from runs again, and what it made of marks is as it was."""
        by = self._admit(Role.OPERATE)
        wanted = read_input(request, UndoAsked)
        return json_response(undo(self._ledger, existing(self._ledger, ident), by, wanted), 202)


def existing(ledger: Ledger, ident: str) -> Rollback:
    """Return the rollback of that id; raises a 404 `Refusal` where there is none."""
    rollback = ledger.rollbacks.get(ident) if _ID.fullmatch(ident) else None
    if rollback is None:
        raise Refusal(404, f"there is no rollback {ident[:64]!r}; `rollbackctl history` lists them")
    return rollback


def _asks_nothing(rollback: Rollback, problem: str) -> str:
    ident = rollback.id
    if rollback.approved_by:
        return f"{ident} was approved by {rollback.approved_by}; `rollbackctl show {ident}` tells how it goes on"
    return f"{ident} is not approved: {problem}; `rollbackctl status` lists what waits for an answer"
