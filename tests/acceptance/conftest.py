"""A ledger, an installation and instances for scenarios that run the product's real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.cluster import Cluster
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, kube_installation
from testbed.local_shops import LocalShop, local_inventory, local_shops, rules
from testbed.redis import Redis, valkey

QUICK = {"numbers": {"group_interval_s": 1}}
"""Alertmanager's intervals are a second long in these tests."""


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[Redis]:
    """Run a Redis of the test's own."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with valkey(folder, appendfsync="always") as server:
        yield server


@pytest.fixture
def shops(tmp_path: Path) -> Iterator[dict[str, LocalShop]]:
    """Make two instances on this machine that run v1.3.0 and could go back to v1.2.0."""
    with local_shops(tmp_path, "canary", "stable") as made:
        yield made


@pytest.fixture
def canary(shops: dict[str, LocalShop]) -> LocalShop:
    """Give the instance that alerts are about."""
    return shops["canary"]


@pytest.fixture
def stable(shops: dict[str, LocalShop]) -> LocalShop:
    """Give its neighbour."""
    return shops["stable"]


@pytest.fixture
def local(tmp_path: Path, redis_server: Redis, canary: LocalShop, stable: LocalShop) -> Installation:
    """Give an installation that looks after the two instances on this machine; nothing is started yet."""
    inventory = local_inventory(canary=canary.entry("canary"), stable=stable.entry("stable"))
    return Installation(tmp_path / "installed", redis_server.url, rules(), inventory, more=QUICK)


@pytest.fixture
def kube_shop(cluster: Cluster, namespace: str) -> KubeShop:
    """Give a namespace of the cluster for the shop; nothing runs in it yet."""
    return KubeShop(cluster, namespace)


@pytest.fixture
def kube(tmp_path: Path, redis_server: Redis, cluster: Cluster) -> Installation:
    """Give an installation that looks after the cluster's canaries; nothing is started yet."""
    return kube_installation(tmp_path / "installed", redis_server.url, cluster.kubeconfig)
