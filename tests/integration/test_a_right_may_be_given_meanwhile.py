"""An alert whose workload we may not look at waits for the right, and is held only where that never comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from testbed.kube_facts import template, workload
from testbed.redis import Redis
from testbed.shop_rules import Book
from testbed.unguarded import NO_GUARDS
from testbed.worksite import Shop

from controller.ledger import Heard, HeardAlert
from rules.decisions import Reason
from rules.errors import Transient
from rules.instances import Instance
from rules.inventory import Inventory
from rules.rule import KubernetesTarget, Mode, Rule, Target, When
from rules.to import Previous
from workers.finding import Finding
from workers.jobs import run
from workers.kubernetes.failures import Forbidden
from workers.kubernetes.finding import KubernetesFinder
from workers.site import Site

RULE = Rule("r", When(), Target(kubernetes=KubernetesTarget()), (Previous(),), mode=Mode.ACT, guards=NO_GUARDS)
LABELS = {"alertname": "HighErrorRate", "namespace": "pay", "deployment": "web"}
TEN_MINUTES_MS = 600_000


class Guarded:
    """A cluster with one workload, which says no until it is told otherwise."""

    name = "eu"
    namespaces: tuple[str, ...] = ()
    allowed = False

    def get(self, *_: object) -> Any:
        if not self.allowed:
            raise Forbidden(Reason.FORBIDDEN, "get deployments.apps web: not allowed. Add this line to a Role")
        found = workload(template())
        found["metadata"]["namespace"] = "pay"
        return found

    def close(self) -> None: ...


@contextmanager
def resolving(shop: Shop, cluster: Guarded) -> Iterator[tuple[Site, str]]:
    def out_of_reach(instance: Instance, *_: object) -> Any:
        raise Transient(Reason.UNREACHABLE, f"{instance.label}: not reached in this test")

    reached: Any = cluster
    shop.house.rules = Book(RULE)
    with shop.site() as site, shop.server.client() as client:
        found = replace(
            site,
            find=lambda: Finding(Inventory({}), KubernetesFinder(lambda _: reached, ["eu"])),
            reach=out_of_reach,
        )
        heard = HeardAlert("aa", True, 1, orjson.dumps(LABELS).decode(), "{}", (RULE.digest,))
        site.ledger.hear(Heard.of([heard]))
        (key,) = client.keys("rc:notification:*")
        yield found, key


@pytest.fixture
def shop(tmp_path: Path, redis_server: Redis) -> Shop:
    return Shop(tmp_path, redis_server)


def test_once_the_right_is_there_the_alert_is_acted_on(shop: Shop) -> None:
    """Nothing is decided before, so nothing has to be asked for again."""
    cluster = Guarded()
    with resolving(shop, cluster) as (site, key), shop.server.client() as client:
        run(site, key.split(":")[-1], "job-1")
        assert site.ledger.decisions.list() == ()
        assert client.exists(key)
        cluster.allowed = True
        run(site, key.split(":")[-1], "job-2")
        (decided,) = site.ledger.decisions.list()
        (rollback,) = site.ledger.rollbacks.list()
    assert (decided.decision["outcome"], decided.decision["reason"]) == ("roll-back", "allowed")
    assert rollback.instance == "kubernetes/eu/pay/deployment/web"


def test_after_ten_minutes_without_it_the_alert_is_held(shop: Shop) -> None:
    """With what the Role lacks, and for how long it was waited for."""
    with resolving(shop, Guarded()) as (site, key), shop.server.client() as client:
        run(site, key.split(":")[-1], "job-1")
        client.hincrby(key, "#at", -TEN_MINUTES_MS)
        run(site, key.split(":")[-1], "job-2")
        assert not client.exists(key)
        (decided,) = site.ledger.decisions.list()
    assert (decided.decision["outcome"], decided.decision["reason"]) == ("hold", "forbidden")
    assert "Add this line to a Role. Looked for 600 s" in decided.decision["detail"]
