"""Campaigns on a real cluster: in waves, stopped by the first that does not help, only where a release is bad."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testbed.alertmanager import alert, body, stamp
from testbed.cluster import Cluster
from testbed.commands import does, printed, run
from testbed.guarded import BRISK
from testbed.installation import Installation
from testbed.kube_shop import KubeShop, kube_installation, kube_rules, resolved
from testbed.local_shops import together
from testbed.people import People, people
from testbed.redis import valkey
from testbed.wait import stays, until

TWELVE = tuple(f"wide-{number:02}" for number in range(12))
FOUR = tuple(f"stubborn-{number}" for number in range(4))
WAVES = [1, "50%", "100%"]
SUSPECT = 11
STARTED = {"acting", "parked", "verifying", "ended"}


def rule_file() -> str:
    """Return a rule that goes in waves, one whose alerts must be gone at once, and one that asks for the cause."""

    def rule(alertname: str, **over: Any) -> str:
        return kube_rules(name=alertname.lower(), when={"matchers": [f'alertname="{alertname}"']}, **over)

    at_once = {"healthy-within": "60s", "steady": "1s", "cleared-within": "4s"}
    caused = {"caused-by-release": {"within": "2h", "skew": "1s"}}
    return together(
        rule("Wide", waves=WAVES), rule("Stubborn", waves=WAVES, verify=at_once), rule("Web", guards=caused)
    )


@dataclass(frozen=True, slots=True)
class Campaigns:
    """The running installation, the namespace, and whoever is told."""

    installed: Installation
    shop: KubeShop
    people: People

    def bad_canaries(self, service: str, *names: str) -> None:
        """Release v3 to Deployments of one service, which could go back to v1; v1 never had a pod."""
        for name in names:
            made = self.shop.manifest(name, "v1", "canary", service=service, replicas=0)
            self.shop.cluster.apply(made, self.shop.namespace)
        for name in names:
            until(lambda one=name: self.revision(one) == "1", within_s=30, what=f"{name} has its first revision")
            self.shop.release("Deployment", name, "v3")
            self.shop.scale(name, 1)
        for name in names:
            until(lambda one=name: self.revision(one) == "2", within_s=30, what=f"{name} has the release")
        until(lambda: len(self.seen(service)) >= len(names), within_s=30, what="the observer has seen them")

    def revision(self, name: str) -> str | None:
        """Return a Deployment's revision, None before it has one."""
        found = self.shop.cluster.get("Deployment", self.shop.namespace, name)
        revision: str | None = found["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision")
        return revision

    def about(self, name: str, alertname: str) -> dict[str, Any]:
        """Return an alert about a Deployment that begins now."""
        labels = {"alertname": alertname, "namespace": self.shop.namespace, "deployment": name}
        return alert(labels, starts_at=stamp(0))

    def states(self, service: str) -> dict[str, dict[str, Any]]:
        """Return the rollbacks of a service by the name of their Deployment."""
        found = (one for one in self.installed.rollbacks() if one["service"] == service)
        return {one["instance"].rpartition("/")[2]: one for one in found}

    def verifying(self, service: str) -> list[str]:
        """Name the Deployments that have gone back and are not judged yet."""
        return [name for name, one in self.states(service).items() if one["state"] == "verifying"]

    def gone_back(self, *names: str) -> list[str]:
        """Name those that ask for v1 by now."""
        return [name for name in names if self.shop.tag("Deployment", name) == "v1"]

    def seen(self, service: str) -> list[str]:
        """Name the instances of a service that the observer has seen."""
        answer = self.installed.ask(f"/api/v1/releases/{service}/ready").json
        return [one["instance"] for one in answer["instances"]]

    def notify(self, *alerts: Mapping[str, Any]) -> None:
        """Send a notification."""
        assert self.installed.notify(body(*alerts)).status in {200, 202}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Campaigns]:
    """Run the installation that the campaigns of this file are set in."""
    folder: Path = tmp_path_factory.mktemp("campaigns")
    namespace = cluster.make_namespace()
    with contextlib.ExitStack() as running:
        running.callback(cluster.delete, "Namespace", None, namespace)
        told = running.enter_context(people(folder))
        (folder / "redis").mkdir()
        redis = running.enter_context(valkey(folder / "redis"))
        more = {"numbers": {**BRISK, "observe_every_s": 1}, "notify": told.channels}
        installed = kube_installation(
            folder / "installed", redis.url, cluster.kubeconfig, rules=rule_file(), more=more
        )
        running.enter_context(installed.running())
        yield Campaigns(installed, KubeShop(cluster, namespace), told)


def waiting(site: Campaigns) -> list[str]:
    """Return what each that has not begun waits for."""
    return [one["reason"] for one in site.states("wide").values() if one["state"] not in STARTED]


def test_twelve_canaries_go_back_in_waves_of_one_six_and_twelve(site: Campaigns) -> None:
    """All of them alert; each wave waits until all before it have recovered. People hear of one campaign."""
    site.bad_canaries("wide", *TWELVE)
    alerts = {name: site.about(name, "Wide") for name in TWELVE}
    site.notify(*alerts.values())
    recovered: list[str] = []
    for size in (1, 6, 12):
        wave = size - len(recovered)
        until(
            lambda n=wave: len(site.verifying("wide")) == n, within_s=90, what=f"the wave up to {size} went back"
        )
        until(lambda: len(site.states("wide")) == len(TWELVE), within_s=30, what="all are opened")
        stays(lambda n=size: len(site.gone_back(*TWELVE)) == n, for_s=1, what=f"{size} and no more have gone back")
        until(
            lambda n=size: waiting(site) == ["wave"] * (len(TWELVE) - n),
            within_s=30,
            what="the others wait",
        )
        gone = site.verifying("wide")
        recovered += gone
        site.notify(*(resolved(alerts[name]) for name in gone))
    until(
        lambda: {one["outcome"] for one in site.states("wide").values()} == {"recovered"},
        within_s=60,
        what="all have recovered",
    )
    site.people.hear("Recovered: wide", "12 recovered")
    assert len(site.people.told("Rolling back wide")) == 1
    assert len(site.people.told("Recovered: wide")) == 1


def test_a_first_wave_that_does_not_help_stops_the_campaign(site: Campaigns) -> None:
    """The alert goes on: the others hold, people hear of it once, the mark is as it was, and the rule asks."""
    does(site.installed, "releases", "add", "stubborn", "--version", "v3")
    does(site.installed, "releases", "good", "stubborn", "v3", "--why", "three weeks of traffic")
    site.bad_canaries("stubborn", *FOUR)
    alerts = [site.about(name, "Stubborn") for name in FOUR]
    site.notify(*alerts)
    (first,) = until(lambda: site.verifying("stubborn"), within_s=90, what="the first has gone back")
    assert run(site.installed, "releases", "verdict", "stubborn", "v3").returncode == SUSPECT

    def stopped() -> bool:
        site.notify(*alerts)  # as Alertmanager repeats what still fires
        found = site.states("stubborn")
        return found[first]["state"] == "ended" and len(found) == len(FOUR)

    until(stopped, within_s=60, what="the first is judged", every_s=0.5)
    assert site.states("stubborn")[first]["outcome"] == "ineffective"
    others = [name for name in FOUR if name != first]
    until(
        lambda: {site.states("stubborn")[name]["reason"] for name in others} == {"campaign-stopped"},
        within_s=30,
        what="the others hold",
    )
    stays(lambda: site.gone_back(*FOUR) == [first], for_s=1, what="no other goes back")
    told = site.people.hear("NOT recovered: stubborn")
    assert "wide" not in told
    assert len(site.people.told("Rolling back stubborn")) == 1
    assert len(site.people.told("NOT recovered: stubborn")) == 1
    verdict = printed(site.installed, "releases", "verdict", "stubborn", "v3")
    assert (verdict["verdict"], verdict["why"]) == ("good", "three weeks of traffic")
    site.people.hear("Rule stubborn may only ask")
    titles = [text.partition("\n")[0].partition(":")[0] for text in site.people.told("stubborn")]
    assert sorted(titles) == ["NOT recovered", "Rolling back stubborn", "Rule stubborn may only ask"]
    assert "stubborn" in does(site.installed, "status")
    site.notify(*map(resolved, alerts))


def test_canary_and_stable_alert_alike_and_nothing_happens(site: Campaigns) -> None:
    """What also ails those that do not run the release is not its doing; what ails only the canary is."""
    site.shop.deploy("web", "v1", "stable", service="web", replicas=1)
    site.bad_canaries("web", "web-canary")
    stable = site.shop.uids("web")
    until(
        lambda: len(site.seen("web")) == 2,
        within_s=30,
        what="the observer has seen both",
    )
    alike = [site.about("web-canary", "Web"), site.about("web", "Web")]
    site.notify(*alike)
    refused = until(lambda: site.states("web").get("web-canary"), within_s=30, what="it is opened")
    until(lambda: site.installed.rollback(refused["id"])["state"] == "ended", within_s=30, what="it is decided")
    found = site.installed.rollback(refused["id"])
    assert (found["outcome"], found["reason"]) == ("refused", "also-on-other-releases"), found
    assert "deployment/web" in found["detail"]
    assert site.gone_back("web-canary") == []
    (decided,) = site.installed.decisions(alike[1]["fingerprint"])
    assert (decided["outcome"], decided["reason"]) == ("no-match", "not-selected")
    site.notify(*map(resolved, alike))

    alone = site.about("web-canary", "Web")
    site.notify(alone)
    until(lambda: site.gone_back("web-canary"), within_s=60, what="the canary goes back for what it alone has")
    site.notify(resolved(alone))
    assert site.shop.uids("web") == stable
