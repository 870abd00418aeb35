"""A real Alertmanager with short intervals, and notification bodies exactly as it writes them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from testbed.parts import program
from testbed.programs import Program, accepts, free_port, started
from testbed.wait import until


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One running server."""

    port: int
    server: Program

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts it knows of."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/alerts", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def post(self, labels: Mapping[str, str], *, resolved: bool = False, since_s: float = 0) -> None:
        """Tell it of an alert as Prometheus would."""
        now = datetime.now(UTC)
        alert = {
            "labels": dict(labels),
            "startsAt": (now - timedelta(seconds=since_s)).isoformat(),
            "endsAt": (now if resolved else now + timedelta(minutes=5)).isoformat(),
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/alerts",
            data=json.dumps([alert]).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5):
            pass

    def silence(self, label: str, value: str, for_s: float = 60) -> None:
        """Silence every alert with a label's value for a while."""
        now = datetime.now(UTC)
        matcher = {"name": label, "value": value, "isRegex": False, "isEqual": True}
        said = {
            "matchers": [matcher],
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(seconds=for_s)).isoformat(),
            "createdBy": "test",
            "comment": "test",
        }
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v2/silences",
            data=json.dumps(said).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5):
            pass


def receiver_config(url: str, credentials_file: Path, *, group_by: tuple[str, ...] = ("service",)) -> str:
    """Return a configuration that sends every alert, and every resolve, to one webhook."""
    webhook = {
        "url": url,
        "send_resolved": True,
        "http_config": {
            "authorization": {"type": "Bearer", "credentials_file": str(credentials_file)},
        },
    }
    config = {
        "route": {
            "receiver": "rollback.controller",
            "group_by": list(group_by),
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "rollback.controller", "webhook_configs": [webhook]}],
    }
    return json.dumps(config, indent=1)  # JSON is YAML


def amtool_accepts(config: Path) -> None:
    """Fail with amtool's words when Alertmanager would not take the configuration."""
    argv = [program("amtool"), "check-config", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def alertmanager(folder: Path, config: str, *, port: int | None = None) -> Iterator[Alertmanager]:
    """Start one with a configuration of the test's own."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "alertmanager.yml"
    path.write_text(config)
    port = port or free_port()
    argv = [
        program("prometheus-alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    with started("alertmanager", argv, folder) as server:
        until(lambda: server.running() and accepts(port), within_s=20, what="Alertmanager answers")
        yield Alertmanager(port, server)


def alert(labels: Mapping[str, str], *, status: str = "firing", starts_at: str | None = None) -> dict[str, Any]:
    """Return one alert as the webhook body has it; the same labels always have the same fingerprint."""
    text = "\xff".join(f"{name}\xfe{labels[name]}" for name in sorted(labels))
    ends = "0001-01-01T00:00:00Z" if status == "firing" else stamp(0)
    return {
        "status": status,
        "labels": dict(labels),
        "annotations": {"summary": "a test"},
        "startsAt": starts_at or stamp(-60),
        "endsAt": ends,
        "generatorURL": "http://prometheus.example:9090/graph",
        "fingerprint": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def body(*alerts: Mapping[str, Any], **over: Any) -> dict[str, Any]:
    """Return a notification of version 4 around alerts; the group fires as soon as one of them does."""
    firing = any(entry.get("status") == "firing" for entry in alerts)
    return {
        "version": "4",
        "groupKey": '{}:{service="shop"}',
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "rollback",
        "groupLabels": {"service": "shop"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": list(alerts),
        **over,
    }


def stamp(offset_s: float) -> str:
    """Return a time as Alertmanager writes it: RFC 3339 with nine digits of a second."""
    at = datetime.now(UTC) + timedelta(seconds=offset_s)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"
