"""`python -m chaos.serve serve`: the server, with a way to Redis that fails by a seed."""

from __future__ import annotations

import sys

from chaos import edges
from chaos.chance import Chance
from chaos.plan import Plan

if __name__ in {"__main__", "__mp_main__"}:  # the serving process is a child, however Python starts it
    edges.install(Chance(Plan.given()), workers=False)

if __name__ == "__main__":
    from controller.cli.main import main

    sys.exit(main())
