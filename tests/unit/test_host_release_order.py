"""Which of two releases is older: by name where all names are versions or times, else by when they came."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.hosts.ordering import orders
from workers.hosts.reports import Entry


def oldest_first(names: list[str], by: str = "auto") -> list[str]:
    """Sort entries whose times say the reverse of the list."""
    entries = [Entry(name, "directory", 1000 - number) for number, name in enumerate(names)]
    order = orders(entries, by)
    return sorted(names, key=order.__getitem__)


@pytest.mark.parametrize(
    "names",
    [
        ["v1.9.0", "v1.10.0", "v1.10.1", "v2.0.0"],
        ["1.2", "1.2.1", "1.3", "1.11"],
        [
            "v1.2.0-alpha",
            "v1.2.0-beta.2",
            "v1.2.0-beta.11",
            "v1.2.0-rc.1",
            "v1.2.0",
            "v1.2.0-14-g0a1b2c3",
            "v1.2.1",
        ],
        ["1.0a1", "1.0rc1", "1.0", "1.0.post1", "1.1.dev3", "1.1"],
        ["20260101120000", "20260101120001", "20260201000000"],
        ["2026-01-31T12-00-00", "2026-02-01T09-00-00", "2026-10-01T09-00-00"],
        ["20260101-2", "20260101-10", "20260102-1"],
        ["shop-1.9.0", "shop-1.10.0"],
        ["shop_1.9.0.tar", "shop_1.10.0.tar"],
        ["9", "10", "100"],
    ],
)
def test_names_that_are_versions_or_times(names: list[str]) -> None:
    """Numbers count as numbers, and a release candidate comes before its release."""
    for shuffled in itertools.islice(itertools.permutations(names), 24):
        assert oldest_first(list(shuffled)) == names


@pytest.mark.parametrize(
    "names",
    [
        ["v1.2.0", "hotfix", "v1.3.0"],
        ["0a1b2c3", "9f8e7d6", "12ab34c"],
        ["red", "green", "blue"],
        ["shop-1.2.0", "cart-1.1.0"],
    ],
)
def test_any_other_names_are_sorted_by_time(names: list[str]) -> None:
    """One name that is no version is enough: half a rule would be a wrong one."""
    assert oldest_first(names) == names[::-1]


def test_the_inventory_may_insist() -> None:
    """`order: time` looks at no name; `order: version` takes what is no version for the oldest."""
    assert oldest_first(["v1.0", "v2.0"], by="time") == ["v2.0", "v1.0"]
    assert oldest_first(["v2.0", "hotfix", "v1.0"], by="version") == ["hotfix", "v1.0", "v2.0"]


NAMES = st.lists(st.from_regex(r"\A[v]?[0-9]{1,3}([.\-][0-9a-z]{1,3}){0,4}\Z"), min_size=2, unique=True)


@given(NAMES, st.sampled_from(["auto", "version", "time"]))
def test_any_two_releases_can_be_compared(names: list[str], by: str) -> None:
    """Whatever they are called, and without two of them being equal."""
    order = orders([Entry(name, "directory", 7) for name in names], by)
    ranked = sorted(order.values())
    assert all(one < other for one, other in itertools.pairwise(ranked))
