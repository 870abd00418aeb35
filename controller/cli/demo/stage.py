"""The stage of the demo: a folder with two instances, rules, inventory and tokens, and the processes in it."""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from controller.cli.api import Api
from controller.cli.failures import Failed, Unreachable
from controller.cli.valkey import start_valkey
from controller.cli.worker import worker_process
from controller.settings.secrets import read_secret

if TYPE_CHECKING:
    from collections.abc import Callable

    from controller.cli.children import Children

Found = TypeVar("Found")

GOOD, BAD = "v1.2.0", "v1.3.0"
_HERE = Path(__file__).parent
_READY_WITHIN_S = 20

_SETTINGS = """\
rules: [rules.yaml]
inventory: inventory.yaml
listen: 127.0.0.1:0
workers: 1
numbers: {group_interval_s: 0.5, reconcile_every_s: 0.5}   # as a rule 1 to 5 min
auth:
  tokens:
    - {name: alertmanager, roles: [alerts], file: tokens/alertmanager}
    - {name: you, roles: [operate, approve], file: tokens/you}
"""

RULES = """\
version: rules/v1
rules:
  - name: canary-errors
    mode: act
    when: {matchers: ['alertname="HighErrorRate"', 'severity="critical"']}
    target:
      hosts: {instance: "{{ $labels.instance }}"}
      only: {track: canary}
    to: [previous]                 # a real rule says last-known-good; nothing is known of this shop yet
    guards:
      caused-by-release: {within: 2h}
      affected: {max: 1, max-share: 50%}
    verify: {healthy-within: 10s, steady: 1s, cleared-within: 1m}
"""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of the shop: its folder, and the port it sells on."""

    name: str
    folder: Path
    port: int

    @property
    def address(self) -> str:
        """What Prometheus would call it."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process that serves now."""
        return int((self.folder / "shop.pid").read_text(encoding="utf-8"))

    @property
    def version(self) -> str:
        """The version that the running process tells."""
        with urllib.request.urlopen(f"http://{self.address}/healthz", timeout=2) as answer:
            return str(json.load(answer)["version"])

    def sell(self, orders: int) -> int:
        """Order something so many times, and return how often that failed."""
        return sum(self._fails() for _ in range(orders))

    def _fails(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.address}/buy", timeout=2):
                return False
        except urllib.error.HTTPError as error:
            error.close()
            return True


class Stage:
    """Everything the demo starts, in one folder that is removed with it."""

    def __init__(self, folder: Path, children: Children) -> None:
        self.folder = folder
        self.canary = Instance("canary", folder / "canary", _free_port())
        self.stable = Instance("stable", folder / "stable", _free_port())
        self.config = folder / "rollback.yaml"
        self.shopctl = _HERE / "shopctl.py"
        self.url = ""
        self._children = children

    def set_up(self) -> Api:
        """Write the files, start the processes, and return the server once all of them are ready."""
        _lay_down(self.canary, BAD)
        _lay_down(self.stable, GOOD)
        self._write_files()
        for instance in (self.canary, self.stable):
            self._start(f"shop-{instance.name}", _shopctl("keep", instance.folder, str(instance.port)))
        url = start_valkey(self._children, _made(self.folder / "valkey"))
        argv, env = worker_process(self.config)
        env["ROLLBACK_REDIS__URL"] = url
        self._start("workers", argv, env)
        self._start("server", [sys.executable, "-m", "controller.cli", "serve"], env)
        self.url = self._until("the server answers", self._server_url)
        api = Api(self.url, read_secret(self.folder / "tokens/you"))
        self._until("the shop sells", lambda: self.canary.version and self.stable.version)
        self._until("a worker is there", lambda: api.post("plans", {"instances": [instance_id(self.canary)]}))
        return api

    def log_tails(self) -> list[str]:
        """Return the last lines of every log, for when something went wrong."""
        return [
            f"{path.stem}: {line}"
            for path in sorted(self.folder.glob("*.log"))
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines()[-8:]
        ]

    def _write_files(self) -> None:
        self.config.write_text(_SETTINGS, encoding="utf-8")
        (self.folder / "rules.yaml").write_text(RULES, encoding="utf-8")
        (self.folder / "inventory.yaml").write_text(json.dumps(self._inventory(), indent=1), encoding="utf-8")
        for name in ("alertmanager", "you"):
            path = _made(self.folder / "tokens") / name
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32), encoding="utf-8")

    def _inventory(self) -> dict[str, object]:
        hosts = [self._host(self.stable), self._host(self.canary)]
        first = self._host(self.stable)
        shared = {name: first[name] for name in ("releases", "current", "restart", "health")}
        return {"version": "inventory/v1", "connection": "local", "services": {"shop": {**shared, "hosts": hosts}}}

    def _host(self, instance: Instance) -> dict[str, object]:
        return {
            "name": instance.name,
            "address": "127.0.0.1",
            "instance": instance.address,
            "labels": {"track": instance.name},
            "releases": str(instance.folder / "releases"),
            "current": str(instance.folder / "current"),
            "restart": {"command": _shopctl("restart", instance.folder)},
            "health": {"url": f"http://{instance.address}/healthz", "within": "10s"},
        }

    def _start(self, name: str, argv: list[str], env: dict[str, str] | None = None) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._children.start(name, argv, env=env, log=log, grace_s=10)

    def _server_url(self) -> str | None:
        """Read from the server's log where it serves: it took any free port."""
        for line in (self.folder / "server.log").read_text(encoding="utf-8").splitlines():
            if '"serving"' in line and line.startswith("{"):
                return str(json.loads(line)["url"])
        return None

    def _until(self, what: str, look: Callable[[], Found | None]) -> Found:
        deadline = time.monotonic() + _READY_WITHIN_S
        while time.monotonic() < deadline and self._children.ended() is None:
            try:
                if found := look():
                    return found
            except (OSError, ValueError, Unreachable):
                continue
            finally:
                time.sleep(0.02)
        raise Failed(f"The demo could not be set up: waited in vain until {what}.")


def instance_id(instance: Instance) -> str:
    """Return the identity of an instance in the API."""
    return f"hosts/default/shop/{instance.name}"


def _lay_down(instance: Instance, running: str) -> None:
    """Lay down both releases, each a copy of the shop, and link `current` to the one that runs."""
    for version in (GOOD, BAD):
        release = _made(instance.folder / "releases" / version)
        shutil.copy(_HERE / "shop.py", release / "shop.py")
        about = json.dumps({"version": version, "fails": version == BAD})
        (release / "release.json").write_text(about, encoding="utf-8")
    (instance.folder / "current").symlink_to(Path("releases") / running)


def _shopctl(*words: str | Path) -> list[str]:
    return [sys.executable, str(_HERE / "shopctl.py"), *map(str, words)]


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
