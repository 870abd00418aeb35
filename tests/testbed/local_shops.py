"""Instances on this machine, for scenarios that need no real host: two releases, a link, a counted restart.

One small server speaks for all of them: an instance is healthy when the release that its link points to is.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import shop
from testbed.unguarded import AT_ONCE, UNGUARDED

BLOCKING_RESTART = (
    'echo "$$" > "$1/restarting"; while [ ! -e "$1/go" ]; do sleep 0.05; done; readlink "$2" >> "$3"'
)
"""Says that it has begun, then waits to be let go: the moment between the switch and the restart, held open."""


@dataclass(frozen=True, slots=True)
class LocalShop:
    """One service with one instance in a folder; its restart writes a line, so effects can be counted."""

    name: str
    folder: Path
    port: int

    @property
    def releases(self) -> Path:
        """Where the releases lie."""
        return self.folder / "releases"

    @property
    def current(self) -> Path:
        """The link that is switched."""
        return self.folder / "current"

    @property
    def restarts_file(self) -> Path:
        """Where each restart leaves a line."""
        return self.folder / "restarts"

    @property
    def instance(self) -> str:
        """The identity the product knows it by."""
        return f"hosts/default/{self.name}/{self.name}"

    def lay_out(self) -> None:
        """Make it: v1.2.0 is there, v1.3.0 came later and runs."""
        shop.write_release(self.releases, "v1.2.0")
        shop.write_release(self.releases, "v1.3.0", shop.ERRORS)
        self.restarts_file.write_text("")
        self.deploy("v1.3.0")

    def deploy(self, version: str) -> None:
        """Switch to a release as a deployer does."""
        beside = self.folder / ".deploying"
        beside.symlink_to(f"releases/{version}")
        beside.rename(self.current)

    def running(self) -> str:
        """Return the release that the link points to."""
        return os.path.basename(self.current.readlink())  # noqa: PTH119 - the link's own text

    def restarts(self) -> int:
        """Return how often it was restarted."""
        return len(self.restarts_file.read_text().splitlines())

    def entry(self, track: str, **over: Any) -> dict[str, Any]:
        """Return its part of an inventory."""
        restart = ["sh", "-c", 'readlink "$1" >> "$2"', "sh", str(self.current), str(self.restarts_file)]
        host = {"name": self.name, "address": "127.0.0.1", "labels": {"track": track}}
        return {
            "releases": str(self.releases),
            "current": str(self.current),
            "restart": {"command": restart},
            "health": {"url": f"http://127.0.0.1:{self.port}/{self.name}", "within": "10s"},
            "hosts": [host],
            **over,
        }

    def labels(self, **more: str) -> dict[str, str]:
        """Return the labels of an alert about it."""
        return {"alertname": "ShopFails", "service": self.name, "instance": self.name, **more}


@contextlib.contextmanager
def local_shops(folder: Path, *names: str) -> Iterator[dict[str, LocalShop]]:
    """Make instances in a folder and answer for their health."""

    class Healthz(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if _is_well(folder / self.path.strip("/")) else 503)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthz) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            made = {name: LocalShop(name, folder / name, server.server_port) for name in names}
            for one in made.values():
                one.lay_out()
            yield made
        finally:
            server.shutdown()
            thread.join()


def _is_well(folder: Path) -> bool:
    try:
        told = json.loads((folder / "current/release.json").read_text())
    except OSError:
        return False
    return bool(told["behaves"] == shop.WELL)


def local_inventory(**services: dict[str, Any]) -> str:
    """Return the inventory of a controller that looks after its own machine."""
    return json.dumps({"version": "inventory/v1", "connection": "local", "services": services})


def rules(**over: Any) -> str:
    """Return a rule file that acts on alerts about a shop at once, and judges quickly.

    No guard keeps it back; `guards` says which ones shall.
    """
    rule = {
        "name": "shop-fails",
        "mode": "act",
        "when": {"matchers": ['alertname=~"ShopFails|ShopGone"']},
        "target": {
            "hosts": {"instance": "{{ $labels.instance }}"},
            "service": "{{ $labels.service }}",
        },
        "to": ["previous"],
        "verify": {"healthy-within": "20s", "steady": "1s", "cleared-within": "2m"},
        "retry": {"attempts": 5, "initial": "1s", "factor": 2, "max": "4s"},
        "waves": AT_ONCE,
        **over,
        "guards": {**UNGUARDED, **over.get("guards", {})},
    }
    return json.dumps({"version": "rules/v1", "rules": [rule]})


def together(*files: str) -> str:
    """Return one rule file with the rules of several, in their order."""
    found = [rule for text in files for rule in json.loads(text)["rules"]]
    return json.dumps({"version": "rules/v1", "rules": found})
