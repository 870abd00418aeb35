"""Why something was done, or was not: every rule, every instance, every guard and every candidate.

What is asked for may be a rollback, an alert (by its fingerprint) or a service; all lead to alerts, each with what
every rule made of it, and to rollbacks, each with what was judged on its way.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, request

from controller.ledger.records import iso
from controller.settings import Role
from controller.web.aftermath import what_followed
from controller.web.refusals import Refusal, json_response
from rules.instances import HostInstance, read_instance
from rules.mismatch import mismatch
from rules.services import service_said_by
from rules.workloads.disclosure import without_templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from controller.ledger import Ledger, Rollback
    from controller.ledger.decisions import Remembered
    from controller.settings.house import House
    from controller.web.auth import Doorkeeper

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{1,32}")
_MOST_ALERTS: Final = 10
_LOOKED_BACK: Final = 500
_NEWEST: Final = 3
"""So many alerts and rollbacks are told of a service."""
_JUDGED: Final = frozenset({"judged", "asked", "prepared"})
"""Entries of a journal that hold a judgement."""


def why_blueprint(ledger: Ledger, house: House, door: Doorkeeper) -> Blueprint:
    """Serve the reasons; every view asks the door first."""
    why = Why(ledger, house, door)
    blueprint = Blueprint("why", __name__, url_prefix="/api/v1")
    blueprint.add_url_rule("/why", "last", why.last, methods=["GET"])
    blueprint.add_url_rule("/why/<what>", "about", why.about, methods=["GET"])
    return blueprint


class Why:
    """The views; each public method is one."""

    def __init__(self, ledger: Ledger, house: House, door: Doorkeeper) -> None:
        self._ledger = ledger
        self._house = house
        self._door = door

    def last(self) -> Response:
        """Tell about whatever was decided or opened last."""
        self._door.admit(request.headers.get("Authorization"), Role.READ)
        decided = next(iter(self._ledger.decisions.list(1)), None)
        opened = next(iter(self._ledger.rollbacks.list(1)), None)
        if decided is None and opened is None:
            raise Refusal(
                404, "nothing was decided yet: no alert has met a rule. `rollbackctl rules explain` tries one"
            )
        if opened is not None and (decided is None or (iso(opened.opened_ms) or "") >= decided.at):
            return json_response(self._rollback(opened))
        return json_response(self._alert(decided.fingerprint if decided else ""))

    def about(self, what: str) -> Response:
        """Tell about one rollback, alert or service."""
        self._door.admit(request.headers.get("Authorization"), Role.READ)
        rollback = self._ledger.rollbacks.get(what) if _NAME.fullmatch(what) else None
        if rollback is not None:
            return json_response(self._rollback(rollback))
        if _FINGERPRINT.fullmatch(what) and self._is_known(what):
            return json_response(self._alert(what))
        return json_response(self._service(what))

    def _is_known(self, fingerprint: str) -> bool:
        decisions = self._ledger.decisions
        return decisions.remembered(fingerprint) is not None or bool(decisions.list(1, fingerprint=fingerprint))

    def _rollback(self, rollback: Rollback) -> dict[str, Any]:
        alerts = [self._alert_story(one) for one in rollback.episodes[:_MOST_ALERTS]]
        return self._answer("rollback", rollback.id, alerts, [rollback])

    def _alert(self, fingerprint: str) -> dict[str, Any]:
        known = self._ledger.decisions.remembered(fingerprint)
        found = (self._ledger.rollbacks.get(ident) for ident in (known.rollbacks if known else ())[-_MOST_ALERTS:])
        return self._answer(
            "alert", fingerprint, [self._alert_story(fingerprint)], [one for one in found if one is not None]
        )

    def _service(self, service: str) -> dict[str, Any]:
        rollbacks = self._ledger.rollbacks.list(_NEWEST, service=service)
        fingerprints = list(self._alerts_about(service, {one.instance for one in rollbacks}))
        if not rollbacks and not fingerprints and service not in self._house.inventory.services:
            raise Refusal(
                404,
                f"nothing is known of {service[:80]!r}: no rollback, no alert that met a rule, and no service of "
                "which anything was decided lately; `rollbackctl history --decisions` lists what was",
            )
        return self._answer("service", service, [self._alert_story(one) for one in fingerprints], rollbacks)

    def _alerts_about(self, service: str, instances: set[str]) -> Iterator[str]:
        """Yield the newest alerts that were decided about instances of a service, or that name it."""
        told: dict[str, None] = {}
        roster: dict[str, str] = {}
        decisions = self._ledger.decisions.list(_LOOKED_BACK)
        labels = self._ledger.decisions.labels({one.fingerprint for one in decisions})
        for one in decisions:
            concerned = one.decision.get("instances") or ()
            said = labels.get(one.fingerprint, {})
            if one.fingerprint in told or one.decision.get("outcome") == "no-match":
                continue
            named = service in (service_said_by(said), said.get("service"))
            if named or any(i in instances or self._service_of(i, roster) == service for i in concerned):
                told[one.fingerprint] = None
                yield one.fingerprint
            if len(told) >= _NEWEST:
                return

    def _service_of(self, instance: str, known: dict[str, str]) -> str:
        if instance not in known:
            read = read_instance(instance)
            entry = None if isinstance(read, HostInstance) else self._ledger.roster.get(instance)
            known[instance] = read.service if isinstance(read, HostInstance) else entry.service if entry else ""
        return known[instance]

    def _answer(
        self, kind: str, ident: str, alerts: list[dict[str, Any]], rollbacks: Iterable[Rollback]
    ) -> dict[str, Any]:
        shown = [self._rollback_story(rollback) for rollback in rollbacks]
        return {"about": {"kind": kind, "id": ident}, "alerts": alerts, "rollbacks": shown}

    def _rollback_story(self, rollback: Rollback) -> dict[str, Any]:
        journal = without_templates(self._ledger.rollbacks.journal(rollback.id))
        judged = [
            {"at": iso(entry["at"]), "kind": entry["kind"], "judgement": entry["judgement"]}
            for entry in journal
            if entry.get("kind") in _JUDGED and entry.get("judgement")
        ]
        overridden = list(rollback.spec.get("overridden") or ())
        return {**rollback.public(), "overridden": overridden, "journal": journal, "judged": judged}

    def _alert_story(self, fingerprint: str) -> dict[str, Any]:
        """Tell what every rule made of one alert, in the order of the rule file; then those no longer in force."""
        known = self._ledger.decisions.remembered(fingerprint)
        since_ms = known.opened_ms if known else 0
        seen = self._ledger.decisions.list(100, fingerprint=fingerprint, since_ms=since_ms)
        at = {one.rule_digest: one.at for one in reversed(seen)}
        decided = {one.rule_digest: dict(one.decision) for one in reversed(seen)}
        decided |= self._ledger.decisions.whole(fingerprint)
        labels = known.episode.alert.labels if known else None
        rules = list(self._rules(labels, decided))
        for rule in rules:
            rule["at"] = at.get(rule["rule_digest"])
            rule["followed"] = what_followed(self._ledger, known, rule) if known else None
            waits = (
                None if rule["decision"] else self._ledger.spreading.awaited_ms(fingerprint, rule["rule_digest"])
            )
            rule["awaited_since"] = iso(waits)
        return {
            "fingerprint": fingerprint,
            "labels": dict(labels or {}),
            "episode": _episode(known),
            "rules": rules,
        }

    def _rules(
        self, labels: Mapping[str, str] | None, decided: Mapping[str, dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        """Yield every rule; of an alert whose labels are forgotten, those that decided about it."""
        left = dict(decided)
        for rule in self._house.rules.rules:
            decision = left.pop(rule.digest, None)
            if decision is None and labels is None:
                continue
            matched = decision is not None or rule.when.matches(labels or {})
            yield {
                **_about(rule.name, rule.digest, in_force=True),
                "matched": matched,
                "mismatch": "" if matched else mismatch(rule, labels or {}),
                "decision": decision,
            }
        for digest, decision in left.items():
            about = _about(str(decision.get("rule", "")), digest, in_force=False)
            yield {**about, "matched": True, "mismatch": "", "decision": decision}


def _about(rule: str, digest: str, *, in_force: bool) -> dict[str, Any]:
    return {"rule": rule, "rule_digest": digest, "in_force": in_force}


def _episode(known: Remembered | None) -> dict[str, Any] | None:
    if known is None:
        return None
    episode = known.episode
    return {
        "open": episode.open,
        "starts_at": iso(episode.first_ms),
        "opened_at": iso(known.opened_ms),
        "heard_at": iso(episode.heard_ms),
        "closed_at": iso(episode.closed_ms),
        "rollbacks": list(known.rollbacks),
    }
