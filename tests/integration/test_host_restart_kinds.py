"""Each way of making a service take up its release, on this machine; systemd's own are in test_host_systemd."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from testbed.local_service import LocalService, step
from testbed.wait import until

from rules.decisions import Reason
from rules.errors import NotYet, Permanent, RollbackError, Transient
from rules.inventory import Restart, RestartKind, Stop
from rules.plans import StepKind, StepState


def shop_that(tmp_path: Path, **changes: object) -> LocalService:
    return LocalService(tmp_path / "opt", changes=changes)


def do(shop: LocalService, kind: StepKind, fence: int = 5, rollback: str = "r1") -> object:
    """Do the switch to v1.2.0 if it is not done, then one step of the plan."""
    driver = shop.driver(rollback)
    seen = driver.observe()
    plan = driver.plan(seen, "v1.2.0")
    if seen.running != "v1.2.0":
        driver.perform(step(plan, StepKind.SWITCH), {}, fence, 20)
    todo = step(plan, kind)
    return driver.perform(todo, driver.before(todo), fence, 20)


def refusal(shop: LocalService, fence: int = 5) -> RollbackError:
    with pytest.raises(RollbackError) as refused:
        do(shop, StepKind.RESTART, fence)
    return refused.value


def test_a_marker_is_replaced_and_says_by_whom(tmp_path: Path) -> None:
    """A new file each time, for services that watch for one."""
    marker = tmp_path / "opt/restart.txt"
    shop = shop_that(tmp_path, restart=Restart(RestartKind.MARKER, path=str(marker)))
    do(shop, StepKind.RESTART)
    first = marker.stat().st_ino
    assert marker.read_text() == "r1 5\n"
    marker.with_suffix(".kept").hardlink_to(marker)
    do(shop, StepKind.RESTART, fence=6)
    assert marker.stat().st_ino != first


def test_a_command_gets_its_words_as_they_are(tmp_path: Path) -> None:
    """No shell stands between the inventory and the command."""
    out = tmp_path / "out"
    words = ["a b", "$(touch pwned)", "", "*", "-n", "'"]
    code = "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(repr(sys.argv[2:]))"
    argv = (sys.executable, "-c", code, str(out), *words)
    do(shop_that(tmp_path, restart=Restart(RestartKind.COMMAND, argv=argv)), StepKind.RESTART)
    assert out.read_text() == repr(words)


def test_a_command_that_fails_says_so_in_its_own_words(tmp_path: Path) -> None:
    """Transient: the runner tries it again."""
    restart = Restart(RestartKind.COMMAND, argv=("sh", "-c", "echo no such shop >&2; exit 3"))
    refused = refusal(shop_that(tmp_path, restart=restart))
    assert isinstance(refused, Transient)
    assert refused.reason is Reason.COMMAND_FAILED
    assert "exit code 3" in str(refused)
    assert "no such shop" in str(refused)


def test_a_command_that_is_not_there_is_the_inventorys_mistake(tmp_path: Path) -> None:
    """Trying again would not bring it."""
    refused = refusal(shop_that(tmp_path, restart=Restart(RestartKind.COMMAND, argv=("/no/such/command",))))
    assert isinstance(refused, Permanent)
    assert refused.reason is Reason.TARGET_MISCONFIGURED


def test_a_daemon_left_behind_holds_neither_us_nor_the_lock(tmp_path: Path) -> None:
    """`flock` without `-o` would leak the lock into it, and its end of our pipe would keep us waiting."""
    pid_file = tmp_path / "pid"
    daemon = f"sleep 300 & echo $! >'{pid_file}'"
    shop = shop_that(tmp_path, restart=Restart(RestartKind.COMMAND, argv=("sh", "-c", daemon)))
    do(shop, StepKind.RESTART)
    pid = int(pid_file.read_text())
    try:
        assert Path(f"/proc/{pid}").exists()
        lock = shop.root / ".rollback/lock"
        assert subprocess.run(["flock", "-n", str(lock), "true"], check=False).returncode == 0
        assert str(Path(f"/proc/{pid}/fd/1").readlink()) == str(shop.root / ".rollback/output")
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_signal_reaches_the_process_in_the_pid_file(tmp_path: Path) -> None:
    """And no other."""
    pid_file = tmp_path / "pid"
    with subprocess.Popen(
        # A shell cannot trap what was ignored when it began, as HUP is under nohup.
        ["env", "--default-signal=HUP", "sh", "-c", "trap 'exit 42' HUP; echo up; while :; do sleep 0.05; done"],
        stdout=subprocess.PIPE,
    ) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == b"up\n"
        pid_file.write_text(f"{daemon.pid}\n")
        do(
            shop_that(tmp_path, restart=Restart(RestartKind.SIGNAL, signal="HUP", path=str(pid_file))),
            StepKind.RESTART,
        )
        assert daemon.wait(10) == 42


@pytest.mark.parametrize("text", ["", "-1", "0", "1", "012", "12 or so", "$(id)"])
def test_a_pid_file_that_names_no_process_signals_nobody(tmp_path: Path, text: str) -> None:
    """`kill -1` and `kill 0` would reach everybody."""
    pid_file = tmp_path / "pid"
    pid_file.write_text(text)
    restart = Restart(RestartKind.SIGNAL, signal="USR1", path=str(pid_file))
    assert refusal(shop_that(tmp_path, restart=restart)).reason is Reason.COMMAND_FAILED


def test_a_stale_worker_restarts_nothing(tmp_path: Path) -> None:
    """The fence that a takeover leaves guards the restart too."""
    marker = tmp_path / "opt/restart.txt"
    shop = shop_that(tmp_path, restart=Restart(RestartKind.MARKER, path=str(marker)))
    do(shop, StepKind.RESTART, fence=9)
    assert refusal(shop, fence=8).reason is Reason.STALE_FENCE
    assert marker.read_text() == "r1 9\n"


def test_nothing_is_restarted_for_a_link_that_went_elsewhere(tmp_path: Path) -> None:
    """Somebody deployed between switch and restart: their release is theirs to start."""
    shop = shop_that(tmp_path)
    driver = shop.driver()
    plan = driver.plan(driver.observe(), "v1.2.0")
    with pytest.raises(Permanent) as refused:
        driver.perform(step(plan, StepKind.RESTART), {}, 5, 20)
    assert refused.value.reason is Reason.CHANGED_MEANWHILE
    assert not (shop.root / "restart.txt").exists()


def test_a_restart_without_a_life_of_its_own_is_done_again(tmp_path: Path) -> None:
    """Markers, signals and commands leave no trace that could prove them done, and bear being done twice."""
    shop = shop_that(tmp_path)
    todo = step(shop.plan(), StepKind.RESTART)
    assert shop.driver().inspect(todo, {}, 5) is StepState.NOT_DONE


def draining(tmp_path: Path, script: str, within_s: float = 60) -> LocalService:
    return shop_that(tmp_path, stop=Stop(("sh", "-c", script), ("true",), within_s))


def test_a_drain_is_waited_for_and_run_once(tmp_path: Path) -> None:
    """It runs on by itself: asking again joins the one under way, and one that ended well is not run again."""
    log, go = tmp_path / "log", tmp_path / "go"
    shop = draining(tmp_path, f"echo drained >>'{log}'; while [ ! -e '{go}' ]; do sleep 0.05; done")
    with pytest.raises(NotYet):
        do(shop, StepKind.DRAIN)
    go.touch()
    assert do(shop, StepKind.DRAIN) == {"code": 0}
    assert do(shop, StepKind.DRAIN, fence=6) == {"code": 0}
    assert log.read_text() == "drained\n"
    assert do(shop, StepKind.UNDRAIN, fence=6) == {"code": 0}


def test_undrain_waits_for_a_drain_that_still_runs(tmp_path: Path) -> None:
    """A drain whose worker died has not the last word: the instance is in rotation, and then drained anew."""
    log, go = tmp_path / "log", tmp_path / "go"
    drain = f"while [ ! -e '{go}' ]; do sleep 0.05; done; echo drained >>'{log}'"
    shop = shop_that(tmp_path, stop=Stop(("sh", "-c", drain), ("sh", "-c", f"echo undrained >>'{log}'"), 60))
    for kind in (StepKind.DRAIN, StepKind.UNDRAIN):
        with pytest.raises(NotYet):
            do(shop, kind)
    go.touch()
    for kind in (StepKind.UNDRAIN, StepKind.DRAIN):
        assert do(shop, kind) == {"code": 0}
    assert log.read_text() == "drained\nundrained\ndrained\n"


def test_a_drain_of_an_earlier_rollback_does_not_count(tmp_path: Path) -> None:
    """Each rollback drains for itself."""
    log = tmp_path / "log"
    shop = draining(tmp_path, f"echo drained >>'{log}'")
    do(shop, StepKind.DRAIN, fence=5, rollback="r1")
    do(shop, StepKind.DRAIN, fence=6, rollback="r2")
    assert log.read_text() == "drained\ndrained\n"


def test_a_drain_that_fails_is_told_and_can_be_tried_again(tmp_path: Path) -> None:
    """With what the command said."""
    flag = tmp_path / "flag"
    shop = draining(tmp_path, f"[ -e '{flag}' ] || {{ touch '{flag}'; echo still busy; exit 4; }}")
    with pytest.raises(Transient, match=r"exit code 4.*still busy"):
        do(shop, StepKind.DRAIN)
    assert do(shop, StepKind.DRAIN) == {"code": 0}


def test_a_drain_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """`within` is kept on the host, whoever still watches."""
    pid_file = tmp_path / "pid"
    with pytest.raises(Permanent) as late:
        do(draining(tmp_path, f"echo $$ >'{pid_file}'; exec sleep 300", within_s=1), StepKind.DRAIN)
    assert late.value.reason is Reason.DEADLINE
    until(
        lambda: not Path(f"/proc/{pid_file.read_text().strip()}").exists(), within_s=10, what="the drain is ended"
    )
