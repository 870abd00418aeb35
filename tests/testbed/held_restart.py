"""A shop whose restart waits until it is let go: what befalls anybody then befalls a rollback in its middle."""

from __future__ import annotations

from testbed.hosts import UNIT, Host
from testbed.wait import until

_WAITS, _GO = "/run/shop.waits", "/run/shop.go"
_GATE = f"[Service]\nExecStartPre=+/bin/sh -c 'touch {_WAITS}; until [ -e {_GO} ]; do sleep 0.05; done'\n"


def hold_restarts(host: Host) -> None:
    """Have each start of the shop wait from now on, until `let_go` or a reset of the host."""
    folder = f"/run/systemd/system/{UNIT}.d"
    host.run("sh", "-c", f"rm -f {_WAITS} {_GO}; mkdir -p {folder}")
    host.run("sh", "-c", f'printf %s "$1" >{folder}/gate.conf', "sh", _GATE)
    host.run("systemctl", "daemon-reload")


def wait_until_held(host: Host) -> None:
    """Wait until the shop is being restarted."""
    until(lambda: host.run("sh", "-c", f"ls {_WAITS} || :"), within_s=30, what="the restart waits")


def let_go(host: Host) -> None:
    """Let the shop start."""
    host.run("touch", _GO)
