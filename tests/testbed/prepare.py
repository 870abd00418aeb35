"""`make test` calls this first: it installs and builds the real parts where it may, and says so where not."""

from __future__ import annotations

import sys

from testbed.debian_root import debian_root
from testbed.parts import install, missing_packages, on_debian_as_root


def main() -> None:
    """Leave this machine with every part that the tests can have here."""
    missing = missing_packages()
    if not on_debian_as_root():
        lacks = f"; missing: {', '.join(missing)}" if missing else ""
        sys.stderr.write(f"testbed: not root on Debian, so the systemd hosts will not be started{lacks}\n")
        return
    if missing:
        sys.stderr.write(f"testbed: installing {', '.join(missing)}\n")
        install(missing)
    debian_root()


if __name__ == "__main__":
    main()
