"""How `rollbackctl why` reads: first the answer in a sentence, then the alerts and rules, then what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.cli.judgements import Line, judgement_lines, judgements_lines
from controller.cli.records import because, cause, label, next_step, standing, subject
from controller.cli.times import ago, offset, parse, span, stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_STRONGEST = ("roll-back", "ask", "hold", "refuse", "observe")
_RULES_SHOWN = 40
_BY = {"deploy": "deployed", "rollback": "by a rollback", "person": "by a person"}


def story(answer: dict[str, Any], now: datetime) -> Iterator[Line]:
    """Tell all of it, from the top down."""
    yield Line(0, headline(answer), bold=True)
    alerts = [_alert(alert, now) for alert in answer["alerts"]]
    rollbacks = [_rollback(rollback, now) for rollback in answer["rollbacks"]]
    asked_first = answer["about"]["kind"] == "rollback"
    for part in (*rollbacks, *alerts) if asked_first else (*alerts, *rollbacks):
        yield Line(0, "")
        yield from part


def headline(answer: dict[str, Any]) -> str:
    """Say in a sentence what became of it."""
    if answer["rollbacks"]:
        newest = max(answer["rollbacks"], key=lambda record: str(record["opened_at"]))
        why = because(newest)
        return f"{subject(newest)}: {standing(newest)}" + (f" ({why})" if why else "") + "."
    decided = [rule for alert in answer["alerts"] for rule in alert["rules"] if rule["decision"]]
    for outcome in _STRONGEST:
        found = next((rule for rule in decided if rule["decision"]["outcome"] == outcome), None)
        if found is not None:
            decision = found["decision"]
            return f"Nothing was changed. Rule {found['rule']}: {_decided(decision)}."
    if any(rule.get("awaited_since") for alert in answer["alerts"] for rule in alert["rules"]):
        return (
            "Nothing was decided yet: no worker that looked knows the rule. `rollbackctl status` says what to do."
        )
    if any(rule["matched"] for alert in answer["alerts"] for rule in alert["rules"]):
        return "Nothing was decided yet: a worker has still to look. Do workers run? `rollbackctl status` says."
    if answer["alerts"]:
        return "Nothing was changed: no rule is about this alert."
    return "Nothing is known of it: no alert about it has met a rule, and nobody rolled it back."


def _decided(decision: dict[str, Any]) -> str:
    detail = f": {str(decision['detail']).rstrip('.')}" if decision.get("detail") else ""
    return f"{decision['outcome']} ({decision['reason']}){detail}"


def _alert(alert: dict[str, Any], now: datetime) -> Iterator[Line]:
    labels = alert["labels"]
    name = " ".join(part for part in (labels.get("alertname", ""), alert["fingerprint"]) if part)
    yield Line(0, f"Alert {name}", bold=True)
    yield Line(2, _episode(alert["episode"], now))
    if labels:
        said = ", ".join(f'{label}="{value}"' for label, value in sorted(labels.items()) if label != "alertname")
        yield Line(2, f"{{{said}}}", dim=True)
    decided = [rule for rule in alert["rules"] if rule["decision"]]
    matched = [rule for rule in alert["rules"] if rule["matched"] and not rule["decision"]]
    others = [rule for rule in alert["rules"] if not rule["matched"]]
    for rule in decided:
        yield from _rule(rule, now)
    for rule in matched:
        yield Line(2, f"Rule {rule['rule']}: matches it, and {_undecided(rule, now)}")
    for rule in others[:_RULES_SHOWN]:
        yield Line(2, f"Rule {rule['rule']}: not about it: {rule['mismatch']}", dim=True)
    if len(others) > _RULES_SHOWN:
        yield Line(2, f"and {len(others) - _RULES_SHOWN} rules more that are not about it", dim=True)


def _undecided(rule: dict[str, Any], now: datetime) -> str:
    if rule.get("awaited_since"):
        return f"waits for a worker that knows it, for {ago(rule['awaited_since'], now).removesuffix(' ago')}"
    return "has not decided: it came after the alert was heard"


def _episode(episode: dict[str, Any] | None, now: datetime) -> str:
    if episode is None:
        return "its labels are forgotten by now; what was decided is still known"
    since = f"began {stamp(episode['starts_at'])} ({ago(episode['starts_at'], now)})"
    if episode["open"]:
        return f"{since}, fires still, last heard {ago(episode['heard_at'], now)}"
    return f"{since}, ended {ago(episode['closed_at'], now)}"


def _rule(rule: dict[str, Any], now: datetime) -> Iterator[Line]:
    decision = rule["decision"]
    changed = "" if rule["in_force"] else " (as it was then: it has changed since, or is gone)"
    yield Line(2, f"Rule {rule['rule']}: {decision['outcome']} ({decision['reason']}){changed}", bold=True)
    judgements = decision.get("judgements") or ()
    if decision.get("detail"):
        yield Line(4, decision["detail"])
    if rule["at"]:
        yield Line(4, f"decided {stamp(rule['at'])} ({ago(rule['at'], now)})", dim=True)
    yield from judgements_lines(judgements, 4, said=str(decision.get("detail", "")))
    if rule["followed"] is not None:
        yield Line(4, _followed(rule, now))


def _followed(rule: dict[str, Any], now: datetime) -> str:
    followed = rule["followed"]
    came = "; ".join(
        f"{one['release']} had come to {label({'instance': one['instance']})} ({_BY.get(one['by'], one['by'])})"
        for one in followed["arrivals"]
    )
    if followed["ended_at"] is None:
        still = f"The trouble goes on, {ago(rule['at'], now).removesuffix(' ago')} after that"
        return still + (f"; {came}" if came else "") + "."
    after = f"The trouble ended {span(followed['after_s'])} after that"
    return f"{after}; by then {came}." if came else f"{after} without it: no other release had come."


def _rollback(record: dict[str, Any], now: datetime) -> Iterator[Line]:
    yield Line(0, f"Rollback {record['id']}  {subject(record)}: {standing(record)}", bold=True)
    yield Line(
        2, f"wanted by {cause(record)}; opened {stamp(record['opened_at'])} ({ago(record['opened_at'], now)})"
    )
    if record.get("approved_by"):
        yield Line(2, f"approved by {record['approved_by']}")
    if record.get("overridden"):
        yield Line(2, f"set aside by name: {', '.join(record['overridden'])}")
    judged = record["judged"]
    for entry in judged[:-1]:
        found = entry["judgement"]
        yield Line(2, f"{_after(record, entry)}  {found['outcome']} ({found['reason']}): {found['detail']}")
    if judged:
        last = "judged right before the first change" if record.get("committed_at") else "judged last"
        yield Line(2, f"{_after(record, judged[-1])}  {last}:")
        yield from judgement_lines(judged[-1]["judgement"], 4)
    yield Line(2, f"what became of it: {standing(record)}" + (f" ({why})" if (why := because(record)) else ""))
    yield Line(2, f"next: {next_step(record)}")
    yield Line(2, f"`rollbackctl show {record['id']}` tells every step", dim=True)


def _after(record: dict[str, Any], entry: dict[str, Any]) -> str:
    return offset((parse(entry["at"]) - parse(record["opened_at"])).total_seconds())
