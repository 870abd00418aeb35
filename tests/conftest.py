"""What every test shares: the real parts, started when first asked for, and an honest word about the rest."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest
from testbed.hosts import Hosts, boot_hosts
from testbed.parts import PartMissingError

REQUIRE_ALL = os.environ.get("ROLLBACK_REQUIRE_ALL") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
    """Say by name which part could not be started; where all are required, that is a failure."""
    try:
        return (yield)
    except PartMissingError as missing:
        if REQUIRE_ALL:
            pytest.fail(f"not started here: {missing}", pytrace=False)
        pytest.skip(f"not started here: {missing}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where all parts are required, nothing may be skipped, for whatever reason."""
    report = yield
    if REQUIRE_ALL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but ROLLBACK_REQUIRE_ALL=1: {report.longrepr}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """End with one line for each part that this machine did not have."""
    words = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])}
    for word in sorted(word.removeprefix("Skipped: ") for word in words):
        terminalreporter.write_line(word)


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
