"""What is sent to hosts is plain POSIX shell that a linter has nothing to say against, as it is sent."""

from __future__ import annotations

import subprocess

import pytest
from testbed.parts import program
from testbed.programs import REPOSITORY

from workers.hosts.commands import SCRIPTS, script


@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_has_nothing_to_say(name: str) -> None:
    """Debian's smallest shell is what runs it on most hosts."""
    argv = [program("shellcheck"), "--shell=dash", "-"]
    done = subprocess.run(argv, input=script(name), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout


def test_nor_against_the_guard_of_a_host() -> None:
    """It stands alone: a host has nothing else of ours."""
    argv = [program("shellcheck"), "--shell=dash", str(REPOSITORY / "systemd/guard/rollback-guard")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout
