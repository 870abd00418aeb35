"""The files that `rollbackctl init` writes: short, commented, and ready to run."""

from __future__ import annotations

import re
from socket import gethostname
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTINGS = """\
# What the server, the workers and rollbackctl are told. Paths are relative to this file.
# Every key is described in docs/reference/settings.md; a variable wins: ROLLBACK_LISTEN, ROLLBACK_REDIS__URL, …
rules: [rules.yaml]
inventory: inventory.yaml
listen: 127.0.0.1:8095          # where Alertmanager posts to
data-dir: data                  # where `rollbackctl up` keeps its embedded Valkey
# redis: {{url: redis://127.0.0.1:6379/0}}   # a Redis or Valkey of your own: AOF on, maxmemory-policy noeviction
auth:
  tokens:
    - {{name: alertmanager, roles: [alerts], file: tokens/alertmanager}}
    - {{name: operator, roles: [operate, approve], file: tokens/operator}}   # better one for each person
"""

RULES = """\
version: rules/v1
rules:
  - name: {rule}-errors
    description: A release of {service} answers with errors.
    mode: observe                # decides and records, and changes nothing; `ask` asks you, `act` rolls back
    when:
      matchers: ['alertname="HighErrorRate"', 'severity="critical"']
    target:
      hosts: {{instance: "{{{{ $labels.instance }}}}"}}   # the host that the alert names, and no other
      service: "{service}"
    to: [last-known-good]        # ran a day healthy and quiet, or `rollbackctl releases good`; else you are asked
    guards:                      # what keeps it back; these are the defaults
      caused-by-release: {{within: 2h}}                      # the release came before the trouble, not long before
      cooldown: 30m                                        # for each instance
      limits: {{per-hour: 3, per-day: 7}}                    # rollbacks of one release count once
      affected: {{max: 10, max-share: 34%, min-healthy: 50%}}   # of the service; one is always allowed
"""

INVENTORY = """\
version: inventory/v1
{reach}services:
  "{service}":
    releases: "{releases}"      # one folder or one file for each release
    current: "{current}"      # the link that is switched
    restart: {{systemd: "{unit}"}}
    health: {{systemd: active, for: 10s}}        # better: {{url: "http://{{address}}:8080/healthz", within: 30s}}
    hosts:
{hosts}"""

_SSH = """\
ssh:
  user: deploy
  key-file: /etc/rollback-controller/id_ed25519
  known-hosts: /etc/rollback-controller/known_hosts   # ssh-keyscan HOST, looked over by a person
"""

_LOCAL = "local"


def reach_lines(hosts: Sequence[str]) -> str:
    """Say how the hosts are reached."""
    return "connection: local\n" if list(hosts) == [_LOCAL] else _SSH


def host_lines(hosts: Sequence[str]) -> str:
    """List the hosts; labels are what rules select by."""
    if list(hosts) == [_LOCAL]:
        return f'      - {{name: "{gethostname()}", address: localhost, labels: {{track: stable}}}}\n'
    return "".join(
        f'      - {{name: "{_name(host)}", address: "{host}", labels: {{track: stable}}}}\n' for host in hosts
    )


def rule_name(service: str) -> str:
    """Make a rule's name from a service's."""
    return re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-")[:50] or "service"


def _name(host: str) -> str:
    """Make a host's name from its address: an IPv6 address has colons."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", host).strip("-._")
