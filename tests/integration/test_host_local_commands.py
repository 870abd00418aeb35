"""Commands on this machine end, whatever they do, and learn nothing of ours."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from testbed.wait import until

from rules.decisions import Reason
from rules.errors import Permanent, Transient
from workers.hosts.local import Local

MIB = 1 << 20


def test_both_streams_are_drained() -> None:
    """More than a pipe holds, on either side first."""
    script = f"head -c {3 * MIB} /dev/zero >&2; head -c {3 * MIB} /dev/zero; exit 7"
    result = Local().run(["sh", "-c", script], deadline_s=60)
    assert (result.exit, len(result.stdout), len(result.stderr)) == (7, 3 * MIB, 3 * MIB)


def test_output_without_end_is_capped() -> None:
    """What is beyond the cap is read and dropped."""
    assert len(Local().run(["head", "-c", str(20 * MIB), "/dev/zero"], deadline_s=60).stdout) == 8 * MIB


def test_past_its_deadline_a_command_is_ended_with_its_children(tmp_path: Path) -> None:
    """Its whole process group."""
    pids = tmp_path / "pids"
    script = f"sleep 300 & echo $$ $! >'{pids}'; wait"
    with pytest.raises(Transient) as late:
        Local().run(["sh", "-c", script], deadline_s=1)
    assert late.value.reason is Reason.DEADLINE
    for pid in pids.read_text().split():
        until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), within_s=5, what=f"process {pid} is gone")


def test_a_command_that_closes_its_streams_is_still_waited_for() -> None:
    """The end of output is not the end of the command."""
    assert Local().run(["sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 9"], deadline_s=60).exit == 9


def test_a_daemon_that_keeps_the_streams_open_does_not_keep_us() -> None:
    """The command has ended: that is what was asked."""
    result = Local().run(["sh", "-c", "sleep 300 & echo $!; exit 3"], deadline_s=60)
    os.kill(int(result.stdout), signal.SIGKILL)
    assert result.exit == 3


def test_our_settings_stay_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's environment may hold secrets; the service's commands see the usual variables only."""
    monkeypatch.setenv("ROLLBACK_REDIS__PASSWORD", "secret")
    said = Local().run(["env"], deadline_s=10).stdout.decode()
    assert "ROLLBACK" not in said
    assert "PATH=" in said


def test_a_program_that_is_not_there() -> None:
    """Permanent, by name."""
    with pytest.raises(Permanent, match="/no/such/sh"):
        Local().run(["/no/such/sh"], deadline_s=1)
