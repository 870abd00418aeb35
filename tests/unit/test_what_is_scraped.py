"""Whether an instance is scraped, by one answer to `up`."""

from __future__ import annotations

import pytest

from rules.facts import Sample
from workers.scraping import read_builds, read_up


def up(value: float, **labels: str) -> Sample:
    return Sample(value, labels)


SCRAPED = read_up(
    [
        up(1, instance="10.0.0.2:8080", job="shop"),
        up(1, instance="10.0.0.3:8080", job="shop"),
        up(0, instance="10.0.0.3:9100", job="node"),
        up(1, instance="[2001:db8::4]:8080"),
        up(1, instance="shop-on-web5"),
        up(1, instance="10.244.0.7:8080", namespace="shop", pod="web-1"),
        up(0, instance="10.244.0.8:8080", namespace="shop", pod="web-2"),
        up(float("nan"), instance="10.244.0.9:8080", kubernetes_namespace="shop", kubernetes_pod_name="web-3"),
    ]
)


@pytest.mark.parametrize(
    ("words", "scraped"),
    [
        (["10.0.0.2"], True),
        (["10.0.0.2:8080"], True),
        (["10.0.0.3"], False),
        (["10.0.0.3:8080"], True),
        (["2001:db8::4"], True),
        (["shop-on-web5"], True),
        (["10.0.0.9", "web9"], None),
        ([], None),
    ],
)
def test_a_host_is_known_by_its_instance(words: list[str], scraped: bool | None) -> None:
    """With or without a port; one of several targets that is down counts as down."""
    assert SCRAPED.of_words(words) is scraped


@pytest.mark.parametrize(
    ("pods", "scraped"),
    [
        (["web-1"], True),
        (["web-1", "web-2"], False),
        (["web-1", "web-9"], True),
        (["web-3"], False),
        (["x"], None),
    ],
)
def test_a_workload_is_known_by_its_pods(pods: list[str], scraped: bool | None) -> None:
    """In its own namespace."""
    assert SCRAPED.of_pods("shop", pods) is scraped
    assert SCRAPED.of_pods("other", pods) is None


def test_a_metric_of_builds_is_known_by_its_instance() -> None:
    """One of several builds under one name tells nothing."""
    told = read_builds(
        [
            up(1, instance="10.0.0.2:8080", version="1.4.0", revision="9f2c41d", branch="main"),
            up(1, instance="10.0.0.3:8080", version="1.4.0"),
            up(1, instance="10.0.0.3:9090", version="1.3.0"),
            up(1, version="1.3.0"),
        ]
    )
    assert told == {
        "10.0.0.2": ("1.4.0", "9f2c41d"),
        "10.0.0.2:8080": ("1.4.0", "9f2c41d"),
        "10.0.0.3:8080": ("1.4.0",),
        "10.0.0.3:9090": ("1.3.0",),
    }
