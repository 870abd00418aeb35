"""A stand-in for the image that the Dockerfile builds on: Debian with its own Python.

It bears the real one's name, so the Dockerfile is built as it is where no registry of images can be reached. The
real one has a newer patch release of the same Python, in /usr/local, and less beside it; of either nothing gets
into the result but what the Dockerfile takes.
"""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from testbed.debian_root import debian_root
from testbed.parts import PartMissingError, on_debian_as_root

PART = "product's image"
LEFT_OUT = ("var/cache/apt", "var/lib/apt/lists", "usr/share/locale", "usr/share/man", "usr/lib/systemd")


def base_root() -> Path:
    """Return the cached root, making it (a minute or two) if this machine has none yet."""
    if not on_debian_as_root():
        raise PartMissingError(PART, "needs root on Debian")
    return debian_root()


@functools.cache
def python_of(root: Path) -> dict[str, str]:
    """Return what the markers of requirements are judged by, as the Python of that root would."""
    asked = "import platform; print(platform.python_version())"
    argv = ["chroot", str(root), "/usr/bin/python3", "-c", asked]
    full = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    return {"python_full_version": full, "python_version": full.rpartition(".")[0]}
