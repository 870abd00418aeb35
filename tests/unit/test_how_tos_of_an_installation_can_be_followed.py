"""What the pages about securing, several clusters and upgrading give to paste is taken, and means what is said."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML
from testbed.chart_shapes import MINIMAL, of_kind, pods_of, the_one
from testbed.helm_engine import chart, check, manifests, refusal

from controller.cli.main import cli
from controller.settings import load_settings
from rules.alerts import Alert
from rules.decisions import Reason
from rules.rulefile import RuleSet, parse_rules
from rules.workloads.answers import CannotTell
from rules.workloads.claims import Claims, read_claims

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    name: (DOCS / "how-to" / f"{name}.md").read_text() for name in ("securing-it", "several-clusters", "upgrading")
}
CLUSTERS, UPGRADING = PAGES["several-clusters"], PAGES["upgrading"]


def _block(page: str, name: str) -> dict[str, Any]:
    """Return the block of YAML that begins with this file's name."""
    (text,) = re.findall(rf"```yaml\n# {re.escape(name)}\n(.*?)```", page, re.DOTALL)
    return dict(YAML(typ="safe", pure=True).load(text))


def test_every_block_of_yaml_is_looked_at_below() -> None:
    """Each names the file that it is, by which it is found."""
    named = {(name, block) for name, page in PAGES.items() for block in re.findall(r"```yaml\n(.*)\n", page)}
    assert named == {
        ("several-clusters", "# values.yaml"),
        ("several-clusters", "# rollback.yaml"),
        ("upgrading", "# values.yaml"),
        ("upgrading", "# snapshot.yaml"),
    }


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_they_name_values_that_there_are(page: str) -> None:
    """Each in backticks that begins like one of ours."""
    for said in re.findall(r"`([a-z][A-Za-z]*(?:\.[A-Za-z]+)+)(?:: [^`]+)?`", page):
        first, *rest = said.split(".")
        if first not in chart().values or said.endswith((".yaml", ".md")):
            continue
        below = chart().values[first]
        for word in rest:
            if below != {}:  # what is in it is for the settings to say
                assert word in below, said
                below = below[word]


@pytest.mark.parametrize(
    ("name", "link"),
    [(name, link) for name, page in PAGES.items() for link in re.findall(r"\]\(([^):]+)\)", page)],
)
def test_their_links_lead_somewhere(name: str, link: str) -> None:
    """To a page that is there, and to a heading of it."""
    path, _, place = link.partition("#")
    page = (DOCS / "how-to" / (path or f"{name}.md")).resolve()
    assert page.is_file()
    titles = re.findall("^#+ (.*)", page.read_text(), re.MULTILINE)
    headings = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert not place or place in headings


# -- several clusters


def _rules(text: str) -> RuleSet:
    return parse_rules(text.encode(), "canary.yaml")


def test_the_example_installs_both_clusters() -> None:
    """A Role here, a kubeconfig from the Secret there, and the settings name both."""
    values = _block(CLUSTERS, "values.yaml")
    assert refusal(values) == ""
    objects = manifests(values)
    assert [role["metadata"]["namespace"] for role in of_kind(objects, "Role")] == ["shop"]
    settings = YAML(typ="safe", pure=True).load(
        the_one(objects, "ConfigMap", "-settings")["data"]["rollback.yaml"]
    )
    said = settings["clusters"]
    assert said["eu"] == {"in-cluster": True, "namespaces": ["shop"]}
    assert said["us"]["namespaces"] == ["shop"]
    worker = pods_of(objects)["worker"]
    (mount,) = (m for m in worker["containers"][0]["volumeMounts"] if m["mountPath"].endswith("/clusters/us"))
    (volume,) = (v for v in worker["volumes"] if v["name"] == mount["name"])
    assert said["us"]["kubeconfig"] == f"{mount['mountPath']}/kubeconfig"
    assert "create secret generic us-kubeconfig --from-file=kubeconfig=us.kubeconfig" in CLUSTERS
    assert volume["secret"] == {"secretName": "us-kubeconfig", "defaultMode": 0o440}, (
        "the whole Secret: tokenFile too"
    )


def test_its_settings_are_read(tmp_path: Path) -> None:
    """By the very function that every process begins with."""
    (text,) = re.findall(r"```yaml\n(# rollback.yaml\n.*?)```", CLUSTERS, re.DOTALL)
    (tmp_path / "rollback.yaml").write_text(text)
    clusters = load_settings(tmp_path / "rollback.yaml").clusters
    assert (clusters["eu"].in_cluster, clusters["us"].kubeconfig) == (True, tmp_path / "us.kubeconfig")


def _alert(**labels: str) -> Alert:
    said = {"alertname": "HighErrorRate", "severity": "critical", "namespace": "shop", "deployment": "web-canary"}
    return Alert("1", "firing", {**said, **labels}, {}, 0)


ONE, SEVERAL = ("eu",), ("eu", "us")
MEANT: list[tuple[dict[str, str], tuple[str, ...], str | Reason]] = [
    ({}, ONE, "eu"),
    ({}, SEVERAL, Reason.INSTANCE_AMBIGUOUS),
    ({"cluster": "eu"}, ONE, "eu"),
    ({"cluster": "us"}, SEVERAL, "us"),
    ({"cluster": "ap"}, ONE, Reason.CLUSTER_UNKNOWN),
    ({"cluster": "ap"}, SEVERAL, Reason.CLUSTER_UNKNOWN),
]


def _meant(rules: RuleSet, alert: Alert, clusters: tuple[str, ...]) -> Claims | Reason:
    (rule,) = rules.rules
    try:
        return read_claims(rule, alert, clusters)
    except CannotTell as answer:
        return answer.decision.reason


@pytest.mark.parametrize(("labels", "clusters", "means"), MEANT)
def test_an_alert_says_which_cluster_it_is_about(
    labels: dict[str, str], clusters: tuple[str, ...], means: str | Reason
) -> None:
    """As the page's table has it."""
    rules = _rules(_block(CLUSTERS, "values.yaml")["rules"]["files"]["canary.yaml"])
    found = _meant(rules, _alert(**labels), clusters)
    assert (found.cluster if isinstance(found, Claims) else found) == means


FIXED = """
version: rules/v1
rules: [{name: r, when: {matchers: [severity="critical"]}, target: {kubernetes: {cluster: eu}}, to: [previous]}]
"""


@pytest.mark.parametrize(
    ("labels", "means"), [({}, "eu"), ({"cluster": "us"}, Reason.NOT_SELECTED), ({"cluster": "ap"}, "eu")]
)
def test_a_rule_may_fix_the_cluster(labels: dict[str, str], means: str | Reason) -> None:
    """One that names no cluster of ours is taken at the rule's word."""
    found = _meant(_rules(FIXED), _alert(**labels), SEVERAL)
    assert (found.cluster if isinstance(found, Claims) else found) == means


FACTS = """
version: facts/v1
now: 2026-11-21T03:10:00Z
instances:
  kubernetes/eu/shop/deployment/web-canary: &canary
    labels: {app: shop, track: canary}
    running: v1.3.0
    arrived: -20m
    releases: [v1.2.0, v1.3.0]
  kubernetes/us/shop/deployment/web-canary: *canary
  kubernetes/eu/shop/deployment/web: &stable {labels: {app: shop, track: stable}, running: v1.2.0, arrived: -9d}
  kubernetes/us/shop/deployment/web: *stable
"""


def _decided(rules: str, *alerts: Alert) -> list[tuple[str, str]]:
    """Return what the command line says of each alert, with these facts, were the rule to act."""
    Path("rules.yaml").write_text(rules.replace("- name: canary-errors", "- mode: act\n    name: canary-errors"))
    Path("facts.yaml").write_text(FACTS)
    Path("told.json").write_text(json.dumps({"version": "4", "alerts": [*map(_told, enumerate(alerts))]}))
    words = ["rules", "explain", "rules.yaml", "--facts", "facts.yaml", "--payload", "told.json", "--json"]
    answer = CliRunner().invoke(cli, words)
    assert answer.exit_code == 0, answer.output
    decisions = [decision for alert in json.loads(answer.stdout)["alerts"] for decision in alert["decisions"]]
    return [(decision["outcome"], decision["reason"]) for decision in decisions]


def _told(numbered: tuple[int, Alert]) -> dict[str, Any]:
    number, alert = numbered
    times = {"startsAt": "2026-11-21T03:05:00Z", "endsAt": "0001-01-01T00:00:00Z"}
    return {"status": "firing", "fingerprint": f"{number:016x}", "labels": {**alert.labels}, **times}


def test_a_release_that_is_bad_in_both_goes_back_in_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the share that the page sets; the default holds both, as it says."""
    monkeypatch.chdir(tmp_path)
    rules = _block(CLUSTERS, "values.yaml")["rules"]["files"]["canary.yaml"]
    both = _alert(cluster="eu"), _alert(cluster="us")
    assert _decided(rules, *both) == [("roll-back", "allowed")] * 2
    usual = rules.replace("guards: {affected: {max-share: 50%}}", "guards: {}")
    assert usual != rules
    assert _decided(usual, *both) == [("hold", "too-many-affected")] * 2


# -- securing


def test_a_tenant_may_name_anothers_namespace_unless_the_rule_matches_on_what_prometheus_sets() -> None:
    """With `honor_labels: false` what a tenant says stands under `exported_namespace`, and that goes first."""
    theirs = _alert(namespace="tenant", exported_namespace="shop", cluster="eu")
    rules = """
version: rules/v1
rules: [{name: r, when: {matchers: ['alertname="HighErrorRate"'%s]}, target: {kubernetes: {}}, to: [previous]}]
"""
    found = _meant(_rules(rules % ""), theirs, ONE)
    assert isinstance(found, Claims)
    assert found.namespace == "shop"
    (narrow,) = _rules(rules % ", 'namespace=\"shop\"'").rules
    assert not narrow.when.matches(theirs.labels)
    assert narrow.when.matches(_alert().labels)


def test_what_is_said_of_the_receiver_is_so() -> None:
    """Whatever else is installed, it sees tokens and the password of Redis, and nothing that reaches a target."""
    values = {
        **_block(CLUSTERS, "values.yaml"),
        "audit": {"existingSecret": "rollback-audit"},
        "notify": {"chat": {"existingSecret": "rollback-chat"}},
    }
    pods = pods_of(manifests(values))
    seen = {name: _secrets(pod) for name, pod in pods.items()}
    assert seen["receiver"] == {"rollback-controller"}
    assert seen["worker"] == {"rollback-controller", "us-kubeconfig", "rollback-audit", "rollback-chat"}
    assert pods["receiver"]["automountServiceAccountToken"] is False


def _secrets(pod: dict[str, Any]) -> set[str]:
    """Name the Secrets that a pod mounts."""
    sources = [
        one for volume in pod["volumes"] for one in (volume, *volume.get("projected", {}).get("sources", ()))
    ]
    named = [one["secret"] for one in sources if "secret" in one]
    return {secret.get("name") or secret["secretName"] for secret in named}


# -- upgrading


def test_workers_are_stopped_first_with_its_values() -> None:
    """Kubernetes takes no `rollingUpdate` beside `Recreate`."""
    values = {**MINIMAL, **_block(UPGRADING, "values.yaml")}
    assert refusal(values) == ""
    deployment = the_one(manifests(values), "Deployment", "-worker")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    check(deployment, "1.34")


def test_the_snapshot_is_of_the_volume_that_the_chart_makes() -> None:
    """For the release name and namespace of the pages."""
    valkey = the_one(manifests(MINIMAL), "StatefulSet", "-valkey")
    claim = f"{valkey['spec']['volumeClaimTemplates'][0]['metadata']['name']}-{valkey['metadata']['name']}-0"
    snapshot = _block(UPGRADING, "snapshot.yaml")
    assert snapshot["spec"]["source"] == {"persistentVolumeClaimName": claim}
    assert snapshot["metadata"]["namespace"] == "rollback"


def test_a_value_that_is_gone_is_refused_by_its_name() -> None:
    """By the schema, before anything is changed."""
    assert "'replica'" in refusal({**MINIMAL, "worker": {"replica": 3}})


def test_the_page_names_the_units_that_there_are() -> None:
    """Stopped and started by name."""
    there = {path.name for path in (DOCS.parent / "systemd").glob("*.service")}
    assert set(re.findall(r"rollback-controller-[a-z]+\.service", UPGRADING)) == there
