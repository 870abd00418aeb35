"""A whole installation of the product: settings, tokens, rules, inventory, and its real processes."""

from __future__ import annotations

import contextlib
import json
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from testbed.programs import REPOSITORY, Program, free_port, started
from testbed.wait import until

WORKERS = 2
ROLES = {
    "alertmanager": ["alerts"],
    "reader": ["read"],
    "operator": ["operate"],
    "approver": ["approve", "read"],
}
CLI = "import sys; from controller.cli.main import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    text: str

    @property
    def json(self) -> Any:
        """The body as data."""
        return json.loads(self.text)


@dataclass(slots=True)
class Installation:
    """The files of one installation in a folder, and ways to start and ask its processes."""

    folder: Path
    redis_url: str
    rules: str
    inventory: str
    port: int = field(default_factory=free_port)
    more: Mapping[str, Any] = field(default_factory=dict)
    address: str = "127.0.0.1"
    """Where the server listens, and is asked."""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "rules.yaml").write_text(self.rules)
        (self.folder / "inventory.yaml").write_text(self.inventory)
        for name in ROLES:
            self.token_file(name).write_text(secrets.token_urlsafe(24))
            self.token_file(name).chmod(0o600)
        tokens = [{"name": name, "roles": roles, "file": f"{name}.token"} for name, roles in ROLES.items()]
        settings = {
            "rules": ["rules.yaml"],
            "inventory": "inventory.yaml",
            "redis": {"url": self.redis_url},
            "listen": f"{self.address}:{self.port}",
            "token_file": "operator.token",
            "auth": {"tokens": tokens},
            "workers": WORKERS,
            "log": {"level": "info", "format": "console"},
            **self.more,
            "numbers": {"unready_s": 0, **self.more.get("numbers", {})},
        }
        self.settings_file.write_text(json.dumps(settings, indent=1))  # JSON is YAML

    @property
    def settings_file(self) -> Path:
        """The file that every process is started with."""
        return self.folder / "rollback.yaml"

    @property
    def receiver(self) -> str:
        """The address for Alertmanager."""
        return f"http://{self.address}:{self.port}/api/v1/alertmanager"

    def token_file(self, name: str) -> Path:
        """Return the file with the token of that name."""
        return self.folder / f"{name}.token"

    @contextlib.contextmanager
    def serving(self) -> Iterator[Program]:
        """Run the server, ready to receive."""
        with self._program("serve", [sys.executable, "-c", CLI, "serve"]) as server:
            until(
                lambda: server.running() and self.ask("/readyz").status == 200,
                within_s=20,
                what=f"the server is ready; see {server.log_file}",
            )
            yield server

    @contextlib.contextmanager
    def working(self, name: str = "worker", *, module: Sequence[str] = ("workers",)) -> Iterator[Program]:
        """Run one machine's worker processes, ready for work: supervisor, reconciler, the queue's workers.

        `module` is what runs them, with its first words: one of the testbed's may do to them what it wants.
        """
        there = self._at_work()
        argv = [sys.executable, "-m", *module, "--config", str(self.settings_file)]
        with self._program(name, argv) as worker:
            until(
                lambda: worker.running() and len(self._at_work() - there) >= WORKERS,
                within_s=20,
                what=f"the workers serve the queue; see {worker.log_file}",
            )
            yield worker

    def _at_work(self) -> set[str]:
        """Return the workers that have registered with the queue, dead ones included."""
        client = redis.Redis.from_url(self.redis_url, decode_responses=True)
        try:
            return set(client.smembers("rq:workers"))
        finally:
            client.close()

    @contextlib.contextmanager
    def running(self) -> Iterator[tuple[Program, Program]]:
        """Run the server and one worker machine."""
        with self.serving() as server, self.working() as worker:
            yield server, worker

    def cli(self, *words: str) -> contextlib.AbstractContextManager[Program]:
        """Start one command of `rollbackctl`."""
        return self._program("cli", [sys.executable, "-c", CLI, *words])

    def _program(self, name: str, argv: list[str]) -> contextlib.AbstractContextManager[Program]:
        env = {
            "ROLLBACK_CONFIG": str(self.settings_file),
            "PYTHONUNBUFFERED": "1",
            "PYTHONPATH": str(REPOSITORY / "tests"),
        }
        return started(name, argv, self.folder, env)

    def ask(self, path: str, *, token: str | None = "reader", body: object = None) -> Answer:
        """Send one request, as JSON unless the body already is bytes, and return what comes back."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}:{self.port}{path}", data=data)
        request.add_header("Content-Type", "application/json")
        if token is not None:
            request.add_header("Authorization", f"Bearer {self.token_file(token).read_text().strip()}")
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, refusal.read().decode())

    def notify(self, body: object) -> Answer:
        """Post a notification with Alertmanager's token."""
        return self.ask("/api/v1/alertmanager", token="alertmanager", body=body)

    def rollbacks(self) -> list[dict[str, Any]]:
        """Return every rollback there is."""
        found: list[dict[str, Any]] = self.ask("/api/v1/rollbacks?limit=500").json["rollbacks"]
        return found

    def rollback(self, ident: str) -> dict[str, Any]:
        """Return one rollback with its journal and decisions."""
        found: dict[str, Any] = self.ask(f"/api/v1/rollbacks/{ident}").json
        return found

    def decisions(self, fingerprint: str) -> list[dict[str, Any]]:
        """Return what was decided about an alert."""
        found: list[dict[str, Any]] = self.ask(f"/api/v1/decisions?fingerprint={fingerprint}").json["decisions"]
        return found

    def ended(self, *, count: int = 1, within_s: float = 60) -> list[dict[str, Any]]:
        """Wait until that many rollbacks have ended or are held, and return them all."""

        def enough() -> list[dict[str, Any]]:
            found = self.rollbacks()
            over = [rollback for rollback in found if rollback["state"] in {"ended", "held"}]
            assert len(over) >= count, [(r["instance"], r["state"], r["reason"], r["detail"]) for r in found]
            return found

        return until(enough, within_s=within_s, what=f"{count} rollbacks are over")
