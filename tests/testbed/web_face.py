"""The web face in this process: the real application on a real ledger, asked through WSGI."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from controller.ledger import Ledger, connect
from controller.settings import Auth, BasicLogin, Role, Settings, Token
from controller.settings.house import House
from controller.settings.settings import Redis as RedisSettings
from controller.web.app import create_app
from testbed.unguarded import UNGUARDED_YAML

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

RULES = f"""
version: rules/v1
rules:
  - name: canary-errors
    mode: act
    when: {{matchers: ['alertname="HighErrorRate"', 'severity="critical"']}}
    target: {{hosts: {{instance: "{{{{ $labels.instance }}}}"}}, service: shop, only: {{track: canary}}}}
    to: [previous]
    guards: {UNGUARDED_YAML}
    waves: [100%]
"""

INVENTORY = """
version: inventory/v1
connection: local
services:
  shop:
    releases: /opt/shop/releases
    current: /opt/shop/current
    restart: {systemd: shop.service}
    hosts:
      - {name: web1, address: 10.90.0.2, labels: {track: stable}}
      - {name: web2, address: 10.90.0.3, labels: {track: canary}}
"""

CANARY = {"alertname": "HighErrorRate", "severity": "critical", "instance": "10.90.0.3:9100", "track": "canary"}
"""The labels of an alert that the rule wants."""


@dataclass(slots=True)
class WebFace:
    """The application, with the files it reads."""

    folder: Path
    settings: Settings
    ledger: Ledger
    house: House
    app: Any

    def ask(
        self,
        path: str,
        token: str | None = "operator",
        *,
        method: str | None = None,
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """Ask as the bearer of the token of that name; a body makes it a POST."""
        headers = dict(headers or {})
        if token is not None:
            headers["Authorization"] = f"Bearer {self.secret(token)}"
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        method = method or ("GET" if body is None else "POST")
        return self.app.test_client().open(path, method=method, data=data, headers=headers)

    def notify(self, body: object, **how: Any) -> TestResponse:
        """Post a notification as Alertmanager."""
        return self.ask("/api/v1/alertmanager", "alertmanager", body=body, **how)

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of one of our metrics now; 0 where it has not been counted yet."""
        shown = ",".join(f'{label}="{value}"' for label, value in labels.items())
        wanted = f"rollback_controller_{name}" + (f"{{{shown}}}" if shown else "")
        for line in self.ask("/metrics", None).text.splitlines():
            if line.startswith(f"{wanted} "):
                return float(line.rsplit(" ", 1)[1])
        return 0.0

    def secret(self, token: str) -> str:
        """Return the token of that name."""
        return (self.folder / f"{token}.token").read_text().strip()


@contextmanager
def web_face(folder: Path, redis_url: str, **settings: Any) -> Iterator[WebFace]:
    """Build the application over files in `folder`."""
    (folder / "rules.yaml").write_text(RULES)
    (folder / "inventory.yaml").write_text(INVENTORY)
    built = Settings(
        rules=(folder / "rules.yaml",),
        inventory=folder / "inventory.yaml",
        redis=RedisSettings(url=redis_url),
        auth=_auth(folder),
        **settings,
    )
    ledger = connect(built.redis, built.numbers, "web")
    house = House.load(built)
    yield WebFace(folder, built, ledger, house, create_app(built, ledger, house))
    ledger.close()


def _auth(folder: Path) -> Auth:
    roles = {
        "alertmanager": {Role.ALERTS},
        "reader": {Role.READ},
        "operator": {Role.OPERATE},
        "approver": {Role.APPROVE},
    }
    for name in (*roles, "basic"):
        path = folder / f"{name}.token"
        path.write_text(f"token-of-{name}-{'x' * 24}\n")
        path.chmod(0o600)
    return Auth(
        tokens=tuple(Token(name=name, roles=held, file=folder / f"{name}.token") for name, held in roles.items()),
        basic=(BasicLogin(name="basic", username="am", password_file=folder / "basic.token"),),
    )
