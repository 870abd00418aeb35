"""The JSON API for people and their tools. docs/reference/http.md describes it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from flask import Blueprint, Response, request

from controller.ledger import MovedOn, NewRollback, State
from controller.settings import Role
from controller.web.answering import existing
from controller.web.bodies import read_body
from controller.web.inputs import PlansAsked, RollbackAsked, Said, is_taken, read_count, read_input
from controller.web.planning import Planning
from controller.web.refusals import Refusal, json_response
from controller.web.selection import by_id, select
from controller.web.standing import breakers_shown
from controller.web.states import decisions_shown, status_shown
from controller.web.workloads import select_workloads
from rules.notifications import parse_notification
from rules.workloads.disclosure import without_templates

if TYPE_CHECKING:
    from controller.ledger import Ledger, Opened
    from controller.settings.house import House
    from controller.web.auth import Doorkeeper
    from rules.targets import Located

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{1,32}")
_STATES: Final = frozenset(str(state) for state in State)
_MOST_LISTED: Final = 500
_EPISODES_SHOWN: Final = 20
_MOST_EXPLAINED: Final = 500
_MOST_EXPLAINED_BYTES: Final = 4 * 2**20
_EXPLAINED_WITHIN_S: Final = 45.0
"""A worker's looks take 30 s at most."""
_HOSTS_MEANT: Final = "hosts of the inventory are meant; for workloads of a cluster say which namespace"


def api_blueprint(
    ledger: Ledger, house: House, door: Doorkeeper, clusters: Mapping[str, Sequence[str]]
) -> Blueprint:
    """Serve the API; every view asks the door first. `clusters` maps the configured ones to their namespaces."""
    api = Api(ledger, house, door, clusters)
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    for method, path, view in (
        ("GET", "/rollbacks", api.list_rollbacks),
        ("POST", "/rollbacks", api.open_rollbacks),
        ("GET", "/rollbacks/<ident>", api.show_rollback),
        ("POST", "/rollbacks/<ident>/cancel", api.cancel_rollback),
        ("POST", "/plans", api.plan),
        ("POST", "/explain", api.explain),
        ("GET", "/decisions", api.list_decisions),
        ("GET", "/status", api.show_status),
    ):
        blueprint.add_url_rule(path, view.__name__, view, methods=[method])
    return blueprint


class Api:
    """The views; each method is one."""

    def __init__(
        self, ledger: Ledger, house: House, door: Doorkeeper, clusters: Mapping[str, Sequence[str]]
    ) -> None:
        self._ledger = ledger
        self._house = house
        self._door = door
        self._clusters = clusters
        self._planning = Planning(ledger)

    def _admit(self, role: Role) -> str:
        return self._door.admit(request.headers.get("Authorization"), role).name

    def list_rollbacks(self) -> Response:
        """Show the newest rollbacks, by state and service if asked."""
        self._admit(Role.READ)
        limit = read_count(request, "limit", default=50, most=_MOST_LISTED)
        found = self._ledger.rollbacks.list(limit, states=_states(), service=request.args.get("service"))
        shown = [rollback.public() for rollback in found]
        return json_response({"rollbacks": shown, "breakers": breakers_shown(self._ledger)})

    def show_rollback(self, ident: str) -> Response:
        """Show one rollback with its journal and the decisions about the alerts behind it."""
        self._admit(Role.READ)
        rollback = existing(self._ledger, ident)
        seen = [
            one
            for fingerprint in rollback.episodes[:_EPISODES_SHOWN]
            for one in self._ledger.decisions.list(20, fingerprint=fingerprint)
        ]
        decisions = decisions_shown(self._ledger, seen)
        journal = without_templates(self._ledger.rollbacks.journal(ident))
        overridden = list(rollback.spec.get("overridden") or ())
        shown = {**rollback.public(), "overridden": overridden}
        return json_response({**shown, "journal": journal, "decisions": decisions})

    def open_rollbacks(self) -> Response:
        """Open a rollback for each instance a person means, or show what each would do."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, RollbackAsked)
        located, note = self._meant(asked)
        if asked.dry_run:
            plans = self._planning.plans([one.instance.id for one in located], asked.spec)
            return json_response({"plans": plans, **note})
        opened = [self._open(one, by, asked.reason, asked.spec) for one in located]
        for one in opened:
            if not one["joined"]:
                self._ledger.hands.note(by, "rollback", str(one["id"]), asked.reason)
        return json_response({"rollbacks": opened, **note}, 202)

    def cancel_rollback(self, ident: str) -> Response:
        """Cancel a rollback that has not changed anything yet, or is held."""
        by = self._admit(Role.OPERATE)
        reason = read_input(request, Said).reason
        existing(self._ledger, ident)
        try:
            rollback = self._ledger.rollbacks.cancel(ident, by=by, why=reason)
        except MovedOn as error:
            raise Refusal(
                409, f"too late to cancel {ident}: {error}; `rollbackctl show {ident}` tells more"
            ) from error
        self._ledger.hands.note(by, "cancel", ident, reason)
        return json_response(rollback.public())

    def plan(self) -> Response:
        """Show what going back would take for each instance, as a worker sees it now."""
        self._admit(Role.READ)
        asked = read_input(request, PlansAsked)
        instances = [by_id(self._house.inventory, ident).id for ident in asked.instances]
        return json_response({"plans": self._planning.plans(instances, {"to": asked.to})})

    def explain(self) -> Response:
        """Show what the rules in force would do now for the alerts of a notification, as a worker sees it."""
        self._admit(Role.READ)
        notification = parse_notification(read_body(request, _MOST_EXPLAINED_BYTES))
        if len(notification.alerts) > _MOST_EXPLAINED:
            raise Refusal(413, f"explain at most {_MOST_EXPLAINED} alerts at once", field="alerts")
        question = {"explain": [asdict(alert) for alert in notification.alerts]}
        answer = self._planning.ask(question, within_s=_EXPLAINED_WITHIN_S)
        bad = [{"index": bad.index, "problem": bad.problem} for bad in notification.bad]
        return json_response({"alerts": answer["alerts"], "bad": bad})

    def list_decisions(self) -> Response:
        """Show the newest decisions, of one alert if asked."""
        self._admit(Role.READ)
        limit = read_count(request, "limit", default=100, most=_MOST_LISTED)
        fingerprint = request.args.get("fingerprint")
        if fingerprint is not None and not _FINGERPRINT.fullmatch(fingerprint):
            raise Refusal(400, "fingerprint must be 1 to 32 lower-case hexadecimal digits", field="fingerprint")
        seen = self._ledger.decisions.list(limit, fingerprint=fingerprint)
        return json_response({"decisions": decisions_shown(self._ledger, seen)})

    def show_status(self) -> Response:
        """Show what is going on, on one screen."""
        self._admit(Role.READ)
        return json_response(status_shown(self._ledger, self._house))

    def _meant(self, asked: RollbackAsked) -> tuple[tuple[Located, ...], dict[str, str]]:
        """Return the instances that a person means: hosts of the inventory, unless workloads are asked for."""
        inventory = self._house.inventory
        if asked.means_workloads and not self._clusters:
            raise Refusal(422, "the settings name no cluster: add it under `clusters:`", field="cluster")
        if asked.means_workloads or (self._clusters and asked.service not in inventory.services):
            return select_workloads(asked, self._clusters, self._planning), {}
        located = select(inventory, asked.service, instances=asked.instances, only=asked.only)
        return located, {"note": _HOSTS_MEANT} if self._clusters and not asked.instances else {}

    def _open(self, located: Located, by: str, why: str, spec: dict[str, object]) -> dict[str, object]:
        instance = located.instance
        new = NewRollback(
            instance=instance.id,
            service=located.service,
            host=located.host,
            by=by,
            why=why,
            spec=spec,
        )
        opened = self._ledger.rollbacks.open(new)
        if opened.joined and self._gives_way(opened, by):
            opened = self._ledger.rollbacks.open(new)
        told = {"id": opened.id, "instance": instance.id, "joined": opened.joined, "state": opened.state}
        if not opened.joined:
            return told
        found = self._ledger.rollbacks.get(opened.id)
        goes = found.spec if found else spec
        return {**told, "to": goes.get("to", ["previous"]), "taken": is_taken(spec, goes)}

    def _gives_way(self, opened: Opened, by: str) -> bool:
        """End what a rule opened and has not begun: a person comes first, whatever holds the rule back."""
        found = self._ledger.rollbacks.get(opened.id)
        if found is None or found.by or found.state not in (State.PLANNED, State.WAITING):
            return False
        try:
            self._ledger.rollbacks.cancel(found.id, by=by, why="a person rolls this instance back")
        except MovedOn:  # it has begun this very moment
            return False
        return True


def _states() -> list[str] | None:
    named = request.args.get("state")
    if named is None:
        return None
    states = named.split(",")
    for state in states:
        if state not in _STATES:
            raise Refusal(400, f"state {state[:40]!r} is not one of {', '.join(State)}", field="state")
    return states
