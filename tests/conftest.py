"""What every test shares: the real parts, started when first asked for, and an honest word about the rest."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from testbed.cluster import LENT, Cluster, lent_cluster
from testbed.hosts import Hosts, boot_hosts
from testbed.own_cluster import own_cluster
from testbed.parts import PartMissingError

# How long one case takes says more of the machine than of the code.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

REQUIRE_ALL = os.environ.get("ROLLBACK_REQUIRE_ALL") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Say by name which part could not be started; where all are required, that is a failure.

    There nothing else may be skipped either, for whatever reason.
    """
    report = yield
    if call.excinfo is not None and isinstance(call.excinfo.value, PartMissingError):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"not started here: {call.excinfo.value}")
    if REQUIRE_ALL and report.skipped:
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{why}. ROLLBACK_REQUIRE_ALL=1 asks for every part: nothing may be skipped"
    return report


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case with a long text by its beginning: some are megabytes, and each name is told several times."""
    return f"{val[:80]!s}..." if isinstance(val, str | bytes) and len(val) > 100 else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have tests side by side share one cluster for each folder of tests; each file stays on one worker, too."""
    for item in items:
        shared = "cluster" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group(item.path.parent.name if shared else item.path.stem))


@pytest.fixture(scope="session")
def booted_hosts() -> Iterator[Hosts]:
    """Boot the hosts of this run: web1, web2 and web3, once."""
    with boot_hosts(("web1", "web2", "web3")) as hosts:
        yield hosts


@pytest.fixture
def hosts(booted_hosts: Hosts) -> Hosts:
    """Give the booted hosts, each with the good release running and the bad one waiting."""
    booted_hosts.fresh()
    return booted_hosts


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Start the cluster of this run, once, or take the one that the developer lends."""
    folder = tmp_path_factory.mktemp("cluster")
    lent = os.environ.get(LENT)
    with lent_cluster(Path(lent), folder) if lent else own_cluster(folder) as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """Give a namespace of the test's own; it goes away with all that is in it, and nobody waits for that."""
    name = cluster.make_namespace()
    yield name
    cluster.delete("Namespace", None, name)
