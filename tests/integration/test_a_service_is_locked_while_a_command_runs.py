"""`rollbackctl lock SERVICE -- CMD`: the service is held as long as the command runs, and no longer."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from testbed.installation import CLI, Installation
from testbed.redis import Redis
from testbed.wait import until
from testbed.web_face import INVENTORY, RULES

from controller.ledger import Ledger
from rules.facts import Lock

WAITS = "trap 'echo told; exit 7' TERM USR1; echo began; while :; do sleep 0.05; done"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory, valkey_server: Redis) -> Iterator[Installation]:
    """Run a server for all tests of this page."""
    made = Installation(tmp_path_factory.mktemp("locking"), valkey_server.url, RULES, INVENTORY)
    with made.serving():
        yield made


@pytest.fixture
def shop(serving: Installation, redis_server: Redis) -> Installation:
    """Give the server with nothing locked."""
    del redis_server
    return serving


def words(*more: str) -> list[str]:
    return [sys.executable, "-c", CLI, "lock", *more]


def environment(shop: Installation, **more: str) -> dict[str, str]:
    return {**os.environ, "ROLLBACK_CONFIG": str(shop.settings_file), **more}


def run(shop: Installation, *more: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(*more), env=environment(shop, **variables), capture_output=True, text=True, check=False, timeout=60
    )


@contextmanager
def started(shop: Installation, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Start it, and leave nothing of it behind."""
    process = subprocess.Popen(
        words(*more),
        env=environment(shop),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def began(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"


def lock_of(ledger: Ledger) -> Lock | None:
    return ledger.hands.locks().get("shop")


def test_the_service_is_held_while_the_command_runs(shop: Installation, ledger: Ledger) -> None:
    """By whom the token says, for the command (never its arguments); afterwards it is free at once."""
    with started(shop, "shop", "--", "sh", "-c", WAITS) as process:
        began(process)
        held = lock_of(ledger)
        assert held is not None
        assert (held.by, held.why) == ("operator", "sh")
        process.terminate()
        process.wait(30)
    assert lock_of(ledger) is None


@pytest.mark.parametrize(
    ("command", "code"),
    [("exit 0", 0), ("exit 1", 1), ("exit 42", 42), ("kill -9 $$", 137), ("kill -TERM $$", 143)],
)
def test_it_ends_as_the_command_ends(shop: Installation, ledger: Ledger, command: str, code: int) -> None:
    """With its exit code, or as a shell says a signal; its output is untouched."""
    done = run(shop, "shop", "--", "sh", "-c", f"echo out; echo err >&2; {command}")
    assert (done.returncode, done.stdout, done.stderr) == (code, "out\n", "err\n")
    assert lock_of(ledger) is None


def test_a_command_that_is_not_there_is_127(shop: Installation, ledger: Ledger) -> None:
    """And one that cannot be executed is 126, as in a shell; nothing stays locked."""
    missing = run(shop, "shop", "--", "no-such-command-at-all")
    assert (missing.returncode, "there is no such command" in missing.stderr) == (127, True)
    assert run(shop, "shop", "--", "/etc/passwd").returncode == 126
    assert lock_of(ledger) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_reaches_the_command(shop: Installation, ledger: Ledger, number: signal.Signals) -> None:
    """Which ends in its own way; then the lock is released."""
    with started(shop, "shop", "--", "sh", "-c", WAITS) as process:
        began(process)
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (7, "told\n")
    assert lock_of(ledger) is None


def test_a_holder_that_is_killed_gives_way_by_itself(
    shop: Installation, ledger: Ledger, redis_server: Redis
) -> None:
    """SIGKILL leaves no time to release it: the lock ends with its time, and the next one gets it."""
    with started(shop, "--ttl", "5s", "shop", "--", "sh", "-c", WAITS) as process:
        began(process)
        process.kill()
        process.wait(30)
        assert lock_of(ledger) is not None
        done = run(shop, "--wait", "--timeout", "30", "shop", "--", "true")
    assert done.returncode == 0, done.stderr
    assert "Waiting: shop is locked by operator (sh)." in done.stderr


def test_it_is_renewed_for_as_long_as_the_command_runs(shop: Installation, ledger: Ledger) -> None:
    """A time of 5 s is moved on long before it is over."""
    with started(shop, "--ttl", "5s", "shop", "--", "sh", "-c", WAITS) as process:
        began(process)
        first = lock_of(ledger)
        assert first is not None
        until(
            lambda: (held := lock_of(ledger)) and held.until_ms != first.until_ms,
            within_s=10,
            what="the lock is renewed",
        )


def test_a_lock_that_is_lost_is_warned_about_and_taken_again(shop: Installation, ledger: Ledger) -> None:
    """The command goes on: half a deployment is worse. Its exit code stays its own."""
    with started(shop, "--ttl", "5s", "shop", "--", "sh", "-c", WAITS) as process:
        began(process)
        assert ledger.hands.break_lock("shop", "ann") == "operator"
        until(lambda: lock_of(ledger), within_s=20, what="the lock is taken again")
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert process.returncode == 7
    assert "The lock is lost while the command runs" in err
    assert "Locked again." in err
    assert "was not locked all the time" in err


def test_a_lock_that_somebody_else_has_by_now_is_left_to_them(shop: Installation, ledger: Ledger) -> None:
    """It is not taken from them at the end either."""
    with started(shop, "--ttl", "5s", "shop", "--", "sh", "-c", WAITS) as process:
        began(process)
        ledger.hands.break_lock("shop", "ann")
        ledger.hands.lock("shop", "ann", "by hand", 600)
        assert process.stderr is not None
        assert "The lock is lost" in process.stderr.readline()
        process.terminate()
        process.communicate(timeout=30)
    held = lock_of(ledger)
    assert held is not None
    assert held.by == "ann"


def test_without_the_lock_the_command_does_not_run(shop: Installation, ledger: Ledger, tmp_path: Path) -> None:
    """Held by somebody else: 1 and who; waited for in vain: 5; an unknown service, a server that is not there."""
    ledger.hands.lock("shop", "ann", "by hand", 600)
    ran = tmp_path / "ran"
    held = run(shop, "shop", "--", "touch", str(ran))
    assert (held.returncode, "shop is locked by ann (by hand)" in held.stderr) == (1, True)
    waited = run(shop, "--wait", "--timeout", "0.1", "shop", "--", "touch", str(ran))
    assert (waited.returncode, "CMD was not run" in waited.stderr) == (5, True)
    unknown = run(shop, "shpo", "--", "touch", str(ran))
    assert (unknown.returncode, "there is: shop" in unknown.stderr) == (1, True)
    away = run(shop, "shop", "--", "touch", str(ran), ROLLBACK_URL="http://127.0.0.1:9")
    assert away.returncode == 3
    nothing = run(shop, "shop")
    assert (nothing.returncode, "Say what to run" in nothing.stderr) == (2, True)
    odd = run(shop, "--ttl", "soon", "shop", "--", "touch", str(ran))
    assert (odd.returncode, "--ttl" in odd.stderr) == (2, True)
    assert not ran.exists()
