"""A real Alertmanager with short intervals, and notification bodies exactly as it writes them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
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

    def is_settled(self, peers: int) -> bool:
        """Whether it knows so many peers, itself among them, and is ready to notify."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/status", timeout=5) as answer:
            cluster = json.load(answer)["cluster"]
        return cluster["status"] == "ready" and len(cluster["peers"]) == peers

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
    return receivers_config([(url, credentials_file)], group_by=group_by)


def receivers_config(to: Sequence[tuple[str, Path]], *, group_by: tuple[str, ...] = ("service",)) -> str:
    """Return a configuration that sends everything to each of several webhooks: (address, file with its token)."""
    webhooks = [
        {
            "url": url,
            "send_resolved": True,
            "http_config": {"authorization": {"type": "Bearer", "credentials_file": str(credentials_file)}},
        }
        for url, credentials_file in to
    ]
    config = {
        "route": {
            "receiver": "rollback.controller",
            "group_by": list(group_by),
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "rollback.controller", "webhook_configs": webhooks}],
    }
    return json.dumps(config, indent=1)  # JSON is YAML


def amtool_accepts(config: Path) -> None:
    """Fail with amtool's words when Alertmanager would not take the configuration."""
    argv = [program("amtool"), "check-config", str(config)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def alertmanager(
    folder: Path, config: str, *, port: int | None = None, peers: Peers | None = None
) -> Iterator[Alertmanager]:
    """Start one with a configuration of the test's own; alone, unless it is given `peers`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "alertmanager.yml"
    path.write_text(config)
    port = port or free_port()
    argv = [
        program("prometheus-alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        *(peers.flags() if peers else ("--cluster.listen-address=",)),
        "--log.level=warn",
    ]
    with started("alertmanager", argv, folder) as server:
        until(lambda: server.running() and accepts(port), within_s=20, what="Alertmanager answers")
        yield Alertmanager(port, server)


@dataclass(frozen=True, slots=True)
class Peers:
    """Where one of a cluster gossips, with whom, and how long it leaves a notification to each peer before it."""

    port: int
    others: tuple[int, ...]
    timeout: str

    def flags(self) -> tuple[str, ...]:
        """Return what Alertmanager is started with."""
        return (
            f"--cluster.listen-address=127.0.0.1:{self.port}",
            f"--cluster.advertise-address=127.0.0.1:{self.port}",
            *(f"--cluster.peer=127.0.0.1:{port}" for port in self.others),
            f"--cluster.peer-timeout={self.timeout}",
            "--cluster.settle-timeout=5s",
        )


@contextlib.contextmanager
def alertmanager_cluster(
    folder: Path, *configs: str, peer_timeout: str = "1s", gossiping: bool = True
) -> Iterator[list[Alertmanager]]:
    """Start one Alertmanager for each configuration, and wait until all of them know each other.

    Without `gossiping` none ever hears of another: a cluster whose network is cut, where each notifies for itself.
    """
    ports = [free_port() for _ in configs]
    with contextlib.ExitStack() as running:
        found = []
        for n, (port, config) in enumerate(zip(ports, configs, strict=True)):
            others = tuple(other for other in ports if other != port) if gossiping else ()
            peers = Peers(port, others, peer_timeout)
            found.append(running.enter_context(alertmanager(folder / f"alertmanager-{n}", config, peers=peers)))
        expected = len(configs) if gossiping else 1
        until(
            lambda: all(one.is_settled(expected) for one in found),
            within_s=30,
            what=f"each of {len(configs)} Alertmanagers knows {expected} of them",
        )
        yield found


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
