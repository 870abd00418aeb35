"""What the chart writes is what the product reads: settings, rules, and every file at its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from testbed.chart_shapes import HOME, MINIMAL, SHAPES, of_kind, pods_of, the_one
from testbed.helm_engine import Manifest, manifests

from controller.cli.doctor_files import look_at_settings
from controller.settings import Settings, load_settings
from controller.settings.house import House
from rules.findings import Level
from rules.rulefile import parse_rules


def _settings(objects: list[Manifest], folder: Path) -> Settings:
    """Load the settings as a pod would, with its folder in place of the pod's."""
    text = the_one(objects, "ConfigMap", "-settings")["data"]["rollback.yaml"]
    (folder / "rollback.yaml").write_text(text.replace(HOME, str(folder)))
    return load_settings(folder / "rollback.yaml")


def _files(pod: dict[str, Any], objects: list[Manifest]) -> Iterator[str]:
    """Name the files that a pod's first container sees; those of a whole Secret of somebody's by their folder."""
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    for volume in pod["volumes"]:
        at = mounts[volume["name"]]
        sources = volume.get("projected", {}).get("sources", [volume])
        for source in sources:
            items = source.get("secret", {}).get("items", [])
            yield from (f"{at}/{item['path']}" for item in items)
            if "secret" in source and not items:
                yield at
            if "configMap" in source:
                ours = [
                    o
                    for o in of_kind(objects, "ConfigMap")
                    if o["metadata"]["name"] == source["configMap"]["name"]
                ]
                yield from (f"{at}/{name}" for one in ours for name in one["data"])


def test_the_settings_are_loaded_by_the_product(objects: list[Manifest], tmp_path: Path) -> None:
    """By the very function that every process begins with."""
    settings = _settings(objects, tmp_path)
    assert settings.bind == ("0.0.0.0", 8095)
    assert settings.worker_bind == ("0.0.0.0", 8096)
    assert settings.auth.enabled
    assert settings.redis.said


def test_what_each_shape_means_to_the_product(tmp_path: Path) -> None:
    """Each value arrives as what it says."""
    loaded = {}
    for name, values in SHAPES.items():
        (tmp_path / name).mkdir()
        loaded[name] = _settings(manifests(values), tmp_path / name)
    at = {name: tmp_path / name / "secrets" for name in SHAPES}
    minimal, ha, hosts = loaded["minimal"], loaded["ha"], loaded["hosts-only"]
    assert minimal.redis.url == "redis://rb-rollback-controller-valkey:6379/0"
    assert minimal.redis.password_file == at["minimal"] / "redis" / "password"
    assert {token.name: sorted(token.roles) for token in minimal.auth.tokens} == {
        "alertmanager": ["alerts"],
        "operator": ["approve", "operate"],
    }
    assert (minimal.clusters["default"].in_cluster, minimal.clusters["default"].namespaces) == (True, ("shop",))
    assert ha.redis.sentinel_addresses[0] == ("sentinel-0.redis", 26379)
    assert (ha.redis.master, ha.redis.wait_for_replicas, ha.redis.username) == ("ledger", 1, "rollback")
    assert ha.redis.sentinel_password_file == at["ha"] / "redis" / "sentinel-password"
    assert ha.clusters["eu"].namespaces == ()
    assert (ha.numbers.step_deadline_s, ha.numbers.sighting_kept_s) == (120, 34_560_000)
    assert set(ha.policy.windows) == {"week-end", "close-of-trading"}
    assert ha.prometheus is not None
    assert ha.prometheus.token_file == at["ha"] / "prometheus" / "token"
    assert ha.alertmanager is not None
    assert (ha.alertmanager.username, ha.alertmanager.receiver) == ("us", "rollback-controller")
    assert sorted(ha.notify["chat"].kinds) == ["ended", "started"]
    assert ha.notify["oncall"].default
    assert ha.audit.key_file == at["ha"] / "audit" / "key"
    assert [(login.name, login.username) for login in ha.auth.basic] == [("old-sender", "sender")]
    assert hosts.clusters == {}
    several = loaded["several-clusters"].clusters
    assert set(several) == {"eu", "us-1", "AP_2.test"}
    assert several["AP_2.test"].kubeconfig == tmp_path / "several-clusters" / "clusters" / "AP_2.test" / "config"
    assert several["us-1"].namespaces == ("shop",)
    tls = loaded["external-redis-tls"].redis
    assert tls.url.startswith("rediss://redis.example:6380/0?ssl_ca_certs=")
    assert "&ssl_certfile=" in tls.url
    assert "&ssl_keyfile=" in tls.url


def test_rules_and_inventory_are_read_as_they_were_given(tmp_path: Path) -> None:
    """A rule about hosts, with a template of its own in it, comes through Helm's templates unharmed."""
    objects = manifests(SHAPES["hosts-only"])
    settings = _settings(objects, tmp_path)
    for name in ("rules", "inventory"):
        (tmp_path / name).mkdir()
        for file, text in the_one(objects, "ConfigMap", f"-{name}")["data"].items():
            (tmp_path / name / file).write_text(text)
    house = House.load(settings)
    assert [rule.name for rule in house.rules.rules] == ["canary-errors"]
    assert "{{ $labels.instance }}" in the_one(objects, "ConfigMap", "-rules")["data"]["canary.yaml"]
    assert {host.name for host in house.inventory.services["shop"].hosts} == {"web1", "web2"}
    for values in SHAPES.values():
        for text in values["rules"].get("files", {}).values():
            assert parse_rules(text.encode(), "canary.yaml").rules


def _named(value: Any) -> Iterator[PurePosixPath]:
    """Every path that the settings name."""
    if isinstance(value, dict):
        for below in value.values():
            yield from _named(below)
    elif isinstance(value, list | tuple):
        for below in value:
            yield from _named(below)
    elif isinstance(value, Path):
        yield PurePosixPath(value)


def test_every_file_that_the_settings_name_is_where_it_is_needed(objects: list[Manifest], tmp_path: Path) -> None:
    """Tokens at the server, what leads further at the workers, and the password of Redis at both."""
    settings = _settings(objects, tmp_path).model_dump()
    pods = pods_of(objects)
    serving = {*_named([settings["auth"], settings["redis"]])}
    working = {
        *_named(
            [settings[name] for name in ("redis", "clusters", "prometheus", "alertmanager", "notify", "audit")]
        )
    }
    for role, needed in (("receiver", serving), ("worker", working), ("test", serving)):
        there = {file.replace(HOME, str(tmp_path)) for file in _files(pods[role], objects)}
        assert not [path for path in needed if not {str(path), str(path.parent)} & there], role
    secret = {file for file in _files(pods["receiver"], objects) if "/secrets/" in file}
    assert {PurePosixPath(file).parts[4] for file in secret} <= {"tokens", "logins", "redis"}
    for file in _files(pods["worker"], objects):
        assert "/secrets/tokens/" not in file
        assert "/secrets/logins/" not in file


def test_a_sealing_key_is_the_workers_alone_and_the_doctor_knows(tmp_path: Path) -> None:
    """The server reads the same settings and has no such file; in the test pod that is nothing wrong."""
    objects = manifests(MINIMAL | {"audit": {"existingSecret": "rollback-audit"}})
    pods, settings = pods_of(objects), _settings(objects, tmp_path)
    has_it = {
        role
        for role in ("receiver", "worker", "test")
        if f"{HOME}/secrets/audit/key" in _files(pods[role], objects)
    }
    assert has_it == {"worker"}
    assert settings.audit.key_file == tmp_path / "secrets/audit/key"
    _, section = look_at_settings(tmp_path / "rollback.yaml")
    assert not [finding for finding in section.findings if finding.level is Level.WRONG]


def test_the_ssh_key_and_known_hosts_are_where_the_inventory_says() -> None:
    """At the workers, and nowhere else."""
    objects = manifests(SHAPES["hosts-only"])
    needed = {f"{HOME}/ssh/id_ed25519", f"{HOME}/known-hosts/known_hosts"}
    assert needed <= {*_files(pods_of(objects)["worker"], objects)}
    assert not needed & {*_files(pods_of(objects)["receiver"], objects)}
    text = the_one(objects, "ConfigMap", "-inventory")["data"]["inventory.yaml"]
    assert all(path in text for path in needed)


def test_the_built_in_valkey_keeps_what_it_is_given() -> None:
    """On a claim, with the password from the Secret, by the product's own command."""
    objects = manifests(SHAPES["hosts-only"])
    valkey = the_one(objects, "StatefulSet", "-valkey")
    (container,) = valkey["spec"]["template"]["spec"]["containers"]
    assert container["args"] == [
        "valkey",
        "--data-dir=/data",
        "--password-file=/etc/rollback-controller/valkey/password",
        "--appendfsync=always",
        "--maxmemory=256mb",
    ]
    (claim,) = valkey["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert valkey["spec"]["replicas"] == 1


IMAGES = [
    ({}, "rollback-controller:0.1.0"),
    ({"repository": "registry.example.com/x/rollback", "tag": "v2"}, "registry.example.com/x/rollback:v2"),
    ({"repository": "r.example/x", "tag": "v2", "digest": f"sha256:{'0' * 64}"}, f"r.example/x@sha256:{'0' * 64}"),
]


@pytest.mark.parametrize(("image", "reference"), IMAGES)
def test_one_image_runs_everything(image: dict[str, str], reference: str) -> None:
    """The tag is the chart's appVersion unless another is said; a digest says it exactly."""
    for pod in pods_of(manifests({**MINIMAL, "image": image})).values():
        assert [container["image"] for container in pod["containers"]] == [reference]


def test_helm_test_looks_the_whole_installation_over(objects: list[Manifest]) -> None:
    """`rollbackctl doctor`, with the server's tokens, through the Service."""
    (pod,) = of_kind(objects, "Pod")
    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (container,) = pod["spec"]["containers"]
    assert container["args"] == ["doctor"]
    urls = [variable["value"] for variable in container["env"] if variable["name"] == "ROLLBACK_URL"]
    assert urls == ["http://rb-rollback-controller.rollback.svc:8095"]
