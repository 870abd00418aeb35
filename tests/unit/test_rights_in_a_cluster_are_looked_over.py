"""The doctor asks a cluster whether we may do what we are for, and names the line of the Role that is missing."""

from __future__ import annotations

from typing import Any

import pytest

from rules.decisions import Reason
from rules.findings import Level
from workers.kubernetes.checking import check_cluster
from workers.kubernetes.failures import Unreachable


class Reviewing:
    """A cluster that answers reviews: what is in `denied` (verb, resource) is not allowed in `where`."""

    name = "prod"

    def __init__(self, *denied: tuple[str, str], where: str = "", namespaces: tuple[str, ...] = ()) -> None:
        self.namespaces = namespaces
        self._denied = set(denied)
        self._where = where
        self.asked: list[dict[str, str]] = []

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one review."""
        assert path.endswith("/selfsubjectaccessreviews")
        about = body["spec"]["resourceAttributes"]
        self.asked.append(about)
        denied = (about["verb"], about["resource"]) in self._denied and about.get("namespace", "") == self._where
        return {"status": {"allowed": not denied}}


class Away(Reviewing):
    """A cluster that does not answer."""

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Fail."""
        del path, body
        raise Unreachable(Reason.UNREACHABLE, "prod does not answer. Check its address.")


def test_a_cluster_where_we_may_everything_is_well() -> None:
    """One line says so; a subresource is asked for as one."""
    cluster = Reviewing()
    (found,) = check_cluster(cluster)  # type: ignore[arg-type]
    assert (found.level, found.what) == (
        Level.WELL,
        "prod answers, and we may do what we are for in every namespace.",
    )
    assert {"verb": "get", "resource": "pods", "subresource": "log"} in cluster.asked


@pytest.mark.parametrize(
    ("denied", "level", "line"),
    [
        (("patch", "deployments"), Level.WRONG, '"deployments"'),
        (("delete", "pods"), Level.WRONG, '"delete"'),
        (("create", "events"), Level.WARNS, '"events"'),
    ],
)
def test_what_is_missing_is_named_with_the_line_that_grants_it(
    denied: tuple[str, str], level: Level, line: str
) -> None:
    """An optional right is only told of."""
    (found,) = check_cluster(Reviewing(denied))  # type: ignore[arg-type]
    assert found.level is level
    assert line in found.fix


def test_only_the_namespaces_that_lack_it_are_named() -> None:
    """Where the settings name namespaces, each is asked about."""
    cluster = Reviewing(("patch", "deployments"), where="b", namespaces=("a", "b"))
    (found,) = check_cluster(cluster)  # type: ignore[arg-type]
    assert "in b," in found.what


def test_a_cluster_that_does_not_answer_is_wrong_and_nothing_more() -> None:
    """It is asked once."""
    (found,) = check_cluster(Away())  # type: ignore[arg-type]
    assert (found.level, found.fix) == (Level.WRONG, "Check its address.")
