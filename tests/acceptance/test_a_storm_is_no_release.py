"""Where many services are in trouble at once no release is the cause; where a few are, each goes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testbed.alertmanager import body
from testbed.commands import does
from testbed.guarded import Guarded, guarded, rule_for
from testbed.local_shops import together
from testbed.wait import stays, until

MANY = tuple(f"s{number:02}" for number in range(15))
FEW = MANY[:5]


@pytest.fixture(scope="module")
def stormy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run an installation that takes trouble with more than five services for a storm."""
    policy = {"storm": {"services": 5, "within": "5m"}}
    with guarded(tmp_path_factory.mktemp("storm"), MANY, rule_for("Acts"), policy=policy) as running:
        yield running


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """Run one that takes trouble with more than ten for one."""
    policy = {"storm": {"services": 10, "within": "5m"}}
    rule_file = together(rule_for("Acts"))
    with guarded(tmp_path_factory.mktemp("calm"), FEW, rule_file, policy=policy) as running:
        yield running


def test_a_storm_stops_every_rollback(stormy: Guarded) -> None:
    """Fifteen services in one body, counted before anything is rung: not one changes; people hear of it once."""
    entries = [stormy.alert(name, "Acts") for name in MANY]
    assert stormy.installed.notify(body(*entries)).status == 202
    until(
        lambda: [stormy.of(name)["reason"] for name in MANY] == ["storm"] * len(MANY),
        within_s=40,
        what="every rollback waits for the storm to be over",
    )
    told = stormy.people.hear("Storm: 15 services")
    assert "s00" in told
    stays(lambda: all(map(stormy.untouched, MANY)), for_s=1, what="no shop is touched")
    assert stormy.people.told() == [told], "one message for all of it"
    assert "storm" in does(stormy.installed, "status")
    stormy.resolves(*entries)
    for name in MANY:
        stormy.becomes(name, state="ended", outcome="resolved", within_s=40)
    assert all(map(stormy.untouched, MANY))


def test_five_services_go_back_in_parallel(calm: Guarded) -> None:
    """Below the brake each is a campaign of its own; none waits for another to recover."""
    entries = [calm.alert(name, "Acts") for name in FEW]
    assert calm.installed.notify(body(*entries)).status == 202
    until(
        lambda: [calm.of(name)["state"] for name in FEW] == ["verifying"] * len(FEW),
        within_s=40,
        what="all five have gone back, and none has recovered yet",
    )
    assert [calm.shops[name].running() for name in FEW] == ["v1.2.0"] * len(FEW)
    calm.resolves(*entries)
    for name in FEW:
        calm.becomes(name, state="ended", outcome="recovered")
    assert [calm.shops[name].restarts() for name in FEW] == [1] * len(FEW)
    until(
        lambda: len(calm.people.told("Rolling back")) == len(FEW),
        within_s=20,
        what="people are told of each campaign",
    )
