"""How one rollback reads: what it is about, why it stands where it stands, and what a person can do."""

from __future__ import annotations

import re
from typing import Any

from controller.cli.failures import Failed
from controller.cli.hints import by_hand
from rules.instances import HostInstance, read_instance

SETTLED = frozenset({"ended", "held"})
"""States in which nothing more happens by itself."""

_ABOUT = (
    *("exported_pod", "pod", "deployment", "statefulset", "daemonset", "workload"),
    *("instance", "namespace", "service", "job"),
)

GOOD = frozenset({"recovered", "resolved", "superseded"})
"""Outcomes after which nobody needs to do anything."""


def path_of(ident: str, *more: str) -> str:
    """Return the path of a rollback in the API; what can be no id at all is refused here."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", ident):
        raise Failed(f"there is no rollback {ident!r}; `rollbackctl history` lists them")
    return "/".join(("rollbacks", ident, *more))


def asks(record: dict[str, Any]) -> bool:
    """Whether a rollback waits for a person's answer."""
    return bool(record["state"] == "waiting" and record.get("asked") and not record.get("approved_by"))


def standing(record: dict[str, Any]) -> str:
    """Return the outcome of an ended rollback, else its state."""
    return str(record["outcome"] if record["state"] == "ended" and record["outcome"] else record["state"])


def subject(record: dict[str, Any]) -> str:
    """Say what goes where, like `shop on web2: v1.3.0 → v1.2.0`."""
    return label(record) + (f": {moves(record)}" if record["to"] else "")


def label(record: dict[str, Any]) -> str:
    """Name the instance for people, like `shop on web2`."""
    return read_instance(record["instance"]).label


def short(record: dict[str, Any]) -> str:
    """Name the instance where there is little room: its host, or its workload."""
    instance = read_instance(record["instance"])
    return instance.host if isinstance(instance, HostInstance) else instance.name


def alert_words(decision: dict[str, Any]) -> str:
    """Name the alert of a decision: its name and what it is about, and the fingerprint that finds it elsewhere."""
    labels = decision.get("labels") or {}
    about = next((labels[label] for label in _ABOUT if labels.get(label)), "")
    name = " ".join(part for part in (labels.get("alertname", ""), about) if part)
    return f"{name} {decision['fingerprint']}".strip()


def _again(record: dict[str, Any]) -> str:
    """Return the command that asks for the same once more."""
    instance = read_instance(record["instance"])
    if isinstance(instance, HostInstance):
        where = instance.host
    else:
        where = f"{instance.kind}/{instance.name} -n {instance.namespace} --cluster {instance.cluster}"
    return f"`rollbackctl rollback {record['service']} --instance {where}`"


def moves(record: dict[str, Any]) -> str:
    """Say from which release to which; a dash where that is not known yet."""
    return f"{record['from'] or '(none)'} → {record['to']}" if record["to"] else "-"


def cause(record: dict[str, Any]) -> str:
    """Say who or what wanted it."""
    who = f"rule {record['rule']}" if record["rule"] else f"{record['by'] or 'a person'}, by hand"
    return f"{who}: {record['why']}" if record["why"] else who


def because(record: dict[str, Any]) -> str:
    """Say why it stands where it stands, in the ledger's word and as a sentence."""
    return ": ".join(part for part in (record["reason"], record["detail"]) if part)


def next_step(record: dict[str, Any]) -> str:
    """Say what a person should do now; every state has an answer."""
    ident, again = record["id"], _again(record)
    mend = by_hand(record["reason"], record["instance"]) or "mend what the reason names"
    mend = mend[0].upper() + mend[1:]
    by_outcome = {
        "recovered": "Nothing. Find out what was wrong with the release before it is deployed again.",
        "resolved": "Nothing: the alerts resolved before anything was changed.",
        "superseded": "Nothing here: look at the newer rollback of this instance in `rollbackctl history`.",
        "ineffective": "Look for another cause: the release was changed and the alert went on.",
        "inconclusive": "Look at the alert yourself: monitoring did not say whether it helped.",
        "failed": f"{mend}; {again} tries again.",
        "refused": f"Nothing was changed. {mend}; {again} tries again.",
        "cancelled": f"Nothing, or {again} if it is wanted after all.",
        "expired": f"Nobody answered in time and nothing was changed; {again} does it by hand.",
    }
    by_state = {
        "planned": f"Wait: a worker picks it up. `rollbackctl cancel {ident}` stops it before the first change.",
        "waiting": f"Wait: it is tried again by itself. `rollbackctl cancel {ident}` ends it.",
        "acting": "Wait: a worker is at it.",
        "parked": "Wait: it carries on by itself where it stopped.",
        "undoing": "Wait: the new state was not healthy, and is being taken back.",
        "verifying": "Wait: the change is made, and the alerts behind it must resolve now.",
        "held": f"Look at the instance and set it right by hand, then `rollbackctl cancel {ident}` frees it.",
    }
    if record["reason"] == "denied":
        return f"Nothing was changed, as a person said; {again} if it is wanted after all."
    if asks(record):
        return f"Answer it: `rollbackctl approve {ident}` or `rollbackctl deny {ident} --reason …`."
    return by_outcome.get(standing(record)) or by_state.get(record["state"], "Look at the log of the workers.")
