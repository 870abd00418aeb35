"""A real Prometheus that scrapes every second and judges its rules every second."""

from __future__ import annotations

import contextlib
import json
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed.parts import program
from testbed.programs import Program, free_port, started
from testbed.wait import until

RULES = """\
groups:
  - name: shop
    interval: 1s
    rules:
      - alert: ShopFails
        expr: |
          sum by (instance, service, track) (rate(shop_requests_total{code="500"}[5s])) > 0
        for: 1s
        labels: {severity: critical}
        annotations: {summary: "The shop on {{ $labels.instance }} answers with errors"}
      - alert: ShopGone
        expr: up == 0
        for: 1s
        labels: {severity: critical}
        annotations: {summary: "The shop on {{ $labels.instance }} does not answer"}
"""


@dataclass(frozen=True, slots=True)
class Prometheus:
    """One running server."""

    port: int
    server: Program

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the vector that an expression has now."""
        asked = urllib.parse.urlencode({"query": promql})
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/query?{asked}", timeout=5) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result


@contextlib.contextmanager
def prometheus(
    folder: Path,
    targets: Mapping[str, Mapping[str, str]],
    alertmanager: int | Sequence[int],
    *,
    jobs: Sequence[Mapping[str, Any]] = (),
    rules: str = RULES,
    external: Mapping[str, str] | None = None,
    port: int | None = None,
) -> Iterator[Prometheus]:
    """Start one that scrapes `targets` (address:port → labels) and tells the Alertmanagers on those ports.

    `jobs` are further scrape configurations, such as one that discovers its targets in a cluster; `external`
    labels are added to what it tells; `port` is a free one unless somebody was told of it before. What it stored
    in the same folder before, it still has.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yml").write_text(rules)
    told = [alertmanager] if isinstance(alertmanager, int) else alertmanager
    config = {
        "global": {
            "scrape_interval": "1s",
            "scrape_timeout": "1s",
            "evaluation_interval": "1s",
            "external_labels": dict(external or {}),
        },
        "rule_files": [str(folder / "rules.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{one}" for one in told]}]}]},
        "scrape_configs": [
            {
                "job_name": "shop",
                "static_configs": [{"targets": [at], "labels": dict(labels)} for at, labels in targets.items()],
            },
            *jobs,
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    port = port or free_port()
    argv = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
        "--log.level=warn",
    ]
    with started("prometheus", argv, folder) as server:
        running = Prometheus(port, server)
        until(lambda: server.running() and running.query("vector(1)"), within_s=20, what="Prometheus answers")
        yield running
