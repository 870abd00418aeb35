"""Whatever comes in is accepted or refused as documented: a few cases of `make fuzz`, the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.running import Run
from fuzz.target import Site, Target
from fuzz.targets import TARGETS, shares
from testbed.redis import Redis

CASES = 4_000
SEED = 0
"""A change of ours may break this, and chance may not: `make fuzz` draws other cases every time."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_target_takes_any_input(target: Target, tmp_path: Path, redis_server: Redis) -> None:
    """Nothing breaks, and what it is given is neither all right nor all rubbish."""
    cases = shares(CASES)[target.name]
    with target.opened(Site(tmp_path, redis_server)) as check:
        result = Run(target, check).go(cases, SEED)
    assert [f"{crash.what}\n{crash.case}\n{crash.trace}" for crash in result.crashes] == []
    assert result.cases >= cases * 0.9
    assert result.accepted
    assert result.refused
