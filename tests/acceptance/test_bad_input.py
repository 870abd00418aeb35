"""Whatever is sent, the answer says what is wrong, the good part proceeds, and nothing is half done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from testbed import shop
from testbed.alertmanager import alert, body
from testbed.hosts import Hosts
from testbed.installation import Installation
from testbed.local_shops import LocalShop, local_inventory, rules
from testbed.redis import Redis
from testbed.wait import until


def test_what_can_never_succeed_is_400_and_names_the_field(local: Installation) -> None:
    """A sender that repeats it will hear the same again; 4xx makes Alertmanager drop it."""
    with local.serving():
        for sent, field in (
            (b"not json", "body"),
            (b"[]", "body"),
            (body(alert({"a": "b"}), version="3"), "version"),
            ({"version": "4"}, "alerts"),
            ({"version": "4", "alerts": "many"}, "alerts"),
        ):
            answer = local.notify(sent)
            assert (answer.status, answer.json["field"]) == (400, field), answer.text


def test_wrong_credentials_are_401_and_nothing_is_parsed(local: Installation, canary: LocalShop) -> None:
    """Not even a body that would be refused is looked at; a token without the role is refused as well."""
    with local.serving():
        path = "/api/v1/alertmanager"
        assert local.ask(path, token=None, body=b"not json").status == 401
        assert local.ask(path, token=None, body=body(alert(canary.labels()))).status == 401
        assert local.ask(path, token="reader", body=body(alert(canary.labels()))).status in {401, 403}
        assert local.ask("/api/v1/rollbacks", token="alertmanager").status in {401, 403}
        assert local.rollbacks() == []


def test_a_body_that_is_too_large_is_413(tmp_path: Path, local: Installation) -> None:
    """The limit is the settings'; the answer says what to do."""
    small = Installation(
        tmp_path / "small", local.redis_url, local.rules, local.inventory, more={"body_max": 10_000}
    )
    with small.serving():
        answer = small.notify(body(*(alert({"n": str(number)}) for number in range(200))))
        assert answer.status == 413
        assert "body_max" in answer.text


def test_one_malformed_alert_among_good_ones_is_listed_and_the_good_ones_proceed(
    local: Installation, canary: LocalShop
) -> None:
    """One bad alert never drops its neighbours."""
    spoilt: list[Any] = [
        {**alert({"a": "1"}), "labels": ["not", "a", "mapping"]},
        {**alert({"a": "2"}), "startsAt": "yesterday"},
        {**alert({"a": "3"}), "fingerprint": "../../etc/passwd"},
        "not an alert",
    ]
    with local.running():
        answer = local.notify(body(*spoilt[:2], alert(canary.labels()), *spoilt[2:]))
        assert (answer.status, answer.json["accepted"]) == (202, 1)
        assert [entry["index"] for entry in answer.json["bad"]] == [0, 1, 3, 4]
        until(lambda: canary.running() == "v1.2.0", within_s=20, what="the canary goes back")


def test_an_alert_that_no_rule_wants_is_200_and_ignored(local: Installation) -> None:
    """Nothing to do is not an error."""
    with local.serving():
        answer = local.notify(body(alert({"alertname": "Other"})))
        assert (answer.status, answer.json["ignored"], answer.json["accepted"]) == (200, 1, 0)


def test_a_rule_file_that_became_wrong_takes_no_rules_away(local: Installation, canary: LocalShop) -> None:
    """A running process keeps the rules it had, and names every error at its place."""
    with local.running() as (server, _):
        (local.folder / "rules.yaml").write_text("version: rules/v1\nrules:\n  - nam: typo\n")
        until(lambda: "rules.yaml:3:" in server.log(), within_s=20, what="the error is logged at its place")
        local.notify(body(alert(canary.labels())))
        until(lambda: canary.running() == "v1.2.0", within_s=20, what="the canary goes back all the same")


def test_a_release_that_is_not_there_is_waited_for_and_nothing_changes(
    tmp_path: Path, redis_server: Redis, canary: LocalShop
) -> None:
    """The reason says which release is missing; the link is as it was."""
    installed = Installation(
        tmp_path / "installed",
        redis_server.url,
        rules(to=[{"version": "v9.9.9"}]),
        local_inventory(canary=canary.entry("canary")),
    )
    with installed.running():
        entry = alert(canary.labels())
        installed.notify(body(entry))
        told = until(lambda: told_about(installed, entry), within_s=20, what="the refusal is told")
    assert "v9.9.9" in told
    assert (canary.running(), canary.restarts()) == ("v1.3.0", 0)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [("wrong-key", "host-key-mismatch"), ("unknown-key", "host-key-unknown"), ("login", "login-refused")],
)
def test_a_host_that_cannot_be_trusted_or_entered_is_not_touched(
    tmp_path: Path, redis_server: Redis, hosts: Hosts, spoil: str, reason: str
) -> None:
    """Host keys are always checked; the refusal says which host and why, and the release stays."""
    canary = hosts["web2"]
    canary.deploy("v1.3.0", shop.STAYS_SICK)
    known = tmp_path / "known_hosts"
    lines = hosts.known_hosts.read_text().splitlines()
    keys = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    other = {
        "wrong-key": f"{canary.address} {keys[hosts['web1'].address]}\n",
        "unknown-key": f"10.90.255.1 {keys[canary.address]}\n",
        "login": f"{canary.address} {keys[canary.address]}\n",
    }
    known.write_text(other[spoil])
    user = "nobody" if spoil == "login" else hosts.user
    service = {
        "releases": "/opt/shop/releases",
        "current": "/opt/shop/current",
        "restart": {"systemd": "shop.service"},
        "hosts": [{"name": "web2", "address": canary.address, "labels": {}}],
    }
    ssh = {"user": user, "key-file": str(hosts.key_file), "known-hosts": str(known)}
    inventory = {"version": "inventory/v1", "ssh": ssh, "services": {"shop": service}}
    installed = Installation(tmp_path / "installed", redis_server.url, rules(), json.dumps(inventory))
    entry = alert({"alertname": "ShopFails", "service": "shop", "instance": f"{canary.address}:8080"})
    before = canary.process()
    with installed.running():
        installed.notify(body(entry))
        until(lambda: reason in told_about(installed, entry), within_s=30, what=f"the reason {reason} is told")
    assert (canary.running(), canary.process()) == ("v1.3.0", before)


def told_about(installed: Installation, entry: dict[str, Any]) -> str:
    """Return all that a person can find out about an alert: its decisions, and rollbacks that stopped or wait."""
    over = [found for found in installed.rollbacks() if found["state"] in {"ended", "held", "waiting"}]
    shown = [installed.rollback(found["id"]) for found in over]
    return json.dumps([installed.decisions(entry["fingerprint"]), shown]) if shown else ""
