"""An alert's labels are looked up in the inventory; what they name is found, or the reason why not is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.alerts import Alert
from rules.decisions import Outcome, Reason
from rules.rule import HostsTarget, Rule, Target, When
from rules.services import Host, Inventory, Restart, RestartKind, Service
from rules.targets import find_instances, keep_running
from rules.templates import Template
from rules.to import Previous

RESTART = Restart(RestartKind.SYSTEMD, unit="x.service")
WEB1 = Host("web1", "10.90.0.2", {"track": "stable"})
WEB2 = Host("web2", "10.90.0.3", {"track": "canary", "zone": "b"}, instance="shop.example:8080")
WEB6 = Host("web6", "2001:db8::1", {"track": "canary"})
NAMED = Host("named", "named.example.com")


def service(name: str, *hosts: Host) -> Service:
    return Service(name, f"/opt/{name}/releases", f"/opt/{name}/current", RESTART, hosts)


def inventory(*services: Service) -> Inventory:
    return Inventory({service.name: service for service in services})


SHOP = inventory(service("shop", WEB1, WEB2, WEB6, NAMED))
SHARED = inventory(
    service("shop", Host("web1", "10.90.0.2", instance="10.90.0.2:8080")),
    service("cart", Host("web1", "10.90.0.2", instance="10.90.0.2:8081")),
)


def rule(
    instance: str | None = "{{ $labels.instance }}",
    service: str | None = None,
    only: dict[str, tuple[str, ...]] | None = None,
    except_: dict[str, tuple[str, ...]] | None = None,
    running: str | None = None,
) -> Rule:
    def template(text: str | None) -> Template | None:
        return None if text is None else Template(text)

    target = Target(
        HostsTarget(template(instance)), template(service), only or {}, except_ or {}, template(running)
    )
    return Rule("r", When(), target, (Previous(),))


def alert(**labels: str) -> Alert:
    return Alert("f", "firing", labels, {}, 0)


def found(rule: Rule, alert: Alert, inventory: Inventory = SHOP) -> list[str] | Reason:
    instances, decision = find_instances(rule, alert, inventory)
    if decision is None:
        return [one.instance.label for one in instances]
    assert instances == ()
    assert decision.detail
    return decision.reason


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("web1", "web1"),
        ("web1:9100", "web1"),
        ("10.90.0.2", "web1"),
        ("10.90.0.2:9100", "web1"),
        ("shop.example:8080", "web2"),
        ("10.90.0.3:9100", "web2"),
        ("2001:db8::1", "web6"),
        ("2001:DB8:0::1", "web6"),
        ("[2001:db8::1]", "web6"),
        ("named.example.com:443", "named"),
    ],
)
def test_an_instance_is_a_name_an_address_or_the_hosts_own_label(value: str, host: str) -> None:
    """With or without a port."""
    assert found(rule(), alert(instance=value)) == [f"shop on {host}"]


def test_trap_9_the_port_of_an_ipv6_instance_is_cut_off_safely() -> None:
    """Splitting at the first colon would leave `[2001`."""
    assert found(rule(), alert(instance="[2001:db8::1]:9100")) == ["shop on web6"]


@pytest.mark.parametrize(
    "value",
    ["web9:9100", "10.90.0.22", "2001:db8::1:9100", "[2001:db8::1", "shop.example", "web1:x", "*", "../web1"],
)
def test_an_unknown_instance_is_refused(value: str) -> None:
    """Nothing is guessed, and nothing from the alert is used but to look it up."""
    assert found(rule(), alert(instance=value)) == Reason.HOST_UNKNOWN


def test_an_unknown_instance_is_answered_with_what_was_meant() -> None:
    """A person at 3 a.m. sees the slip."""
    (_, decision) = find_instances(rule(), alert(instance="webb2:9100"), SHOP)
    assert decision is not None
    assert decision.outcome is Outcome.REFUSE
    assert "did you mean web2?" in decision.detail


@pytest.mark.parametrize("labels", [{}, {"instance": ""}])
def test_a_missing_or_empty_label_is_refused(labels: dict[str, str]) -> None:
    """It will not come: an alert's labels are what it is."""
    assert found(rule(), alert(**labels)) == Reason.LABEL_MISSING


def test_several_services_on_one_host_are_told_apart_by_the_hosts_own_label() -> None:
    """Each service can say which `instance` Prometheus gives it there."""
    assert found(rule(), alert(instance="10.90.0.2:8081"), SHARED) == ["cart on web1"]


def test_several_services_on_one_host_are_told_apart_by_the_rule() -> None:
    """`target.service` names one."""
    assert found(rule(service="shop"), alert(instance="web1:9100"), SHARED) == ["shop on web1"]
    assert found(rule(service="{{ $labels.job }}"), alert(instance="web1", job="cart"), SHARED) == ["cart on web1"]


def test_several_services_on_one_host_and_no_word_which_is_ambiguous() -> None:
    """Never the first."""
    assert found(rule(), alert(instance="web1:9100"), SHARED) == Reason.INSTANCE_AMBIGUOUS


def test_several_hosts_behind_one_instance_are_ambiguous() -> None:
    """Two hosts of one address, as behind a NAT."""
    twins = inventory(service("shop", Host("a", "10.0.0.1"), Host("b", "10.0.0.1")))
    assert found(rule(service="shop"), alert(instance="10.0.0.1:80"), twins) == Reason.INSTANCE_AMBIGUOUS


def test_a_host_that_does_not_run_the_named_service_is_unknown_to_it() -> None:
    """The message says what it runs."""
    two = inventory(service("shop", WEB1), service("cart", WEB2))
    (_, decision) = find_instances(rule(service="cart"), alert(instance="web1"), two)
    assert decision is not None
    assert (decision.reason, "only as shop on web1" in decision.detail) == (Reason.HOST_UNKNOWN, True)


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        ({"service": "shop"}, {}),
        ({"service": "{{ $labels.service }}"}, {"service": "shop"}),
        ({}, {"app.kubernetes.io/name": "shop", "app": "other"}),
        ({}, {"app": "shop"}),
        ({}, {"app.kubernetes.io/name": "", "app": "shop"}),
    ],
)
def test_without_an_instance_every_host_of_the_service_is_meant(
    target: dict[str, str], labels: dict[str, str]
) -> None:
    """The service is named by the rule, else by the alert."""
    every = ["shop on web1", "shop on web2", "shop on web6", "shop on named"]
    assert found(rule(instance=None, **target), alert(**labels)) == every  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [{}, {"app": "shopp"}])
def test_without_a_known_service_it_holds(labels: dict[str, str]) -> None:
    """A person can name it, or add it to the inventory."""
    (_, decision) = find_instances(rule(instance=None), alert(**labels), SHOP)
    assert decision is not None
    assert (decision.outcome, decision.reason) == (Outcome.HOLD, Reason.SERVICE_UNKNOWN)


@pytest.mark.parametrize(
    ("selection", "hosts"),
    [
        ({"only": {"track": ("canary",)}}, ["web2", "web6"]),
        ({"only": {"track": ("canary", "stable")}}, ["web1", "web2", "web6"]),
        ({"only": {"track": ("canary",), "zone": ("b",)}}, ["web2"]),
        ({"except_": {"track": ("stable",)}}, ["web2", "web6", "named"]),
        ({"only": {"track": ("canary",)}, "except_": {"zone": ("b",)}}, ["web6"]),
    ],
)
def test_only_and_except_read_the_inventory(
    selection: dict[str, dict[str, tuple[str, ...]]], hosts: list[str]
) -> None:
    """Whatever the alert's own labels say."""
    wanted = [f"shop on {host}" for host in hosts]
    assert found(rule(None, "shop", **selection), alert(track="stable", zone="x")) == wanted


def test_trap_8_an_instance_that_is_not_selected_is_left_alone() -> None:
    """An alert that calls itself a canary does not make its host one."""
    (instances, decision) = find_instances(
        rule(only={"track": ("canary",)}), alert(instance="web1", track="canary"), SHOP
    )
    assert instances == ()
    assert decision is not None
    assert (decision.outcome, decision.reason) == (Outcome.NO_MATCH, Reason.NOT_SELECTED)
    assert "only track=canary" in decision.detail
    assert "shop on web1 (track=stable)" in decision.detail


ONE, TWO = "hosts/default/shop/web1", "hosts/default/shop/web2"


def test_running_keeps_the_instances_that_run_what_the_alert_names() -> None:
    """All others have nothing to go back from."""
    by_version = rule(running="{{ $labels.version }}")
    running = {ONE: ["v1"], TWO: ["v2+6c7b", "v2"]}
    assert keep_running(by_version, alert(version="v2"), running) == ((TWO,), None)
    assert keep_running(rule(), alert(version="v2"), running) == ((ONE, TWO), None)


@pytest.mark.parametrize(
    ("labels", "outcome", "reason"),
    [
        ({"version": "v3"}, Outcome.REFUSE, Reason.STALE),
        ({}, Outcome.REFUSE, Reason.LABEL_MISSING),
    ],
)
def test_running_says_why_nothing_is_left(labels: dict[str, str], outcome: Outcome, reason: Reason) -> None:
    """What each of them runs instead is named."""
    kept, decision = keep_running(rule(running="{{ $labels.version }}"), alert(**labels), {ONE: ["v1"], TWO: []})
    assert kept == ()
    assert decision is not None
    assert (decision.outcome, decision.reason) == (outcome, reason)


@given(st.text(max_size=30))
def test_any_label_finds_at_most_the_one_host_it_names(value: str) -> None:
    """A hostile value is a value that is not found."""
    instances, decision = find_instances(rule(), alert(instance=value), SHOP)
    assert len(instances) == (decision is None)
