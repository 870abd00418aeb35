"""What is stored of rollbacks, for whoever checks that it is whole: the texts themselves, for sums of their own.

Nothing is judged here: who checks has the key and computes everything anew. Of a text that may hold a pod template
only its sum is given.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson
from flask import Blueprint, Response, request

from controller.settings import Role
from controller.web.refusals import Refusal, json_response
from rules.seals import sum_of
from rules.workloads.disclosure import without_templates

if TYPE_CHECKING:
    from controller.ledger import Ledger
    from controller.ledger.seals import AsStored
    from controller.web.auth import Doorkeeper

_IDS: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(,[A-Za-z0-9_-]{1,64}){0,49}")
_SHOWN: Final = frozenset(
    {
        *("id", "instance", "service", "host", "rule", "rule_digest", "by", "why", "episodes", "environment"),
        *("state", "outcome", "reason", "detail", "from", "to", "release", "arrival", "our_arrival", "effect"),
        *("opened_at", "committed_at", "changed_at", "ended_at", "moved_at", "changed", "attempts"),
        *("campaign", "approved", "approved_by", "marked", "journal_head"),
    }
)
"""The fields that can hold no template."""


def audit_blueprint(ledger: Ledger, door: Doorkeeper, *, sealing: bool) -> Blueprint:
    """Serve what is stored; every view asks the door first. `sealing` is whether the settings name a key."""
    audit = Audit(ledger, door, sealing=sealing)
    blueprint = Blueprint("audit", __name__, url_prefix="/api/v1/audit")
    blueprint.add_url_rule("", "listed", audit.listed, methods=["GET"])
    blueprint.add_url_rule("/rollbacks", "stored", audit.stored, methods=["GET"])
    return blueprint


class Audit:
    """The views; each public method is one."""

    def __init__(self, ledger: Ledger, door: Doorkeeper, *, sealing: bool) -> None:
        self._ledger = ledger
        self._door = door
        self._sealing = sealing

    def listed(self) -> Response:
        """Name every rollback that is remembered, and the newest seal."""
        self._door.admit(request.headers.get("Authorization"), Role.READ)
        newest = self._ledger.seals.newest()  # before the ids: each seal up to this one is among them
        return json_response({"ids": self._ledger.seals.ids(), "newest": newest, "sealing": self._sealing})

    def stored(self) -> Response:
        """Show up to fifty rollbacks as they are stored."""
        self._door.admit(request.headers.get("Authorization"), Role.READ)
        wanted = request.args.get("ids", "")
        if not _IDS.fullmatch(wanted):
            raise Refusal(400, "ids must be 1 to 50 ids of rollbacks, separated by commas", field="ids")
        return json_response({"rollbacks": [_shown(one) for one in self._ledger.seals.stored(wanted.split(","))]})


def _shown(stored: AsStored) -> dict[str, Any]:
    record = {name: text for name, text in stored.record.items() if name != "seal"}
    return {
        "id": stored.id,
        "texts": {name: text for name, text in record.items() if name in _SHOWN},
        "sums": {name: sum_of(text) for name, text in record.items() if name not in _SHOWN},
        "journal": [
            {"text": entry} if _may_be_seen(entry) else {"sum": sum_of(entry)} for entry in stored.journal
        ],
        "seal": stored.record.get("seal", ""),
    }


def _may_be_seen(entry: str) -> bool:
    """Whether an entry can be read, and holds no template."""
    try:
        content = orjson.loads(entry)
        return bool(without_templates(content) == content)
    except (ValueError, TypeError, RecursionError):
        return False
