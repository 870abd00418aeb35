"""What the inventory holds: services, the hosts they run on, and how each is restarted and judged healthy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING

from rules.addresses import canonical
from rules.matching.regexes import compile_anchored

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    Place: TypeAlias = tuple["Service", "Host"]

RELEASE_PATTERN = "[A-Za-z0-9][A-Za-z0-9._+-]*"
"""What a release is called where the service does not say otherwise."""

_LONGEST_NAME = 255


SERVICE_LABELS = ("app.kubernetes.io/name", "app")
"""The labels by which an alert, or a pod, says of which service it is; the first counts before the second."""


def service_said_by(labels: Mapping[str, str]) -> str:
    """Return the service that labels name; empty where they name none."""
    return next((labels[label] for label in SERVICE_LABELS if labels.get(label)), "")


ENVIRONMENT_LABELS = ("environment", "env", "app.kubernetes.io/environment")
"""The labels by which an instance says to which environment it belongs; the first counts before the others."""


def environment_of(labels: Mapping[str, str]) -> str:
    """Return the environment that an instance's labels name; empty where they name none."""
    return next((labels[label] for label in ENVIRONMENT_LABELS if labels.get(label)), "")


class Order(StrEnum):
    """How releases are sorted from old to new."""

    AUTO = "auto"
    VERSION = "version"
    TIME = "time"


class RestartKind(StrEnum):
    """What makes a service run the release its link points to."""

    SYSTEMD = "systemd"
    RELOAD = "reload"
    SIGNAL = "signal"
    MARKER = "marker"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Ssh:
    """How hosts are reached. Only keys in `known_hosts` are trusted."""

    user: str
    key_file: str
    known_hosts: str
    port: int = 22


@dataclass(frozen=True, slots=True)
class Restart:
    """How a service is restarted. `unit` is for systemd, reload and signal; `path` a marker or pid file."""

    kind: RestartKind
    unit: str | None = None
    signal: str | None = None
    path: str | None = None
    argv: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """How an instance leaves the rotation before a restart, and comes back after it is healthy."""

    drain: tuple[str, ...]
    undrain: tuple[str, ...] | None = None
    within_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Health:
    """When an instance is healthy: its `url` answers, or its unit stays active for `for_s`."""

    url: str | None = None
    systemd: bool = False
    for_s: float = 10.0
    within_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Host:
    """One machine that runs a service. What it says of `releases` to `health` holds for it alone."""

    name: str
    address: str
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    instance: str | None = None
    port: int | None = None
    releases: str | None = None
    current: str | None = None
    restart: Restart | None = None
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """What is released together, in the same way, on every one of its hosts."""

    name: str
    releases: str
    current: str
    restart: Restart
    hosts: tuple[Host, ...]
    pattern: str | None = None
    whitelist: tuple[str, ...] | None = None
    executable: str | None = None
    complete: str | None = None
    order: Order = Order.AUTO
    stop: Stop | None = None
    health: Health | None = None
    version_url: str | None = None
    version_metric: str | None = None

    def at(self, host: Host) -> Service:
        """Return the service as it is on one of its hosts, with what that host says otherwise."""
        return replace(
            self,
            releases=host.releases or self.releases,
            current=host.current or self.current,
            restart=host.restart or self.restart,
            health=host.health or self.health,
        )

    def admits(self, name: str) -> bool:
        """Tell whether a name may be a release of this service: safe in any path, and like its pattern."""
        return is_safe_name(name) and compile_anchored(self.pattern or RELEASE_PATTERN)(name)

    def whitelisted(self, name: str) -> bool:
        """Tell whether a release may be chosen. Without a whitelist each may, with an empty one none may."""
        return self.whitelist is None or any(fnmatchcase(name, glob) for glob in self.whitelist)


@dataclass(frozen=True, slots=True)
class Inventory:
    """Every service on hosts that may be rolled back, and the one way in which they are reached."""

    services: Mapping[str, Service]
    ssh: Ssh | None = None
    local: bool = False
    name: str = "default"
    by_instance: Mapping[str, Sequence[Place]] = field(init=False, compare=False, repr=False)
    """Hosts by the `instance` that is their own in a service."""
    by_word: Mapping[str, Sequence[Place]] = field(init=False, compare=False, repr=False)
    """Hosts by name, and by address in its one short form: every alert looks one up."""

    def __post_init__(self) -> None:
        by_instance: dict[str, list[Place]] = {}
        by_word: dict[str, list[Place]] = {}
        for service in self.services.values():
            for host in service.hosts:
                if host.instance is not None:
                    by_instance.setdefault(host.instance, []).append((service, host))
                for word in {host.name, canonical(host.address)}:
                    by_word.setdefault(word, []).append((service, host))
        object.__setattr__(self, "by_instance", by_instance)
        object.__setattr__(self, "by_word", by_word)


def is_safe_name(name: str) -> bool:
    """Tell whether a name is one plain path element that no command could take for an option."""
    return (
        0 < len(name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME
        and name[0] not in "-."
        and "/" not in name
        and name.isprintable()
    )
