"""A stand-in for the image that the Dockerfile builds on: Debian with its own Python, made by debootstrap.

It bears the real one's name, so the Dockerfile is built as it is, where no registry of images can be reached.
The real one has a newer patch release of the same Python, in /usr/local.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import shutil
import subprocess
from pathlib import Path

from testbed.debian_root import SUITE, bootstrap
from testbed.parts import PartMissingError, cache_dir, on_debian_as_root

PART = "product's image"
INSIDE = ("python3", "python3-venv", "ca-certificates")
LEFT_OUT = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc-base", "usr/share/locale", "usr/share/man")


def base_root() -> Path:
    """Return the cached root, making it (a minute or two) if this machine has none yet."""
    if not on_debian_as_root():
        raise PartMissingError(PART, "needs root on Debian")
    recipe = hashlib.sha256("\n".join((*INSIDE, *LEFT_OUT)).encode()).hexdigest()[:12]
    made = cache_dir() / f"base-{SUITE}-{recipe}"
    with (cache_dir() / "base-root.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            bootstrap(made, INSIDE, PART, _trim)
    return made


@functools.cache
def python_of(root: Path) -> dict[str, str]:
    """Return what the markers of requirements are judged by, as the Python of that root would."""
    asked = "import platform; print(platform.python_version())"
    argv = ["chroot", str(root), "/usr/bin/python3", "-c", asked]
    full = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    return {"python_full_version": full, "python_version": full.rpartition(".")[0]}


def _trim(root: Path) -> None:
    for name in LEFT_OUT:
        shutil.rmtree(root / name)
        (root / name).mkdir()
