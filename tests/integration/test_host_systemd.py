"""On real hosts, as a deployer with narrow rights: what systemd does, and what counts as a restart that worked."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

import pytest
from testbed import shop
from testbed.hosts import Host as Machine
from testbed.hosts import Hosts
from testbed.local_service import step
from testbed.wait import until

from rules.decisions import Reason
from rules.errors import NotYet, Permanent
from rules.instances import HostInstance
from rules.inventory import Health, Host, Inventory, Restart, RestartKind, Service, Ssh
from rules.plans import Plan, Step, StepKind, StepState
from workers.driver import Seen
from workers.hosts import HostDriver, Params, reach

PARAMS = Params(evidence_logs_s=600, healthy_within_s=20, steady_s=2)
UNIT = "shop.service"


def service(machine: Machine, **changes: object) -> Service:
    plain = Service(
        name="shop",
        releases="/opt/shop/releases",
        current="/opt/shop/current",
        restart=Restart(RestartKind.SYSTEMD, unit=UNIT),
        hosts=(Host(machine.name, machine.address),),
        executable="bin/shop",
        complete="release.json",
        health=Health(url="http://{address}:8080/healthz", within_s=20),
    )
    return replace(plain, **changes)


@contextlib.contextmanager
def driving(hosts: Hosts, name: str = "web1", params: Params = PARAMS, **changes: object) -> Iterator[HostDriver]:
    """Give the driver of the shop on one host, as the runner gets it."""
    ssh = Ssh(hosts.user, str(hosts.key_file), str(hosts.known_hosts))
    inventory = Inventory({"shop": service(hosts[name], **changes)}, ssh)
    driver = reach(HostInstance("default", "shop", name), inventory, params, "r1")
    try:
        yield driver
    finally:
        driver.close()


def drop_in(machine: Machine, text: str) -> None:
    """Change the unit's definition, as a person would."""
    folder = machine.root / f"etc/systemd/system/{UNIT}.d"
    folder.mkdir()
    (folder / "x.conf").write_text(text)
    machine.run("systemctl", "daemon-reload")


def do(driver: HostDriver, todo: Step, fence: int = 5) -> Seen:
    """Do a step, coming back as often as it asks for."""
    before = driver.before(todo)
    while True:
        try:
            return driver.perform(todo, before, fence, 60)
        except NotYet:
            continue


def do_all(driver: HostDriver, plan: Plan) -> list[Seen]:
    return [do(driver, todo) for todo in plan.steps]


def planned(driver: HostDriver, to: str = "v1.2.0") -> Plan:
    plan = driver.plan(driver.observe(), to)
    driver.preflight(plan)
    return plan


@pytest.fixture
def web1(hosts: Hosts) -> Machine:
    """web1 runs the bad v1.3.0."""
    hosts["web1"].deploy("v1.3.0", shop.ERRORS)
    until(lambda: hosts["web1"].answers("/healthz") == 503, within_s=10, what="v1.3.0 is ill")
    return hosts["web1"]


def test_a_rollback_from_end_to_end(hosts: Hosts, web1: Machine) -> None:
    """Switched, restarted once, proven healthy, noted; with nothing but the deployer's rights."""
    before = web1.unit("InvocationID")
    with driving(hosts) as driver:
        assert driver.observe().running == "v1.3.0"
        do_all(driver, planned(driver))
        seen = driver.observe()
    assert (seen.running, seen.fence, seen.last_stable) == ("v1.2.0", 5, "v1.2.0")
    assert web1.unit("InvocationID") != before
    assert web1.answers("/healthz") == 200
    assert web1.run("cat", "/opt/shop/last_stable") == "v1.2.0"


def test_a_crash_loop_into_the_start_limit_is_gone_back_from(hosts: Hosts) -> None:
    """The limit that the bad release hit does not refuse the good one."""
    web1 = hosts["web1"]
    web1.deploy("v1.3.0", shop.CRASHES)
    until(lambda: web1.unit("ActiveState") == "failed", within_s=20, what="the crash loop hits the start limit")
    with driving(hosts) as driver:
        evidence = driver.evidence()
        do_all(driver, planned(driver))
    assert web1.answers("/healthz") == 200
    assert "cannot read its configuration" in str(evidence["log"])
    assert "too quickly" in str(evidence["log"])
    assert evidence["restarts"] == 5
    assert evidence["start_limit_hit"]
    assert isinstance(evidence["state"], dict)
    assert evidence["state"]["ActiveState"] == "failed"


def test_evidence_is_the_newest_of_the_log_and_bounded(hosts: Hosts, web1: Machine) -> None:
    """Half a mebibyte of log is cut from the old end."""
    noise = "for i in $(seq 6000); do printf 'line %s %0100d\\n' $i 0; done; echo the last line"
    web1.run("systemd-run", "--wait", f"--unit={UNIT.removesuffix('.service')}-noise", "sh", "-c", noise)
    with driving(hosts, restart=Restart(RestartKind.SYSTEMD, unit="shop-noise.service")) as driver:
        web1.run("journalctl", "--sync")
        evidence = driver.evidence()
    if "unavailable" in evidence:
        pytest.fail(str(evidence))
    log = str(evidence["log"])
    assert evidence["log_cut"]
    assert "the last line" in log
    assert len(log) <= 256 << 10


def test_a_release_that_dies_a_second_later_is_not_healthy(hosts: Hosts, web1: Machine) -> None:
    """`systemctl restart` calls it a success, and `is-active` says active."""
    web1.release("v1.2.0", shop.DIES)
    with driving(hosts, health=Health(systemd=True, for_s=5)) as driver:
        plan = planned(driver)
        do(driver, step(plan, StepKind.SWITCH))
        do(driver, step(plan, StepKind.RESTART))
        with pytest.raises(Permanent, match=r"started it again|is failed") as ill:
            do(driver, step(plan, StepKind.HEALTH))
    assert ill.value.reason is Reason.NOT_HEALTHY


def test_a_release_that_never_starts_is_not_healthy_at_once(hosts: Hosts, web1: Machine) -> None:
    """The restart itself counts as done: trying it again and again would help nobody."""
    web1.release("v1.2.0", shop.CRASHES)
    with driving(hosts) as driver:
        plan = planned(driver)
        do(driver, step(plan, StepKind.SWITCH))
        do(driver, step(plan, StepKind.RESTART))
        with pytest.raises(Permanent) as ill:
            do(driver, step(plan, StepKind.HEALTH))
        assert ill.value.reason is Reason.NOT_HEALTHY


def test_a_release_that_stays_ill_is_not_healthy_in_time(hosts: Hosts, web1: Machine) -> None:
    """Its unit is fine; its URL says otherwise until the time is over."""
    web1.release("v1.2.0", shop.STAYS_SICK)
    ill_health = Health(url="http://{address}:8080/healthz", within_s=3)
    with driving(hosts, health=ill_health) as driver:
        plan = planned(driver)
        do(driver, step(plan, StepKind.SWITCH))
        do(driver, step(plan, StepKind.RESTART))
        with pytest.raises(Permanent, match="answers 503") as ill:
            do(driver, step(plan, StepKind.HEALTH))
    assert ill.value.reason is Reason.NOT_HEALTHY


def test_the_way_back_restores_what_was(hosts: Hosts, web1: Machine) -> None:
    """Link and process are the old release's again."""
    with driving(hosts) as driver:
        plan = planned(driver)
        do(driver, step(plan, StepKind.SWITCH))
        do(driver, step(plan, StepKind.RESTART))
        back = driver.plan_way_back(plan, driver.observe())
        do(driver, step(back, StepKind.SWITCH))
        do(driver, step(back, StepKind.RESTART))
        assert driver.observe().running == "v1.3.0"
    until(lambda: web1.answers("/healthz") == 503, within_s=10, what="v1.3.0 runs again")


def test_a_process_from_another_release_is_not_healthy(hosts: Hosts, web1: Machine) -> None:
    """The link says v1.2.0, but the unit was told to run v1.3.0 by name."""
    override = "[Service]\nExecStart=\nExecStart=/opt/shop/releases/v1.3.0/bin/shop\n"
    drop_in(web1, override)
    with driving(hosts, health=Health(systemd=True, for_s=1)) as driver:
        plan = planned(driver)
        do(driver, step(plan, StepKind.SWITCH))
        do(driver, step(plan, StepKind.RESTART))
        with pytest.raises(
            Permanent, match=r"runs from .*v1\.3\.0.*, not from /opt/shop/releases/v1\.2\.0"
        ) as ill:
            do(driver, step(plan, StepKind.HEALTH))
    assert ill.value.reason is Reason.NOT_HEALTHY


def test_a_unit_file_that_changed_is_read_again(hosts: Hosts, web1: Machine) -> None:
    """A release may bring its unit along, by a link through `current`."""
    unit = web1.root / "etc/systemd/system" / UNIT
    unit.write_text(shop.UNIT.replace("[Service]", "[Service]\nEnvironment=BROUGHT=along"))
    until(lambda: web1.unit("NeedDaemonReload") == "yes", within_s=5, what="systemd notices the new file")
    with driving(hosts) as driver:
        do_all(driver, planned(driver))
    assert web1.unit("NeedDaemonReload") == "no"
    assert web1.unit("Environment") == "BROUGHT=along"


def test_a_restart_by_a_dead_worker_is_seen(hosts: Hosts, web1: Machine) -> None:
    """A new invocation is done, the old one is not; a unit that lies dead is not, whatever it was before."""
    with driving(hosts) as driver:
        plan = planned(driver)
        do(driver, step(plan, StepKind.SWITCH))
        todo = step(plan, StepKind.RESTART)
        before = driver.before(todo)
        assert driver.inspect(todo, before, 5) is StepState.NOT_DONE
        driver.perform(todo, before, 5, 60)
        assert driver.inspect(todo, before, 5) is StepState.DONE
        web1.run("systemctl", "stop", UNIT)
        assert driver.inspect(todo, before, 5) is StepState.NOT_DONE


def test_a_reload_keeps_the_process(hosts: Hosts) -> None:
    """A unit that can reload is reloaded; one that lies dead is started."""
    web1 = hosts["web1"]
    can_reload = "[Service]\nExecReload=/bin/true\n"
    drop_in(web1, can_reload)
    process = web1.process()
    with driving(hosts, restart=Restart(RestartKind.RELOAD, unit=UNIT)) as driver:
        plan = planned(driver, "v1.3.0")
        do(driver, step(plan, StepKind.SWITCH))
        do(driver, step(plan, StepKind.RESTART))
        assert web1.process() == process
        web1.run("systemctl", "stop", UNIT)
        do(driver, step(plan, StepKind.RESTART))
        assert web1.process() != process


def test_sudo_that_refuses_is_found_out_before_the_first_change(hosts: Hosts, web1: Machine) -> None:
    """The message holds the very commands that a sudoers file must allow."""
    rights = web1.root / "etc/sudoers.d/rollback"
    aside = rights.rename(f"{rights}.aside")
    try:
        with driving(hosts) as driver, pytest.raises(Permanent, match=f"systemctl restart {UNIT}") as refused:
            planned(driver)
    finally:
        aside.rename(rights)
    assert refused.value.reason is Reason.RIGHTS_MISSING
    assert web1.running() == "v1.3.0"


def test_a_service_that_does_not_run_from_the_link_is_found_out(hosts: Hosts, web1: Machine) -> None:
    """A switch would change nothing for it."""
    another = Restart(RestartKind.SYSTEMD, unit="ssh.service")
    with driving(hosts, restart=another) as driver, pytest.raises(Permanent, match="does not run from") as refused:
        planned(driver)
    assert refused.value.reason is Reason.TARGET_MISCONFIGURED


def test_rights_that_are_missing_are_found_out_before_the_first_change(hosts: Hosts, web1: Machine) -> None:
    """The directory of the link belongs to root."""
    web1.run("chown", "root:", "/opt/shop")
    with driving(hosts) as driver, pytest.raises(Permanent, match="/opt/shop cannot be written") as refused:
        planned(driver)
    assert refused.value.reason is Reason.RIGHTS_MISSING


def test_a_unit_that_does_not_exist_is_found_out_before_the_first_change(hosts: Hosts, web1: Machine) -> None:
    """A slip of the pen in the inventory."""
    slip = Restart(RestartKind.SYSTEMD, unit="shpo.service")
    with driving(hosts, restart=slip) as driver, pytest.raises(Permanent, match="is not-found") as refused:
        planned(driver)
    assert refused.value.reason is Reason.TARGET_MISCONFIGURED
