"""`rules explain --alertmanager`: what fires in a real Alertmanager, as the notification that it would send."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner
from testbed import alertmanager as am
from testbed.wait import until

from controller.cli.main import cli

RULES = """
version: rules/v1
rules:
  - name: errors
    mode: act
    when: {matchers: ['alertname="HighErrorRate"']}
    target: {hosts: {instance: "{{ $labels.instance }}"}}
"""
INVENTORY = """
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts: [{name: web1, address: 10.0.0.1}, {name: web2, address: 10.0.0.2}]
"""
FACTS = """
version: facts/v1
services: {shop: {known-good: [v1]}}
instances: {web2: {running: v2, arrived: -30m, releases: [v1, v2]}, web1: {running: v1, arrived: -9d}}
"""


@pytest.fixture
def fires(tmp_path, monkeypatch):
    """Start an Alertmanager in which two alerts fire, one of them silenced, beside the files that are read."""
    for name, text in (("rules.yaml", RULES), ("inventory.yaml", INVENTORY), ("facts.yaml", FACTS)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    config = am.receiver_config("http://127.0.0.1:9/", tmp_path / "token")
    with am.alertmanager(tmp_path / "am", config) as server:
        silence(server.port, "web1")
        for instance in ("web1", "web2"):
            server.post({"alertname": "HighErrorRate", "instance": instance}, since_s=120)
        until(lambda: len(server.alerts()) == 2, within_s=20, what="both alerts are there")
        yield f"http://127.0.0.1:{server.port}"


def silence(port, instance):
    now = datetime.now(UTC)
    wanted = {
        "matchers": [{"name": "instance", "value": instance, "isRegex": False, "isEqual": True}],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "ana",
        "comment": "works",
    }
    headers = {"Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}/api/v2/silences"
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(wanted).encode(), headers), timeout=5):
        pass


def explained(*words):
    return CliRunner().invoke(
        cli, ["rules", "explain", "rules.yaml", "--inventory", "inventory.yaml", "--facts", "facts.yaml", *words]
    )


def test_what_fires_is_explained_and_what_is_silenced_is_not(fires):
    """Nothing else is needed: no server, no payload. Another receiver is told nothing."""
    done = explained("--alertmanager", fires, "--receiver", "rollback.controller", "--json")
    (entry,) = json.loads(done.output)["alerts"]
    assert entry["labels"]["instance"] == "web2"
    assert explained("--alertmanager", fires, "--receiver", "other").output == "There is no alert.\n"


def test_what_is_silenced_fires_all_the_same(fires, tmp_path):
    """The same trouble with the old release: nobody is told of it, and the new release is not the cause."""
    done = explained("--alertmanager", fires, "--json")
    (decision,) = json.loads(done.output)["alerts"][0]["decisions"]
    assert (decision["outcome"], decision["reason"]) == ("refuse", "also-on-other-releases")
    (tmp_path / "facts.yaml").write_text(FACTS.replace("running: v1, arrived: -9d", "running: v2, arrived: -29m"))
    (decision,) = json.loads(explained("--alertmanager", fires, "--json").output)["alerts"][0]["decisions"]
    assert (decision["outcome"], decision["instances"]) == ("hold", {"hosts/default/shop/web2": None})


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("http://127.0.0.1:9", 3, "does not answer"),
        ("ftp://somewhere", 2, "is no address of an Alertmanager"),
    ],
)
def test_who_does_not_answer_is_named(tmp_path, monkeypatch, url, code, said):
    """With what to check."""
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    monkeypatch.chdir(tmp_path)
    words = ["rules", "explain", "rules.yaml", "--inventory", "inventory.yaml", "--alertmanager", url]
    done = CliRunner().invoke(cli, words)
    assert (done.exit_code, said in done.output) == (code, True), done.output
