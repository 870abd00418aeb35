"""Which real parts this machine has, and how it gets the ones it lacks."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

PACKAGES = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh-keygen": "openssh-client",
    "ssh": "openssh-client",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "redis-server": "redis-server",
    "redis-sentinel": "redis-sentinel",
    "shellcheck": "shellcheck",
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "host-local": "containernetworking-plugins",
    "docker-registry": "docker-registry",
    "skopeo": "skopeo",
    "buildah": "buildah",
}
"""Program → the Debian package that brings it."""
PLUGINS = Path("/usr/lib/cni")
"""Where Debian puts the programs that connect a pod to its network."""


class PartMissingError(Exception):
    """A real part cannot be had here; the message names it and says why."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part} ({why})")
        self.part = part


def cache_dir() -> Path:
    """Return the folder where downloaded and built parts outlive a checkout."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "rollback-controller"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def on_debian_as_root() -> bool:
    """Whether parts can be installed here."""
    return os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def program(name: str) -> str:
    """Return the path of a program, or raise `PartMissingError`."""
    path = shutil.which(name, path=_search_path())
    if path is None:
        package = PACKAGES.get(name, name)
        raise PartMissingError(name, f"install Debian's {package}, or run `make test` as root on Debian")
    return path


def missing_packages() -> list[str]:
    """Return the Debian packages whose programs are not here."""
    found = _search_path()
    return sorted({package for name, package in PACKAGES.items() if shutil.which(name, path=found) is None})


def _search_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:{PLUGINS}"


def install(packages: list[str]) -> None:
    """Install Debian packages without letting any of them start a service."""
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _no_service_starts():
        subprocess.run(["apt-get", "update", "-qq"], env=quiet, check=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=quiet, check=True
        )


@contextlib.contextmanager
def _no_service_starts() -> Iterator[None]:
    """Debian's packages start what they bring unless a policy says no (101)."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)
