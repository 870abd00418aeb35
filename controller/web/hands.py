"""A person's hand over the API: rules paused, services locked, demoted rules promoted, and who did what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from flask import Blueprint, Response, request

from controller.ledger import LockHeld
from controller.settings import Role
from controller.web.inputs import (
    LockAsked,
    OwnerAsked,
    PauseAsked,
    RenewAsked,
    ResumeAsked,
    Said,
    UnlockAsked,
    read_count,
    read_input,
)
from controller.web.refusals import Refusal, json_response
from controller.web.standing import (
    breakers_shown,
    lock_shown,
    locks_shown,
    pause_shown,
    pauses_shown,
    suspensions_shown,
)

if TYPE_CHECKING:
    from controller.ledger import Ledger
    from controller.settings.house import House
    from controller.web.auth import Doorkeeper

_MOST_DEEDS = 500


def hands_blueprint(
    ledger: Ledger, house: House, door: Doorkeeper, clusters: Mapping[str, Sequence[str]]
) -> Blueprint:
    """Serve what a person does beside rollbacks; every view asks the door first."""
    hands = Hands(ledger, house, door, clusters)
    blueprint = Blueprint("hands", __name__, url_prefix="/api/v1")
    for method, path, view in (
        ("GET", "/pauses", hands.list_pauses),
        ("POST", "/pauses", hands.pause),
        ("DELETE", "/pauses", hands.resume),
        ("GET", "/suspensions", hands.list_suspensions),
        ("DELETE", "/suspensions", hands.let_go_on),
        ("GET", "/locks", hands.list_locks),
        ("POST", "/locks/<service>", hands.lock),
        ("PUT", "/locks/<service>", hands.renew),
        ("DELETE", "/locks/<service>", hands.unlock),
        ("POST", "/rules/<name>/promote", hands.promote),
        ("GET", "/deeds", hands.list_deeds),
    ):
        blueprint.add_url_rule(path, view.__name__, view, methods=[method])
    return blueprint


class Hands:
    """The views; each method is one."""

    def __init__(
        self, ledger: Ledger, house: House, door: Doorkeeper, clusters: Mapping[str, Sequence[str]]
    ) -> None:
        self._ledger = ledger
        self._house = house
        self._door = door
        self._clusters = clusters

    def _admit(self, role: Role) -> str:
        return self._door.admit(request.headers.get("Authorization"), role).name

    def list_pauses(self) -> Response:
        """Show what is paused, by whom and until when."""
        self._admit(Role.READ)
        return json_response({"pauses": pauses_shown(self._ledger)})

    def pause(self) -> Response:
        """Stop rules, everywhere or in one scope."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, PauseAsked)
        self._must_know(asked.scope)
        return json_response(pause_shown(self._ledger.hands.pause(asked.scope, by, asked.reason, asked.for_)), 201)

    def resume(self) -> Response:
        """End one pause, or all of them, and a service's loop-breaker; says what ended and what still stands."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, ResumeAsked)
        scopes = [pause.scope for pause in self._ledger.hands.pauses()] if asked.all else [asked.scope]
        ended = [scope for scope in scopes if self._ledger.hands.resume(scope, by, asked.reason)]
        kind, _, name = asked.scope.partition(" ")
        closed = kind == "service" and self._ledger.hands.close_breaker(name, by, asked.reason)
        left, breakers = pauses_shown(self._ledger), breakers_shown(self._ledger)
        if not ended and not closed and not asked.all:
            others = ", ".join(pause["scope"] or "all rules" for pause in left)
            still = f"what is paused: {others}" if others else "nothing is paused"
            open_ = ", ".join(breaker["service"] for breaker in breakers)
            loops = f"; loop-breakers are open for: {open_}" if open_ else ""
            raise Refusal(404, f"there is no pause of {asked.scope or 'all rules'}; {still}{loops}", field="scope")
        return json_response(
            {"resumed": ended, "closed": [name] if closed else [], "pauses": left, "breakers": breakers}
        )

    def list_suspensions(self) -> Response:
        """Show which GitOps owners rollbacks have paused."""
        self._admit(Role.READ)
        return json_response({"suspensions": suspensions_shown(self._ledger)})

    def let_go_on(self) -> Response:
        """Let an owner go on whatever Git says; the next sweep of its cluster does it."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, OwnerAsked)
        if not self._ledger.suspensions.ask_resume(asked.owner, by):
            there = ", ".join(sorted({one.owner for one in self._ledger.suspensions.list()})) or "none"
            raise Refusal(404, f"we have not paused {asked.owner[:200]!r}; paused: {there}", field="owner")
        self._ledger.hands.note(by, "resume owner", asked.owner, asked.reason)
        return json_response({"owner": asked.owner, "suspensions": suspensions_shown(self._ledger)}, 202)

    def list_locks(self) -> Response:
        """Show which services are being deployed, by whom."""
        self._admit(Role.READ)
        return json_response({"locks": locks_shown(self._ledger)})

    def lock(self, service: str) -> Response:
        """Hold a service: no rule changes it meanwhile."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, LockAsked)
        self._must_know(f"service {service}")
        try:
            token = self._ledger.hands.lock(service, by, asked.reason, asked.ttl)
        except LockHeld as held:
            shown = lock_shown(service, held.lock)
            raise Refusal(409, f"{held}; wait for it, or see `rollbackctl status`", more=shown) from held
        return json_response({"service": service, "by": by, "token": token, "ttl_s": asked.ttl}, 201)

    def renew(self, service: str) -> Response:
        """Hold it for longer."""
        self._admit(Role.OPERATE)
        asked = read_input(request, RenewAsked)
        if not self._ledger.hands.renew(service, asked.token, asked.ttl):
            raise Refusal(409, _lost(service))
        return json_response({"service": service, "ttl_s": asked.ttl})

    def unlock(self, service: str) -> Response:
        """Let it go, or take it away from its holder."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, UnlockAsked)
        if asked.token is not None:
            if not self._ledger.hands.unlock(service, asked.token):
                raise Refusal(409, _lost(service))
            return json_response({"service": service, "was_held_by": by})
        holder = self._ledger.hands.break_lock(service, by, asked.reason)
        if holder is None:
            raise Refusal(404, f"nobody holds {service[:80]}; `rollbackctl status` shows what is locked")
        return json_response({"service": service, "was_held_by": holder})

    def promote(self, name: str) -> Response:
        """Let a demoted rule do again what its file says."""
        by = self._admit(Role.OPERATE)
        asked = read_input(request, Said)
        if not self._ledger.hands.promote(name, by, asked.reason):
            self._must_know(f"rule {name}")
            raise Refusal(409, f"rule {name} is not demoted: it does what its file says")
        return json_response({"rule": name, "promoted_by": by})

    def list_deeds(self) -> Response:
        """Show what persons did, the newest first."""
        self._admit(Role.READ)
        limit = read_count(request, "limit", default=100, most=_MOST_DEEDS)
        return json_response({"deeds": [asdict(deed) for deed in self._ledger.hands.deeds(limit)]})

    def _must_know(self, scope: str) -> None:
        """Refuse a misspelt name: a pause that binds nothing would be trusted to bind."""
        kind, _, name = scope.partition(" ")
        if kind == "rule":
            known = [rule.name for rule in self._house.rules.rules]
        elif kind == "service" and not self._clusters:  # which services a cluster has, only the cluster knows
            known = sorted(self._house.inventory.services)
        else:
            return
        if name not in known:
            there = ", ".join(known[:20]) or "none"
            raise Refusal(404, f"there is no {kind} {name[:80]!r}; there is: {there}", field="scope")


def _lost(service: str) -> str:
    return (
        f"{service[:80]} is not locked with this token any more: its time was over, or somebody took it away; "
        "rules may act on it. Lock it anew"
    )
