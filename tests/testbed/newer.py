"""A worker machine of the next version: it knows, and writes, a newer format of records.

Run it with `Installation.working(module=NEWER)`.
"""

from __future__ import annotations

import sys
from unittest import mock

from workers.__main__ import main

NEWER = ("testbed.newer",)

if __name__ == "__main__":
    with mock.patch("controller.ledger.leases.FORMAT", 2):
        sys.exit(main())
