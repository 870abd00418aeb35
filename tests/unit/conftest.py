"""What the tests of the chart share: each shape of its values, and what it makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from testbed.chart_files import CHART

if TYPE_CHECKING:
    from testbed.helm_engine import Manifest


@pytest.fixture(params=sorted(path.name.removesuffix("-values.yaml") for path in CHART.glob("ci/*-values.yaml")))
def shape(request: pytest.FixtureRequest) -> str:
    """Name one shape after the other."""
    return str(request.param)


@pytest.fixture
def objects(shape: str) -> list[Manifest]:
    """Render it. Helm's engine is loaded by who asks for it alone."""
    from testbed.chart_shapes import SHAPES  # noqa: PLC0415
    from testbed.helm_engine import manifests  # noqa: PLC0415

    return manifests(SHAPES[shape])
