"""What the storm brake counts, before anybody looked: services by the inventory, else by what labels say."""

from __future__ import annotations

import pytest

from rules.alerts import Alert
from rules.rulefile import parse_rules
from rules.services import Host, Inventory, Restart, RestartKind, Service
from rules.storms import service_words

RULES = """
version: rules/v1
rules:
  - {name: hosts, when: {matchers: ['a="b"']}, target: {hosts: {instance: "{{ $labels.instance }}"}}}
  - {name: cluster, when: {matchers: ['a="b"']}, target: {kubernetes: {}}}
  - {name: told, when: {matchers: ['a="b"']}, target: {kubernetes: {}, service: "{{ $labels.team }}"}}
"""
SHOP, BLOG = (
    Service(
        name, f"/opt/{name}/releases", f"/opt/{name}/current", Restart(RestartKind.SYSTEMD), (Host(host, host),)
    )
    for name, host in (("shop", "web1"), ("blog", "web2"))
)
INVENTORY = Inventory({"shop": SHOP, "blog": BLOG})


@pytest.mark.parametrize(
    ("rule", "labels", "word"),
    [
        ("hosts", {"instance": "web1:9100"}, "shop"),
        ("hosts", {"instance": "web2:9100"}, "blog"),
        ("hosts", {"instance": "web1:9100", "job": "node"}, "shop"),
        ("hosts", {"instance": "nobody:9100", "job": "node"}, "node"),
        ("cluster", {"app": "shop", "job": "kube-state-metrics"}, "shop"),
        ("cluster", {"namespace": "a", "deployment": "web", "job": "kube-state-metrics"}, "a/web"),
        ("cluster", {"namespace": "a", "workload": "web", "service": "exporter"}, "a/web"),
        ("cluster", {"service": "shop", "job": "web"}, "shop"),
        ("cluster", {"job": "web"}, "web"),
        ("cluster", {"alertname": "Errors"}, "alert Errors"),
        ("told", {"team": "pay", "app": "shop"}, "pay"),
        ("told", {"app": "shop"}, "shop"),
    ],
)
def test_an_alert_counts_for_its_service(rule: str, labels: dict[str, str], word: str) -> None:
    one = next(found for found in parse_rules(RULES, "rules.yaml").rules if found.name == rule)
    assert service_words(one, Alert("f", "firing", labels, {}, 0), INVENTORY) == {word}
