"""What the how-to gives to paste fits the chart: values are taken, the Secret has the keys, names exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from testbed.chart_files import CHART
from testbed.chart_shapes import HOME, MINIMAL, of_kind, pods_of, the_one
from testbed.helm_engine import chart, manifests, refusal

from rules.rulefile import parse_rules

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "how-to" / "install-with-helm.md").read_text()
README = (CHART / "README.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def _values(beginning: str) -> dict[str, Any]:
    (block,) = (block for block in BLOCKS if block.startswith(beginning))
    return dict(YAML(typ="safe", pure=True).load(block))


def test_its_values_install_what_it_says() -> None:
    """And the rule in them is one."""
    values = _values("# values.yaml")
    assert refusal(values) == ""
    assert parse_rules(values["rules"]["files"]["canary.yaml"].encode(), "canary.yaml").rules
    roles = of_kind(manifests(values), "Role")
    assert [role["metadata"]["namespace"] for role in roles] == values["targets"]["namespaces"]


@pytest.mark.parametrize("beginning", ["prometheus:", "targets: {clusterName"])
def test_its_other_values_are_taken_as_well(beginning: str) -> None:
    assert refusal({**MINIMAL, **_values(beginning)}) == ""


@pytest.mark.parametrize("page", [PAGE, README], ids=["how-to", "README"])
def test_the_secret_has_every_key_that_pods_ask_for(page: str) -> None:
    """As the command makes it."""
    command = (
        page.partition("create secret generic rollback-controller")[2].partition("\n\n")[0].partition("$ helm")[0]
    )
    made = set(re.findall(r"--from-literal=([a-z-]+)=", command))
    asked = {
        item["key"]
        for pod in pods_of(manifests(MINIMAL)).values()
        for volume in pod["volumes"]
        for source in [volume, *volume.get("projected", {}).get("sources", [])]
        for item in source.get("secret", {}).get("items", [])
    }
    assert made == asked


def test_its_names_are_those_that_the_chart_makes() -> None:
    """For the release name of the page."""
    objects = manifests(MINIMAL)
    for kind, name in re.findall(r"(deploy|svc)/(rb-[a-z-]+)", PAGE):
        assert the_one(objects, {"deploy": "Deployment", "svc": "Service"}[kind], name)
    assert "http://rb-rollback-controller.rollback.svc:8095/api/v1/alertmanager" in PAGE
    valkey = the_one(objects, "StatefulSet", "-valkey")
    claim = f"{valkey['spec']['volumeClaimTemplates'][0]['metadata']['name']}-{valkey['metadata']['name']}-0"
    assert f"delete pvc {claim}" in PAGE
    for path in ("ssh/id_ed25519", "known-hosts/known_hosts"):
        assert f"{HOME}/{path}" in PAGE


def test_it_names_values_that_there_are() -> None:
    """Each in backticks with a dot in it that begins like one of ours."""
    for said in re.findall(r"`([a-z][A-Za-z]*(?:\.[A-Za-z]+)+)(?:: [a-z]+)?`", PAGE):
        first, *rest = said.split(".")
        if first not in chart().values:
            continue
        below = chart().values[first]
        for word in rest:
            assert word in below, said
            below = below[word]
