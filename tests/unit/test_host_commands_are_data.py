"""What is sent to a host: one fixed script per job, and values beside it."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from workers.hosts import commands

NASTY = "$(touch pwned) '; rm -rf / #\n-n"
VALUES = {
    "current": f"/opt/{NASTY}/current",
    "target": NASTY,
    "release": NASTY,
    "note": "drain",
    "name": NASTY,
    "planned": {"target": NASTY, "id": "1:2.3"},
    "kind": "command",
    "unit": None,
    "argv": [NASTY, "", "-x"],
    "within_s": 900,
}
ALL = [
    commands.observe("/c/current", "/c/releases", executable=NASTY, complete=NASTY, unit=NASTY, wait_s=3),
    commands.switch(VALUES, 7, "r1", 30),
    commands.restart(VALUES, 7, "r1", 30, sudo=True),
    commands.keep_stable(VALUES, 7, "r1", 30),
    commands.drain(VALUES, 7, "r1", 30),
    commands.look(NASTY),
    commands.evidence(NASTY, 1800.0, 1000),
    commands.rights(NASTY, ("restart",)),
]


@pytest.mark.parametrize("argv", ALL, ids=lambda argv: argv[2].rsplit("\n", 3)[0][-20:])
def test_no_value_becomes_text_of_a_script(argv: tuple[str, ...]) -> None:
    """The script is the same whatever the values; what travels over SSH is read back word for word."""
    sh, option, script, name, *words = argv
    assert (sh, option, name) == ("sh", "-c", "sh")
    assert "pwned" not in script
    assert script in {commands.script(known) for known in commands.SCRIPTS}
    assert shlex.split(shlex.join(argv)) == list(argv)
    assert any(NASTY in word for word in words) or "/c/current" in words


def test_switch_names_the_link_it_was_planned_against() -> None:
    """Target, release, the link as it was, fence, rollback, and how long to wait for the lock."""
    argv = commands.switch(VALUES, 7, "r1", 30)
    assert argv[4:] == (VALUES["current"], NASTY, NASTY, NASTY, "1:2.3", "7", "r1", "30")


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
@pytest.mark.parametrize("name", sorted(commands.SCRIPTS))
def test_every_shell_reads_the_scripts(shell: str, name: str) -> None:
    """Where a shell is installed here; the host's `sh` may be any of them."""
    path = shutil.which(shell)
    if path is None:
        return
    argv = [path, "sh"] if shell == "busybox" else [path]
    done = subprocess.run([*argv, "-n", "-c", commands.script(name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("kind", "verbs"),
    [
        ("systemd", ("daemon-reload", "reset-failed", "restart")),
        ("reload", ("daemon-reload", "reset-failed", "restart", "reload")),
        ("signal", ("daemon-reload", "reset-failed", "restart", "kill:HUP")),
        ("marker", ()),
        ("command", ()),
    ],
)
def test_what_sudo_must_allow(kind: str, verbs: tuple[str, ...]) -> None:
    """Exactly what a restart of that kind asks of systemctl."""
    assert commands.sudo_verbs(kind, "HUP") == verbs
