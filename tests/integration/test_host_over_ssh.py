"""Over a real sshd: who is trusted, what is refused and how it is told, and commands that do not behave."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from testbed.cuttable import cuttable
from testbed.local_service import LocalService, step
from testbed.loopback_sshd import Sshd, free_port, make_key, start_sshd
from testbed.wait import until

from rules.decisions import Reason
from rules.errors import Permanent, RollbackError, Transient
from rules.instances import HostInstance
from rules.inventory import Inventory
from rules.plans import StepKind, StepState
from workers.hosts import Params, reach
from workers.hosts.ssh import SshConnection

MIB = 1 << 20


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with start_sshd(tmp_path_factory.mktemp("sshd")) as started:
        yield started


@pytest.fixture
def there(sshd: Sshd) -> Iterator[SshConnection]:
    with contextlib.closing(sshd.connection()) as connection:
        yield connection


def refusal(connection: SshConnection, *argv: str, deadline_s: float = 10) -> RollbackError:
    with contextlib.closing(connection), pytest.raises(RollbackError) as refused:
        connection.run(argv or ("true",), deadline_s=deadline_s)
    return refused.value


def test_words_arrive_as_they_are(there: SshConnection) -> None:
    """The remote shell sees quoted words, never our values as its own text."""
    words = ["a b", "$(touch pwned)", "", "*", "it's", "-n", "a\nb", "é"]
    result = there.run(["printf", "<%s>", *words], deadline_s=10)
    assert result.stdout.decode() == "".join(f"<{word}>" for word in words)


def test_one_connection_serves_many_commands(there: SshConnection) -> None:
    """Connecting costs ten times what a command costs."""
    peers = {there.run(["sh", "-c", "echo $SSH_CONNECTION"], deadline_s=10).stdout for _ in range(3)}
    assert len(peers) == 1


def test_three_mebibytes_on_both_streams(there: SshConnection) -> None:
    """Either stream read to its end before the other would block the command for ever."""
    script = (
        f"head -c {3 * MIB} /dev/zero >&2; head -c {3 * MIB} /dev/zero; head -c {3 * MIB} /dev/zero >&2; exit 7"
    )
    result = there.run(["sh", "-c", script], deadline_s=60)
    assert (result.exit, len(result.stdout), len(result.stderr)) == (7, 3 * MIB, 6 * MIB)


def test_output_without_end_is_capped(there: SshConnection) -> None:
    """What is beyond the cap is drained and dropped."""
    result = there.run(["head", "-c", str(20 * MIB), "/dev/zero"], deadline_s=60)
    assert (result.exit, len(result.stdout)) == (0, 8 * MIB)


def test_a_daemon_that_keeps_the_streams_open_does_not_keep_us(there: SshConnection) -> None:
    """The command has ended: that is what was asked."""
    result = there.run(["sh", "-c", "sleep 300 & echo $!; exit 3"], deadline_s=60)
    os.kill(int(result.stdout), signal.SIGKILL)
    assert result.exit == 3


def test_a_command_that_outlives_its_deadline(sshd: Sshd, tmp_path: Path) -> None:
    """It is ended on the host, and whether it did anything is looked at, not guessed."""
    pid_file = tmp_path / "pid"
    late = refusal(sshd.connection(), "sh", "-c", f"echo $$ >'{pid_file}'; exec sleep 300", deadline_s=1)
    assert isinstance(late, Transient)
    assert late.reason is Reason.DEADLINE
    until(
        lambda: not Path(f"/proc/{pid_file.read_text().strip()}").exists(),
        within_s=10,
        what="the command is ended",
    )


def test_a_connection_cut_in_the_middle_is_made_anew(sshd: Sshd, tmp_path: Path) -> None:
    """The cut is transient; the next command finds a new connection."""
    began = tmp_path / "began"
    with cuttable(sshd.port) as way, contextlib.closing(sshd.by(way.port)) as connection:
        with ThreadPoolExecutor(1) as pool:
            script = f"touch '{began}'; exec sleep 30"
            answer = pool.submit(connection.run, ["sh", "-c", script], deadline_s=60)
            until(began.exists, within_s=10, what="the command has begun")
            way.cut()
            with pytest.raises(Transient) as cut:
                answer.result(10)
        assert cut.value.reason is Reason.UNREACHABLE
        assert connection.run(["echo", "again"], deadline_s=10).stdout == b"again\n"


def test_a_script_goes_on_after_a_cut_and_is_waited_for(sshd: Sshd, tmp_path: Path) -> None:
    """A look after a cut takes the lock first, so it never sees the script half-way."""
    shop = LocalService(tmp_path / "opt")
    with cuttable(sshd.port) as way, ThreadPoolExecutor(2) as pool, contextlib.ExitStack() as open_:
        inventory = Inventory({"shop": shop.service}, sshd.by_ssh(way.port))
        driver = reach(HostInstance("default", "shop", "here"), inventory, Params(), "r1")
        open_.callback(driver.close)
        plan = driver.plan(driver.observe(), "v1.2.0")
        driver.preflight(plan)
        todo = step(plan, StepKind.SWITCH)
        before = driver.before(todo)
        with held(shop.root / ".rollback/lock"):
            answer = pool.submit(driver.perform, todo, before, 5, 60)
            until(lambda: waiting_for_lock(shop) == 1, within_s=10, what="the script waits for the lock")
            way.cut()
            with pytest.raises(Transient) as cut:
                answer.result(10)
            assert cut.value.reason is Reason.UNREACHABLE
            look = pool.submit(driver.inspect, todo, before, 5)
            until(lambda: waiting_for_lock(shop) == 2, within_s=10, what="the look waits behind it")
            assert shop.link() == "releases/v1.3.0"
        assert look.result(20) is StepState.DONE
    assert shop.link() == "releases/v1.2.0"


@contextlib.contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock, as a deploy tool would."""
    lock.parent.mkdir()
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def waiting_for_lock(shop: LocalService) -> int:
    """Count who waits for the shop's lock."""
    inode = (shop.root / ".rollback/lock").stat().st_ino
    return sum(1 for line in Path("/proc/locks").read_text().splitlines() if "->" in line and f":{inode} " in line)


def test_a_key_that_is_restricted_and_forced(sshd: Sshd, tmp_path: Path) -> None:
    """No terminal, no forwarding, and a gate that passes on what was asked: all that is needed still works."""
    gate = tmp_path / "gate"
    gate.write_text(f"#!/bin/sh\necho asked >>'{tmp_path}/log'\nexec /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"\n")
    gate.chmod(0o755)
    keys = sshd.folder / "authorized_keys"
    plain = keys.read_text()
    keys.write_text(f'restrict,from="127.0.0.1",command="{gate}" {plain}')
    shop = LocalService(tmp_path / "opt")
    driver = reach(
        HostInstance("default", "shop", "here"), Inventory({"shop": shop.service}, sshd.ssh), Params(), "r1"
    )
    try:
        plan = driver.plan(driver.observe(), "v1.2.0")
        driver.perform(step(plan, StepKind.SWITCH), {}, 5, 20)
    finally:
        driver.close()
        keys.write_text(plain)
    assert shop.link() == "releases/v1.2.0"
    assert (tmp_path / "log").read_text() == "asked\nasked\n"


def test_an_unknown_host_is_not_even_called(sshd: Sshd) -> None:
    """The message holds the line that learns the key, and how to be sure of it."""
    known = sshd.known_hosts()
    unknown = refusal(sshd.connection(known_hosts=known))
    assert isinstance(unknown, Permanent)
    assert unknown.reason is Reason.HOST_KEY_UNKNOWN
    assert f"ssh-keyscan -p {sshd.port} 127.0.0.1 >> {known}" in str(unknown)


def test_a_key_on_another_port_is_not_this_hosts(sshd: Sshd) -> None:
    """Without the port, the name in known_hosts means port 22."""
    line = sshd.key_line("host_key").replace(f"[127.0.0.1]:{sshd.port}", "127.0.0.1")
    assert refusal(sshd.connection(known_hosts=sshd.known_hosts(line))).reason is Reason.HOST_KEY_UNKNOWN


def test_another_key_than_the_known_one(sshd: Sshd) -> None:
    """Somebody may be in between: nothing is sent, and nobody adds the new key by himself."""
    known = sshd.known_hosts(sshd.key_line("other_key"))
    mismatch = refusal(sshd.connection(known_hosts=known))
    assert isinstance(mismatch, Permanent)
    assert mismatch.reason is Reason.HOST_KEY_MISMATCH
    assert f"ssh-keygen -R '[127.0.0.1]:{sshd.port}' -f {known}" in str(mismatch)
    assert Path(known).read_text() == sshd.key_line("other_key") + "\n"


def test_a_key_of_another_type_than_the_host_has(sshd: Sshd) -> None:
    """Known by an RSA key, the host is asked for that and for nothing else."""
    make_key(sshd.folder / "rsa_key", "rsa")
    known = sshd.known_hosts(sshd.key_line("rsa_key"))
    assert refusal(sshd.connection(known_hosts=known)).reason is Reason.HOST_KEY_MISMATCH


def test_one_right_key_among_the_known_ones_is_enough(sshd: Sshd) -> None:
    """A host that is also known by a key it no longer shows is still itself; unknown key types do no harm."""
    make_key(sshd.folder / "old_rsa_key", "rsa")
    odd = f"[127.0.0.1]:{sshd.port} ssh-none AAAA"
    known = sshd.known_hosts(odd, sshd.key_line("old_rsa_key"), sshd.key_line("host_key"))
    with contextlib.closing(sshd.connection(known_hosts=known)) as connection:
        assert connection.run(["true"], deadline_s=10).exit == 0


def test_a_key_that_opens_nothing(sshd: Sshd) -> None:
    """Permanent: the same key will be refused again."""
    refused = refusal(sshd.connection(key_file=str(sshd.folder / "other_key")))
    assert isinstance(refused, Permanent)
    assert refused.reason is Reason.LOGIN_REFUSED
    assert "authorized_keys" in str(refused)


@pytest.mark.parametrize("what", ["missing", "garbage", "passphrase"])
def test_a_key_file_that_is_none(sshd: Sshd, tmp_path: Path, what: str) -> None:
    """Said by name, before anybody is called."""
    path = tmp_path / "key"
    if what == "garbage":
        path.write_text("no key\n")
    elif what == "passphrase":
        make_key(path, passphrase="secret phrase")
    refused = refusal(sshd.connection(key_file=str(path)))
    assert isinstance(refused, Permanent)
    assert refused.reason is Reason.LOGIN_REFUSED
    assert str(path) in str(refused)


def test_missing_known_hosts_are_said_by_name(sshd: Sshd) -> None:
    """No file is no trust."""
    refused = refusal(sshd.connection(known_hosts="/no/such/known_hosts"))
    assert refused.reason is Reason.HOST_KEY_UNKNOWN
    assert "/no/such/known_hosts" in str(refused)


def test_nobody_listens(sshd: Sshd) -> None:
    """Transient: a host that reboots comes back."""
    refused = refusal(sshd.by(free_port()))
    assert isinstance(refused, Transient)
    assert refused.reason is Reason.UNREACHABLE


def hang_up_on_the_first(server: socket.socket) -> None:
    server.accept()[0].close()


def test_something_else_listens(sshd: Sshd) -> None:
    """A port that accepts and hangs up is no sshd, and no reason to give up for good."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        rude = threading.Thread(target=hang_up_on_the_first, args=(server,))
        rude.start()
        refused = refusal(sshd.by(port))
        rude.join()
    assert isinstance(refused, Transient)
    assert refused.reason is Reason.UNREACHABLE
