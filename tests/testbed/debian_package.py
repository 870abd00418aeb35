"""The files of a Debian package, unpacked into the cache and not installed.

For packages that cannot stand beside what a machine may have: another vendor's `kubectl`, another `busybox`.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from pathlib import Path

from testbed.parts import PartMissingError, cache_dir, on_debian_as_root


def kubectl() -> Path:
    """Return Debian's kubectl, of the same version as the cluster."""
    return unpacked("kubernetes-client") / "usr/bin/kubectl"


def busybox() -> Path:
    """Return a busybox that needs no library: an image can consist of it alone."""
    return unpacked("busybox-static") / "bin/busybox"


def unpacked(package: str) -> Path:
    """Return the folder with the package's files, fetching it once."""
    place = cache_dir() / f"package-{package}"
    with (cache_dir() / f"package-{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _fetch(package, place)
    return place


def _fetch(package: str, place: Path) -> None:
    """Unpack beside and rename."""
    if shutil.which("apt-get") is None:
        raise PartMissingError(package, "is a Debian package; this machine has no apt-get")
    with tempfile.TemporaryDirectory(dir=cache_dir()) as name:
        folder = Path(name)
        try:
            _download(package, folder)
            _run(["dpkg-deb", "--extract", *(str(file) for file in folder.glob("*.deb")), "files"], folder)
        except subprocess.CalledProcessError as error:
            why = error.stderr.strip().splitlines()[-1:] or ["no reason given"]
            raise PartMissingError(package, f"apt could not fetch it: {why[0]}; try `apt-get update`") from error
        (folder / "files").rename(place)


def _download(package: str, folder: Path) -> None:
    """Download without installing; a fresh machine has not even a list of packages yet."""
    argv = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", package]
    try:
        _run(argv, folder)
    except subprocess.CalledProcessError:
        if not on_debian_as_root():
            raise
        _run(["apt-get", "update", "-qq"], folder)
        _run(argv, folder)


def _run(argv: list[str], folder: Path) -> None:
    subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True, timeout=300)
