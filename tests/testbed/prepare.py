"""`make test` calls this first: it installs and builds the real parts where it may, and says so where not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from testbed.debian_package import busybox, kubectl
from testbed.debian_root import debian_root
from testbed.kubernetes_build import build_kubernetes
from testbed.parts import PartMissingError, install, missing_packages, on_debian_as_root
from testbed.product_image import product_image


def main() -> None:
    """Leave this machine with every part that the tests can have here."""
    missing = missing_packages()
    if not on_debian_as_root():
        lacks = f"; missing: {', '.join(missing)}" if missing else ""
        without = "neither the systemd hosts nor the Kubernetes cluster will be started"
        sys.stderr.write(f"testbed: not root on Debian, so {without}{lacks}\n")
        return
    if missing:
        sys.stderr.write(f"testbed: installing {', '.join(missing)}\n")
        install(missing)
    beside = ((kubectl, busybox, build_kubernetes), (debian_root, product_image))
    with ThreadPoolExecutor() as pool:
        list(pool.map(_have, beside))


def _have(parts: Sequence[Callable[[], object]]) -> None:
    for part in parts:
        try:
            part()
        except PartMissingError as missed:
            # The tests that need it say so too, each by its name.
            sys.stderr.write(f"testbed: cannot have {missed}\n")


if __name__ == "__main__":
    main()
