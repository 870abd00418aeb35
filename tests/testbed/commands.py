"""Commands of `rollbackctl`, run to their end against an installation, or beside a test."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from testbed.installation import CLI, Installation


def run(installed: Installation, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end, whatever comes of it."""
    argv, env = _command(installed, words, variables)
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=120)


def does(installed: Installation, *words: str, **variables: str) -> str:
    """Run one command, which must succeed; return what it printed."""
    done = run(installed, *words, **variables)
    assert done.returncode == 0, f"rollbackctl {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def approver(installed: Installation) -> dict[str, str]:
    """Return the variable by which a command speaks for somebody who may approve."""
    return {"ROLLBACK_TOKEN_FILE": str(installed.token_file("approver"))}


def printed(installed: Installation, *words: str, **variables: str) -> Any:
    """Run one command, which must succeed, and return its answer as data."""
    return json.loads(does(installed, *words, "--json", **variables))


@contextlib.contextmanager
def beside(installed: Installation, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run one command that reads its standard input while the test goes on; it ends once the input does."""
    argv, env = _command(installed, words, {})
    with subprocess.Popen(argv, env=env, stdin=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.communicate(timeout=60)


def _command(installed: Installation, words: tuple[str, ...], variables: dict[str, str]) -> tuple[list[str], Any]:
    env = {**os.environ, "ROLLBACK_CONFIG": str(installed.settings_file), **variables}
    return [sys.executable, "-c", CLI, *words], env
