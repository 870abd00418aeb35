"""Clusters in the settings: a name for each, one way to reach it, and every mistake told at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.settings import ClusterSettings, SettingsError, clusters_in_force, load_settings

MISTAKES = [
    (
        "clusters: {eu: {}}",
        "1:12: `clusters.eu`: needs either `kubeconfig: PATH` or `in-cluster: true`, and not both",
    ),
    (
        "clusters:\n  eu: {kubeconfig: k, in-cluster: true}",
        "2:3: `clusters.eu`: needs either `kubeconfig: PATH` or `in-cluster: true`, and not both",
    ),
    (
        "clusters:\n  prod-eu: {in-cluster: true, context: x}",
        "2:3: `clusters.prod-eu`: `context` and `insecure-skip-tls-verify` belong to a `kubeconfig`",
    ),
    (
        "clusters: {eu: {kubconfig: k}}",
        "1:17: `clusters.eu.kubconfig` is not a setting; did you mean kubeconfig?",
    ),
    (
        "clusters: {eu: {kubeconfig: k, namespaces: [shop, Shop]}}",
        (
            "1:51: `clusters.eu.namespaces.1`: 'Shop' cannot be a namespace: "
            "small letters, digits and '-', 63 at most, as in shop-eu"
        ),
    ),
    (
        "clusters: {eu: {kubeconfig: k, namespaces: shop}}",
        "1:32: `clusters.eu.namespaces`: input should be a valid tuple",
    ),
    (
        "clusters: {eu/west: {kubeconfig: k}}",
        (
            "1:12: `clusters.eu/west`: a cluster's name is letters, digits, '-', '_' and '.', "
            "63 at most, as in prod-eu"
        ),
    ),
    ("clusters: [eu]", "1:1: `clusters`: input should be a valid dictionary"),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_a_mistake_is_told_at_its_place(tmp_path: Path, text: str, problem: str) -> None:
    """As file:line:column, with what was meant when it is close."""
    path = _written(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    assert caught.value.problems == (f"{path}:{problem}",)


def test_a_name_stays_as_it_was_given(tmp_path: Path) -> None:
    """Hyphens and underscores mean the same in our keys, and not in the names that people give."""
    text = "clusters:\n  prod-eu: {in-cluster: true}\n  prod_eu: {kubeconfig: /k, context: a-b}"
    clusters = load_settings(_written(tmp_path, text)).clusters
    assert list(clusters) == ["prod-eu", "prod_eu"]
    assert clusters["prod-eu"].in_cluster
    assert clusters["prod_eu"].context == "a-b"


def test_a_kubeconfig_is_relative_to_the_file(tmp_path: Path) -> None:
    """As every path in it."""
    text = "clusters: {eu: {kubeconfig: secrets/eu, namespaces: [shop, pay-1]}}"
    eu = load_settings(_written(tmp_path, text)).clusters["eu"]
    assert eu.kubeconfig == tmp_path / "secrets/eu"
    assert eu.namespaces == ("shop", "pay-1")


def test_a_variable_can_say_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As JSON, or one value of one cluster; a mistake in it is not put down to the file."""
    path = _written(tmp_path, "clusters: {eu: {kubeconfig: k}}")
    monkeypatch.setenv("ROLLBACK_CLUSTERS__EU__CONTEXT", "admin")
    assert load_settings(path).clusters["eu"].context == "admin"
    monkeypatch.delenv("ROLLBACK_CLUSTERS__EU__CONTEXT")
    monkeypatch.setenv("ROLLBACK_CLUSTERS", '{"us-1": {"in_cluster": true}}')
    assert set(load_settings(path).clusters) == {"eu", "us-1"}
    monkeypatch.setenv("ROLLBACK_CLUSTERS", '{"us-1": {}}')
    with pytest.raises(SettingsError, match=r"^ROLLBACK_CLUSTERS: `clusters.us-1`: needs either"):
        load_settings(path)


def test_who_names_no_cluster_has_the_one_it_runs_in(tmp_path: Path) -> None:
    """As a pod does that was given a service account; anywhere else there is none, and that is fine."""
    (tmp_path / "token").write_text("t")
    pod = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    said = {"eu": ClusterSettings(kubeconfig=Path("/k"))}
    assert clusters_in_force({}, tmp_path, pod) == {"default": ClusterSettings(in_cluster=True)}
    assert clusters_in_force({}, tmp_path, {}) == {}
    assert clusters_in_force({}, tmp_path / "nothing", pod) == {}
    assert clusters_in_force(said, tmp_path, pod) == said


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rollback.yaml"
    path.write_text(text)
    return path
