"""`rollbackctl doctor` asks a real cluster what we may do there, and a real Prometheus for our rules' alerts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from testbed.access import RBAC, READS
from testbed.cluster import Cluster
from testbed.installation import Installation
from testbed.kube_shop import CLUSTER, kube_installation, kube_rules
from testbed.local_shops import together
from testbed.prometheus import prometheus
from testbed.redis import Redis
from testbed.wait import until

ADD = "Add to our Role: "
WORKLOADS = '["deployments", "statefulsets", "daemonsets"]'
LACKS = {
    ("wrong", f'{{apiGroups: ["apps"], resources: {WORKLOADS}, verbs: ["get", "list", "patch"]}}'),
    ("wrong", '{apiGroups: [""], resources: ["pods"], verbs: ["get", "list", "delete"]}'),
    ("warns", '{apiGroups: ["keda.sh"], resources: ["scaledobjects"], verbs: ["list"]}'),
    ("warns", '{apiGroups: [""], resources: ["events"], verbs: ["list", "create"]}'),
}
NO_ALERT = (
    "The rule canary-errors matches by `alertname` none of the alerts that Prometheus has: ShopFails, ShopGone."
)


def findings(installed: Installation, title: str) -> list[dict[str, Any]]:
    """Run the doctor and return what it found in one section."""
    with installed.cli("doctor", "--json") as command:
        command.process.wait(timeout=90)
        said = json.loads(command.log())
    command.log_file.unlink()
    (found,) = (section["findings"] for section in said["sections"] if section["title"].startswith(title))
    return list(found)


def line(finding: dict[str, Any]) -> str:
    """Return the line of a Role that a finding says to add."""
    fix: str = finding["fix"]
    assert fix.startswith(ADD)
    return fix.removeprefix(ADD).strip("`.")


def add_to_role(cluster: Cluster, namespace: str, name: str, lines: list[str]) -> None:
    """Do as the doctor says."""
    rules = [YAML(typ="safe", pure=True).load(line) for line in lines]
    meta = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": f"{name}-more"}}
    cluster.create({**meta, "kind": "Role", "rules": rules}, namespace)
    binding = {
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": f"{name}-more"},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    cluster.create({**meta, "kind": "RoleBinding", **binding}, namespace)


def test_missing_rights_and_alerts_that_no_prometheus_has(
    tmp_path: Path, redis_server: Redis, cluster: Cluster, namespace: str
) -> None:
    """Who may only read lacks what changes things; with the very lines that are said, nothing is missing."""
    reader = cluster.user_kubeconfig("reader", namespace, READS)
    rules = together(kube_rules(), kube_rules(name="known", when={"matchers": ['alertname=~"Shop.+"']}))
    with prometheus(tmp_path / "prometheus", {}, ()) as asked:
        more = {
            "clusters": {CLUSTER: {"kubeconfig": str(reader), "namespaces": [namespace]}},
            "prometheus": {"url": f"http://127.0.0.1:{asked.port}"},
        }
        installed = kube_installation(tmp_path / "installed", redis_server.url, reader, rules=rules, more=more)
        with installed.running():
            lacking = findings(installed, "Clusters")
            assert {(one["level"], line(one)) for one in lacking} == LACKS
            assert all(one["what"].startswith(f"{CLUSTER}: we lack a right in {namespace}, ") for one in lacking)

            told = findings(installed, "Prometheus")
            assert [(one["level"], one["what"]) for one in told] == [
                ("well", "Prometheus answers, and has 2 alerting rules."),
                ("warns", NO_ALERT),
            ]

            add_to_role(cluster, namespace, "reader", [line(one) for one in lacking])

            def is_well() -> bool:
                (one,) = findings(installed, "Clusters")
                return one["level"] == "well" and namespace in one["what"]

            until(is_well, within_s=60, what="nothing is missing")
