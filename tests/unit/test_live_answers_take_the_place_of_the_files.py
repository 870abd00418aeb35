"""`rules explain --live`: about workloads the controller decides, by its rules in force; files alone cannot."""

from __future__ import annotations

import json
from typing import Any, cast

from testbed.alertmanager import alert, body

from controller.cli.api import Api
from controller.cli.live import Live
from rules.explain import explain
from rules.notifications import Notification, parse_notification
from rules.rulefile import parse_rules
from rules.ruleset import RuleSet
from rules.services import Inventory

RULE = """
version: rules/v1
rules:
  - name: canaries
    mode: {mode}
    when: {{matchers: ['alertname="HighErrorRate"']}}
    target: {{kubernetes: {{}}, only: {{track: canary}}}}
    to: [previous]
"""
WEB = "kubernetes/eu/shop/deployment/web"


def rules(mode: str) -> RuleSet:
    return parse_rules(RULE.format(mode=mode), "rules.yaml")


def notified(**labels: str) -> Notification:
    fires = alert({"alertname": "HighErrorRate", "namespace": "shop", **labels})
    return parse_notification(json.dumps(body(fires)).encode())


class Server:
    """A controller with one rule in force."""

    def __init__(self, in_force: RuleSet) -> None:
        self.in_force = in_force
        self.asked = 0

    def post(self, path: str, content: object, timeout_s: float) -> dict[str, Any]:
        assert path == "explain"
        self.asked += 1
        (rule,) = self.in_force.rules
        found = {"outcome": "roll-back", "reason": "allowed", "detail": "rolls back", "instances": {WEB: "v1+abc"}}
        return {"alerts": [{"decisions": [{"rule": rule.name, "rule_digest": rule.digest, **found}]}]}


def completed(server: Server, written: RuleSet, **labels: str) -> dict[str, Any]:
    notification = notified(**labels)
    entries = explain(written, Inventory(services={}), notification.alerts)
    Live.of(cast("Api", server), written.rules).find_workloads(entries, {})
    (decision,) = entries[0]["decisions"]
    return cast("dict[str, Any]", decision)


def test_a_rule_in_force_is_decided_by_the_controller() -> None:
    """With the releases that are live."""
    server = Server(rules("act"))
    decision = completed(server, rules("act"), pod="web-abc-x")
    assert decision["instances"] == {WEB: "v1+abc"}
    assert decision["outcome"] == "roll-back"


def test_a_rule_that_is_not_in_force_says_so() -> None:
    """What it would find nobody looked for."""
    decision = completed(Server(rules("act")), rules("observe"), pod="web-abc-x")
    assert decision["detail"].endswith("the rule is not in force as it is written here")


def test_who_means_no_workload_asks_nobody() -> None:
    """An alert that no rule wants."""
    server = Server(rules("act"))
    assert completed(server, rules("act"), alertname="Other")["outcome"] == "no-match"
    assert server.asked == 0
