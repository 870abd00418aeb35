"""What people ask: what would a rollback of these instances do now, and which workloads are meant.

Reads the targets and answers through the ledger.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict
from typing import Any

from rules.decisions import Reason
from rules.errors import RollbackError, Transient
from rules.instances import Instance, read_instance
from rules.workloads.by_hand import Wanted
from workers.runner.preparing import prepare
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
    with closing(site.reach(instance, "", terms, time.time)) as driver:
        prepared = prepare(driver, terms, frozenset())
        driver.preflight(prepared.plan)
    candidates = [asdict(candidate) for candidate in prepared.choice.candidates]
    return {
        "instance": instance.id,
        "running": prepared.observation.running,
        "running_names": list(prepared.observation.names),
        "plan": asdict(prepared.plan),
        "candidates": candidates,
    }


def _refused(instance: str, reason: Reason, detail: str) -> dict[str, Any]:
    return {"instance": instance, "plan": None, "refusal": {"reason": reason, "detail": detail}}
