"""What people ask: which workloads are meant, and what would a rollback, or the rules, do now.

Reads the targets and answers through the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from rules.decisions import Reason
from rules.errors import RollbackError, Transient
from rules.instances import Instance, read_instance
from rules.workloads.by_hand import Wanted
from rules.workloads.disclosure import plan_shown
from workers.checking import check
from workers.explaining import explain
from workers.peeking import peek
from workers.site import Site
from workers.terms import Terms


def answer(site: Site, ident: str) -> None:
    """Answer question `ident`, unless it lapsed or somebody else has it."""
    question = site.ledger.asking.question(ident)
    if question is not None:
        site.ledger.asking.answer(ident, _answer(site, question))


def _answer(site: Site, question: Mapping[str, Any]) -> dict[str, Any]:
    if "find" in question:
        return _found(site, question["find"])
    if "explain" in question:
        return explain(site, question["explain"])
    if "check" in question:
        return check(site)
    terms = Terms.read(question.get("spec") or {})
    return {"plans": list(_plans(site, question.get("instances") or [], terms))}


def _found(site: Site, find: Mapping[str, object]) -> dict[str, Any]:
    """Say which workloads are meant, or why none."""
    try:
        located = site.find_wanted(Wanted.read(find))
    except RollbackError as e:
        return {"refusal": {"reason": e.reason, "detail": str(e), "passes": isinstance(e, Transient)}}
    return {"found": [one.instance.id for one in located]}


def _plans(site: Site, instances: Iterable[str], terms: Terms) -> Iterable[dict[str, Any]]:
    for ident in instances:
        try:
            yield _plan(site, read_instance(ident), terms)
        except ValueError as e:
            yield _refused(ident, Reason.HOST_UNKNOWN, str(e))
        except RollbackError as e:
            yield _refused(ident, e.reason, str(e))


def _plan(site: Site, instance: Instance, terms: Terms) -> dict[str, Any]:
    found = peek(site, instance, terms)
    told: dict[str, Any] = {
        "instance": instance.id,
        "running": found.seen.running,
        "running_names": list(found.seen.names),
        "plan": plan_shown(asdict(found.plan)) if found.plan else None,
        "candidates": [asdict(candidate) for candidate in found.choice.candidates],
        "notes": [one.note for one in found.seen.releases if one.note and one.name == found.seen.running],
    }
    return told if found.bar is None else {**told, "refusal": _refusal(*found.bar)}


def _refused(instance: str, reason: Reason, detail: str) -> dict[str, Any]:
    return {"instance": instance, "plan": None, "refusal": _refusal(reason, detail)}


def _refusal(reason: Reason, detail: str) -> dict[str, str]:
    return {"reason": reason, "detail": detail}
