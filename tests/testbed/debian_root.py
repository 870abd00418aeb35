"""A Debian root file system with systemd and sshd, built once and kept in the cache."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

from testbed.parts import PartMissingError, cache_dir, on_debian_as_root, program

SUITE = "bookworm"
INSIDE = (
    *("systemd", "systemd-sysv", "dbus", "openssh-server", "iproute2", "procps", "sudo", "python3"),
    *("python3-venv", "ca-certificates"),  # what the image of the product is built with, see testbed.base_image
)
MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "console-getty.service",
    "tmp.mount",
)


def debian_root() -> Path:
    """Return the cached root, building it (a minute or two) if this machine has none yet."""
    if not on_debian_as_root():
        raise PartMissingError("systemd hosts", "needs root on Debian")
    built = cache_dir() / f"{SUITE}-{_recipe()}"
    with (cache_dir() / "debian-root.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            _build(built)
    return built


def _recipe() -> str:
    return hashlib.sha256("\n".join((*INSIDE, *MASKED)).encode()).hexdigest()[:12]


def _build(built: Path) -> None:
    """Build beside and rename: a half-built root is never taken for a whole one."""
    half = built.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    argv = [program("debootstrap"), "--variant=minbase", f"--include={','.join(INSIDE)}", SUITE, str(half)]
    done = subprocess.run([*argv, *_mirror()], capture_output=True, text=True, check=False, timeout=900)
    if done.returncode != 0:
        tail = (done.stdout + done.stderr).strip().splitlines()[-1:]
        raise PartMissingError("systemd hosts", f"debootstrap failed: {' '.join(tail)}")
    units = half / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).symlink_to("/dev/null")
    for key in (half / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (half / "etc/machine-id").write_text("")
    (half / "etc/resolv.conf").unlink(missing_ok=True)
    half.rename(built)


def _mirror() -> list[str]:
    """Take packages from wherever this machine's own apt takes them."""
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    )
    pairs = (line.split(maxsplit=1) for line in targets.stdout.splitlines())
    return next(([uri] for release, uri in pairs if release == SUITE), [])
