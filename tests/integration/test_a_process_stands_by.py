"""A process that stands by for the next job makes it quick, and is never needed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from testbed.wait import until

from workers.standby import Standby

REPOSITORY = Path(__file__).resolve().parents[2]


def nothing() -> None:
    """Prepare nothing."""


def test_who_stands_by_does_what_it_is_told(tmp_path: Path) -> None:
    """Prepared before, told once, ended after."""
    ready, told = tmp_path / "ready", tmp_path / "told"
    standby = Standby.fork(told.write_bytes, lambda: ready.write_text("yes") and None)
    until(ready.exists, within_s=10, what="it is prepared")
    assert not told.exists()
    assert standby.hand_over(b"n1")
    assert os.waitpid(standby.pid, 0)[1] == 0
    assert told.read_bytes() == b"n1"


def test_who_died_meanwhile_is_given_nothing(tmp_path: Path) -> None:
    """The job is forked for instead, and no dead process is left."""
    told = tmp_path / "told"
    standby = Standby.fork(told.write_bytes, nothing)
    pid = standby.pid
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert not standby.hand_over(b"n1")
    assert not told.exists()
    assert not Path(f"/proc/{pid}").exists()


def test_who_is_dismissed_ends_without_work(tmp_path: Path) -> None:
    """As when the rules changed: who stands by has the old ones."""
    told = tmp_path / "told"
    standby = Standby.fork(told.write_bytes, nothing)
    pid = standby.pid
    standby.dismiss()
    assert not Path(f"/proc/{pid}").exists()
    assert not told.exists()


def test_who_stands_by_ends_with_its_parent() -> None:
    """The worker is killed with SIGKILL: nobody is left waiting for a word."""
    script = (
        "import os, signal; from workers.standby import Standby\n"
        "print(Standby.fork(print, lambda: None).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30
    )
    pid = int(done.stdout.split()[0])
    until(lambda: not _runs(pid), within_s=10, what="it is gone as well")


def test_what_goes_wrong_in_it_ends_it_and_nothing_else() -> None:
    """Its failure never unwinds into what its parent was doing."""

    def fail(word: bytes) -> None:
        raise ValueError(word)

    standby = Standby.fork(fail, nothing)
    assert standby.hand_over(b"n1")
    assert os.waitstatus_to_exitcode(os.waitpid(standby.pid, 0)[1]) == 1


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
