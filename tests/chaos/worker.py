"""`python -m chaos.worker --config FILE`: a worker machine whose edges fail by a seed."""

from __future__ import annotations

import sys

from chaos import edges, sabotage
from chaos.chance import Chance
from chaos.plan import Plan

if __name__ == "__main__":
    from workers.__main__ import main

    plan = Plan.given()
    sabotage.commit(plan.sabotage)
    edges.install(Chance(plan), workers=True)
    sys.exit(main())
