"""The chart renders, by Helm's own engine, to objects that old and new Kubernetes take, whatever its shape."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import helm_python
import jsonschema
import promql_parser
import pytest
from testbed.chart_files import CHART, documented, written
from testbed.helm_engine import Manifest, chart, check, manifests, read_values, render

SHAPES = sorted(CHART.glob("ci/*-values.yaml"))
EVERYTHING = {  # what no shape of ci/ asks for
    "nameOverride": "rb",
    "commonAnnotations": {"example.com/owner": "platform"},
    "receiver": {
        "service": {"type": "NodePort", "nodePort": 30095, "ipFamilyPolicy": "PreferDualStack"},
        "listenAddress": "[::]",
        "serviceAccount": {"create": False, "name": "ours"},
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "extraEnv": [{"name": "A", "value": "b"}],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "extraContainers": [{"name": "beside", "image": "example.com/beside:1"}],
        "extraInitContainers": [{"name": "before", "image": "example.com/before:1"}],
        "extraPodSpec": {"dnsConfig": {"searches": ["example.com"]}, "schedulerName": "mine"},
    },
    "valkey": {"enabled": True, "persistence": {"existingClaim": "mine"}, "podAnnotations": {"a": "b"}},
    "extraObjects": ["apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-more'}\n"],
}
NOT_KUBERNETES_OWN = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "ScaledObject", "HTTPRoute"}
ABOVE = {"global", "enabled"}  # what a chart above this one says
VERSIONS = ("1.25", "1.31", "1.37")
REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"


def values_of(shape: Path) -> dict[str, Any]:
    return read_values(shape)


def everything() -> dict[str, Any]:
    return {**values_of(CHART / "ci" / "minimal-values.yaml"), **EVERYTHING}


@pytest.fixture(
    scope="module", params=[*SHAPES, None], ids=lambda p: p.name.split("-values")[0] if p else "everything"
)
def values(request: pytest.FixtureRequest) -> dict[str, Any]:
    return everything() if request.param is None else values_of(request.param)


def _called(objects: list[Manifest]) -> list[str]:
    return [f"{o['kind']} {o['metadata'].get('namespace', '-')}/{o['metadata']['name']}" for o in objects]


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(values: dict[str, Any], version: str) -> None:
    """By the schemas of that version, which know every field; the oldest that somebody wrote down is 1.25."""
    for one in manifests(values, kubernetes=f"v{version}.0"):
        if one["kind"] not in NOT_KUBERNETES_OWN:
            check(one, version)


def test_no_object_is_there_twice_and_each_says_whose_it_is(values: dict[str, Any]) -> None:
    """A release that is taken away leaves nothing that could not be told from others'."""
    objects = manifests(values)
    named = _called([o for o in objects if "app.kubernetes.io/name" in o["metadata"].get("labels", {})])
    assert len(set(_called(objects))) == len(objects)
    assert len(named) == len(objects) - len(values.get("extraObjects", []))
    for one in objects:
        assert len(one["metadata"]["name"]) <= 120


def test_helm_itself_has_nothing_to_say(values: dict[str, Any]) -> None:
    """`helm lint --strict`, also for the oldest version."""
    for version in ("v1.20.0", "v1.37.0"):
        report = helm_python.lint(CHART, values, strict=True, kube_version=version)
        assert not report["errors"]
        assert {message["error"] for message in report["messages"]} <= {"icon is recommended"}


@pytest.mark.parametrize(
    ("kubernetes", "pdb", "hpa"),
    [
        ("v1.20.2", "policy/v1beta1", "autoscaling/v2beta2"),
        ("v1.21.0", "policy/v1", "autoscaling/v2beta2"),
        ("v1.22.9-eks-1", "policy/v1", "autoscaling/v2beta2"),
        ("v1.23.0", "policy/v1", "autoscaling/v2"),
        ("v1.37.1+k3s1", "policy/v1", "autoscaling/v2"),
    ],
)
def test_the_version_of_each_api_follows_the_cluster(kubernetes: str, pdb: str, hpa: str) -> None:
    """From 1.20 on; what was taken out of later ones is not asked of them."""
    shape = values_of(CHART / "ci" / "several-clusters-values.yaml")
    found = {one["kind"]: one["apiVersion"] for one in manifests(shape, kubernetes=kubernetes)}
    assert (found["PodDisruptionBudget"], found["HorizontalPodAutoscaler"]) == (pdb, hpa)


def test_a_cluster_that_is_too_old_is_refused_by_the_chart() -> None:
    """`kubeVersion` is the oldest that the tests install into."""
    assert chart().metadata["kubeVersion"] == ">=1.20.0-0"


def test_names_stay_within_what_kubernetes_takes() -> None:
    """The longest release name that Helm takes still leaves room for what is added."""
    shape = values_of(CHART / "ci" / "hosts-only-values.yaml")
    for one in manifests(shape, name="r" * 53, namespace="n" * 63):
        assert len(one["metadata"]["name"]) <= 63


def test_what_is_written_from_elsewhere_is_current() -> None:
    """From the drivers' table, from values.yaml and from the settings' models: `make chart` writes them."""
    for path, text in written().items():
        assert path.read_text() == text, f"{path.name} is out of date: run `make chart`"


def _leaves(values: Any, path: str = "") -> list[str]:
    if not isinstance(values, dict) or not values:
        return [path]
    return [leaf for name, below in values.items() for leaf in _leaves(below, f"{path}.{name}".lstrip("."))]


def test_every_value_is_documented_once() -> None:
    """A comment above a key documents it and all below it."""
    said = [value.path for value in documented((CHART / "values.yaml").read_text())]
    assert len(said) == len(set(said))
    for leaf in _leaves(chart().values):
        above = [leaf, *(leaf.rsplit(".", n)[0] for n in range(1, leaf.count(".") + 1))]
        assert sum(path in said for path in above) == 1, leaf


def _open_objects(schema: dict[str, Any], where: str = "values") -> list[str]:
    """Name the objects that take keys which nobody foresaw, and have properties of their own."""
    found = [where] if "properties" in schema and schema.get("additionalProperties", True) is not False else []
    for name, below in schema.get("properties", {}).items():
        found += _open_objects(below, f"{where}.{name}")
    return found


def test_the_schema_is_strict_and_complete() -> None:
    """It knows exactly the keys of values.yaml, and takes no others."""
    schema = chart().schema
    assert schema is not None
    jsonschema.Draft7Validator.check_schema(schema)
    assert _open_objects(schema) == []

    def same(known: dict[str, Any], values: Any, where: str) -> None:
        if "properties" not in known or not values:
            return
        assert set(known["properties"]) - (ABOVE - set(values)) == set(values), where
        for name, below in values.items():
            same(known["properties"][name], below, f"{where}.{name}")

    same(schema, chart().values, "values")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"image": {"tga": "v1"}}, "at '/image': additional properties 'tga' not allowed"),
        ({"valkey": {"replicas": "1"}}, "at '/valkey/replicas': got string, want integer"),
        ({"credentials": {"password": "hunter2"}}, "additional properties 'password' not allowed"),
        ({"targets": {"namespaces": ["Shop"]}}, "at '/targets/namespaces/0'"),
        ({"notify": {"oncall": {"urls": "slack://…"}}}, "at '/notify/oncall'"),
        ({"numbers": {"step-deadline": 9}}, "additional properties 'step-deadline' not allowed"),
        ({"policy": {"mode": "ackt"}}, "at '/policy/mode': value must be one of 'observe', 'ask', 'act'"),
        ({"policy": {"limits": {"per-week": 9}}}, "at '/policy/limits': additional properties 'per-week' not"),
        ({"policy": {"storm": {"within": "5 min"}}}, "at '/policy/storm/within': '5 min' does not match pattern"),
        ({"policy": {"freeze": {"nights": {"then": "hold"}}}}, "missing property 'timezone'"),
        ({"rules": {"files": {"rules.yml": "…"}}}, "'rules.yml' does not match pattern"),
        ({"receiver": {"pdb": {"maxUnavailable": "many"}}}, "at '/receiver/pdb/maxUnavailable'"),
    ],
)
def test_the_schema_says_where_a_value_is_wrong(said: dict[str, Any], sentence: str) -> None:
    """Before anything is rendered."""
    with pytest.raises(helm_python.HelmValuesError) as refused:
        chart().validate_schema({**values_of(CHART / "ci" / "minimal-values.yaml"), **said})
    assert sentence in str(refused.value)


def _metrics() -> set[str]:
    lines = (REFERENCE / "metrics.md").read_text().splitlines()
    return {name for line in lines for name in re.findall(r"^\| `(rollback_controller_[a-z_]+)` \|", line)}


def _selected(expression: str) -> set[str]:
    """Return the metrics that an expression reads; an error where it is none."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name)
        for name in ("expr", "lhs", "rhs", "vs", "vector_selector"):
            below = getattr(node, name, None)
            if isinstance(below, promql_parser.Expr):
                walk(below)
        for below in getattr(node, "args", None) or ():
            walk(below)

    walk(promql_parser.parse(expression))
    return found


def _of_kind(kind: str, **values: Any) -> Manifest:
    shape = {**values_of(CHART / "ci" / "minimal-values.yaml"), **values}
    (found,) = (one for one in manifests(shape) if one["kind"] == kind)
    return found


def test_alerts_about_ourselves_read_metrics_that_there_are() -> None:
    """Each is valid PromQL about this installation alone, and each one worth an alert has one."""
    rule = _of_kind("PrometheusRule", metrics={"prometheusRule": {"enabled": True}})
    (group,) = rule["spec"]["groups"]
    read: set[str] = set()
    for alert in group["rules"]:
        metrics = _selected(alert["expr"])
        assert metrics <= _metrics(), alert["alert"]
        assert 'namespace="rollback"' in alert["expr"]
        assert alert["annotations"]["description"].endswith((".", "wait.", "it."))
        read |= metrics
    worth = (REFERENCE / "metrics.md").read_text().partition("## Worth an alert")[2]
    assert set(re.findall(r"rollback_controller_[a-z_]+", worth)) <= read


def test_alerts_can_be_left_out_labelled_and_added() -> None:
    said = {
        "enabled": True,
        "disabled": ["RollbackControllerHeld"],
        "alertLabels": {"severity": "page", "team": "a"},
    }
    said["additionalRules"] = [{"record": "x", "expr": "1"}]
    rules = _of_kind("PrometheusRule", metrics={"prometheusRule": said})["spec"]["groups"][0]["rules"]
    assert "RollbackControllerHeld" not in [rule.get("alert") for rule in rules]
    assert rules[0]["labels"] == {"severity": "page", "namespace": "rollback", "team": "a"}
    assert rules[-1] == {"record": "x", "expr": "1"}


def test_the_dashboard_reads_metrics_that_there_are() -> None:
    dashboard = json.loads((CHART / "files" / "dashboard.json").read_text())
    known = _metrics() | {f"{name}_bucket" for name in _metrics()}
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            assert _selected(target["expr"].replace("$namespace", "rollback")) <= known, panel["title"]


def test_the_notes_name_what_to_do_next(values: dict[str, Any]) -> None:
    """A Secret with each key, `helm test`, and the address for Alertmanager."""
    notes = render(values)["NOTES.txt"]
    assert "helm test rb -n rollback\n" in notes
    assert "/api/v1/alertmanager" in notes
    assert "--from-literal=alertmanager=" in notes
    assert ("--from-literal=redis-password=" in notes) == bool(values.get("valkey", {}).get("enabled"))
