"""A traceback in the log says where it went wrong, and not what the variables held there: secrets among it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import logging, sys
import structlog
from controller.logs import configure
from controller.settings.settings import Log

def fail(template):
    raise KeyError("spec")

configure(Log(format=sys.argv[1]))
for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
    try:
        fail({"env": [{"value": sys.argv[2]}]})
    except KeyError:
        log.exception("it.failed")
"""


@pytest.mark.parametrize("how", ["json", "console"])
def test_tracebacks_show_no_values(how: str) -> None:
    """In both formats, ours and those of libraries."""
    command = [sys.executable, "-c", PROGRAM, how, "hunter2-marker"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    assert said.count("Traceback (most recent call last)") == 2
    assert said.count("in fail") == 2
    assert "hunter2-marker" not in said
