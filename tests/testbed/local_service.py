"""A service on this machine: releases, a link, and a driver that was made for them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from rules.instances import HostInstance
from rules.inventory import Health, Host, Inventory, Restart, RestartKind, Service
from rules.plans import Plan, Step, StepKind
from workers.hosts import HostDriver, Params, reach

INSTANCE = HostInstance("default", "shop", "here")


@dataclass
class LocalService:
    """Three releases and a link to the newest; the tests change what they need changed."""

    root: Path
    relative: bool = True
    as_files: bool = False
    changes: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for version in ("v1.1.0", "v1.2.0", "v1.3.0"):
            self.lay_down(version)
        self.point_at(self.text("v1.3.0"))

    @property
    def current(self) -> Path:
        return self.root / "current"

    @property
    def releases(self) -> Path:
        return self.root / "releases"

    @property
    def service(self) -> Service:
        """What the inventory would say of it."""
        plain = Service(
            name="shop",
            releases=str(self.releases),
            current=str(self.current),
            restart=Restart(RestartKind.MARKER, path=str(self.root / "restart.txt")),
            hosts=(Host("here", "127.0.0.1"),),
            health=Health(url="http://{address}:9/healthz"),
        )
        return replace(plain, **self.changes)

    def text(self, version: str) -> str:
        """Return what the link says when it points to a release."""
        return f"releases/{version}" if self.relative else str(self.releases / version)

    def lay_down(self, version: str) -> Path:
        """Bring a release."""
        path = self.releases / version
        if self.as_files:
            self.releases.mkdir(exist_ok=True)
            path.write_text(version)
            path.chmod(0o755)
        else:
            path.mkdir(parents=True, exist_ok=True)
            (path / "VERSION").write_text(version)
        return path

    def point_at(self, text: str) -> None:
        """Switch the link as a deployer without our lock would."""
        new = self.root / ".deployer"
        new.symlink_to(text)
        new.replace(self.current)

    def link(self) -> str:
        return str(self.current.readlink())

    def driver(self, rollback: str = "r1", params: Params | None = None) -> HostDriver:
        """Return a driver as the runner gets it."""
        inventory = Inventory({"shop": self.service}, local=True)
        return reach(INSTANCE, inventory, params or Params(), rollback)

    def plan(self, to: str = "v1.2.0") -> Plan:
        driver = self.driver()
        return driver.plan(driver.observe(), to)


def step(plan: Plan, kind: StepKind) -> Step:
    """Return the step of a kind."""
    return next(step for step in plan.steps if step.kind is kind)
