"""The first process of a container has no default for SIGTERM, and inherits every orphan: it must see to both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from controller.cli import first_process

BECOMES = """
import os, signal, sys
from controller.cli import first_process
first_process._FIRST = os.getpid()
first_process.obey_sigterm()
first_process.hold_sigterm()
os.kill(os.getpid(), signal.SIGTERM)
after = '''
import os, signal, sys
from workers import __main__ as workers
os.getpid = lambda: 1
print("became", flush=True)
workers._obey_sigterm()
print("not reached")
'''
os.execv(sys.executable, [sys.executable, "-c", after])
"""
ORPHANS = """
import ctypes, multiprocessing, os, time
from workers.orphans import bury_orphans

ctypes.CDLL(None).prctl(36, 1)  # become the one that orphans come to, as the first process of a container is
own = multiprocessing.get_context("fork").Process(target=os._exit, args=(7,))
own.start()
if os.fork() == 0:
    if os.fork() == 0:
        os._exit(0)
    os._exit(0)
buried, until = 0, time.monotonic() + 10
while (buried < 2 or own.is_alive()) and time.monotonic() < until:
    buried += bury_orphans([own])
    time.sleep(0.01)
print(buried, own.exitcode, bury_orphans([own]))
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process of its own, which signals may end."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)


def test_a_sigterm_that_comes_while_the_worker_starts_is_not_lost() -> None:
    """What comes between the command and the program that it becomes is kept for that program."""
    done = run(BECOMES)
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "became\n"), done.stderr


def test_orphans_are_buried_and_our_own_children_keep_their_exit_codes() -> None:
    """Whoever started a process is told what it ended with; nobody else's stays a zombie."""
    done = run(ORPHANS)
    assert done.stdout == "2 7 0\n", done.stderr


def test_elsewhere_nothing_is_changed() -> None:
    """A shell that starts us expects what SIGTERM does by default."""
    assert os.getpid() != 1
    before = signal.getsignal(signal.SIGTERM)
    first_process.obey_sigterm()
    first_process.hold_sigterm()
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
