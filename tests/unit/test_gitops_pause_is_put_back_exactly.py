"""What a pause changes is put back exactly as it was; what is not ours, or no longer, is not touched."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.decisions import Reason
from rules.errors import Permanent
from workers.kubernetes.gitops.holding import (
    PAUSED,
    is_ours,
    pause_patch,
    read_paused,
    release_patch,
    require_as_planned,
)
from workers.kubernetes.gitops.kinds import APPLICATION, HELM_RELEASE, KUSTOMIZATION, OwnerKind, wants_sum

FIELDS = st.sampled_from([{}, {"prune": True}, {"selfHeal": True, "prune": False}, {"enabled": True}])
POLICIES = st.builds(
    lambda automated, more: {"automated": automated, **more},
    FIELDS,
    st.sampled_from([{}, {"retry": {"limit": 3}}, {"syncOptions": ["A=b"]}]),
)
SPECS = st.one_of(
    st.tuples(st.just(APPLICATION), st.builds(lambda policy: {"syncPolicy": policy}, POLICIES)),
    st.tuples(st.sampled_from([KUSTOMIZATION, HELM_RELEASE]), st.sampled_from([{}, {"suspend": False}])),
)
ANNOTATIONS = st.sampled_from([None, {}, {"team": "shop"}])
HOLDERS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)


def owner(spec: Any, annotations: Any = None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": "shop", "namespace": "argocd", "uid": "u1", "resourceVersion": "7"}
    if annotations is not None:
        metadata["annotations"] = dict(annotations)
    return {"metadata": metadata, "spec": {"path": "x", **copy.deepcopy(spec)}}


def hold(rollback: str = "r1", fence: int = 5) -> dict[str, Any]:
    bad = {"release": "v2+h", "images": ["shop/app:v2"], "sha": "s"}
    return {"rollback": rollback, "since": "2026-03-01T10:00:00+00:00", "fence": fence, "bad": bad, "named": []}


def patched(found: dict[str, Any], patch: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Apply a JSON Patch of the few shapes that are sent."""
    made = copy.deepcopy(found)
    for op in patch or ():
        *path, last = (part.replace("~1", "/").replace("~0", "~") for part in op["path"].split("/")[1:])
        place = made
        for part in path:
            place = place[part]
        if op["op"] == "test":
            assert place[last] == op["value"]
        elif op["op"] == "remove":
            del place[last]
        else:
            place[last] = copy.deepcopy(op["value"])
    return made


@given(SPECS, ANNOTATIONS, HOLDERS, st.randoms())
def test_whoever_takes_the_last_hold_away_puts_back_what_was(
    spec: tuple[OwnerKind, Any], annotations: Any, holders: list[str], order: Any
) -> None:
    """In whatever order, for as many workloads as it is."""
    kind, before = spec[0], owner(spec[1], annotations)
    found = before
    for holder in holders:
        found = patched(found, pause_patch(kind, found, holder, hold(holder)))
        assert is_ours(kind, found) is not None
        assert wants_sum(found) == wants_sum(before)
    order.shuffle(holders)
    for left, holder in reversed([*enumerate(holders)]):
        found = patched(found, release_patch(kind, found, holder))
        assert (is_ours(kind, found) is None) == (left == 0)
    assert found["spec"] == before["spec"]
    assert (found["metadata"].get("annotations") or {}) == (annotations or {})


@given(SPECS, HOLDERS)
def test_every_hold_can_be_taken_away_at_once(spec: tuple[OwnerKind, Any], holders: list[str]) -> None:
    """A person's word counts for all."""
    kind, before = spec[0], owner(spec[1])
    found = before
    for holder in holders:
        found = patched(found, pause_patch(kind, found, holder, hold(holder)))
    assert patched(found, release_patch(kind, found, "", every=True))["spec"] == before["spec"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (APPLICATION, {}),
        (APPLICATION, {"syncPolicy": {}}),
        (APPLICATION, {"syncPolicy": {"automated": None}}),
        (APPLICATION, {"syncPolicy": {"automated": {"enabled": False, "prune": True}}}),
        (KUSTOMIZATION, {"suspend": True}),
        (HELM_RELEASE, {"suspend": True}),
    ],
)
def test_a_pause_of_somebody_else_is_theirs(kind: OwnerKind, spec: Any) -> None:
    """Also where an annotation stands there that is none of ours."""
    assert pause_patch(kind, owner(spec), "a", hold()) is None
    assert pause_patch(kind, owner(spec, {PAUSED: "by ada"}), "a", hold()) is None


def test_a_stale_annotation_of_ours_is_written_anew() -> None:
    """Somebody resumed by hand; what is put back later is what stands there now."""
    was = owner({"syncPolicy": {"automated": {"prune": True}}})
    stale = patched(was, pause_patch(APPLICATION, was, "a", hold()))
    stale["spec"]["syncPolicy"]["automated"] = {"selfHeal": True}
    again = patched(stale, pause_patch(APPLICATION, stale, "b", hold("r2")))
    found = read_paused(again)
    assert found is not None
    assert (dict(found.was), list(found.holds)) == ({"automated": {"selfHeal": True}}, ["b"])


@pytest.mark.parametrize(
    "text",
    ["", "by ada", "[]", "{}", '{"was": {}}', '{"was": {}, "for": {"a": {}}}', '{"was": 1, "for": {"a": 1}}'],
)
def test_an_annotation_that_we_did_not_write_is_none_of_ours(text: str) -> None:
    """Whatever stands there."""
    assert read_paused(owner({"suspend": True}, {PAUSED: text})) is None


def planned(found: dict[str, Any]) -> dict[str, Any]:
    place = {"kind": "HelmRelease", "namespace": "shop", "name": "web"}
    return {**place, "uid": found["metadata"]["uid"], "wants": wants_sum(found)}


def test_what_it_wants_is_compared_and_not_whether_it_is_paused() -> None:
    """Another rollback of ours may have paused it; a person who changed its values decided something."""
    found = owner({"values": {"tag": "v2"}})
    values = planned(found)
    paused = patched(found, pause_patch(HELM_RELEASE, found, "b", hold("r2")))
    require_as_planned(paused, values, 5, "a")
    with pytest.raises(Permanent) as changed:
        require_as_planned(owner({"values": {"tag": "v1"}}), values, 5, "a")
    assert changed.value.reason is Reason.CHANGED_MEANWHILE


def test_a_newer_fence_of_the_same_workload_is_respected() -> None:
    """A worker that slept past its lease does not write over the hold of the next."""
    found = owner({})
    paused = patched(found, pause_patch(HELM_RELEASE, found, "a", hold(fence=7)))
    require_as_planned(paused, planned(found), 7, "a")
    with pytest.raises(Permanent) as stale:
        require_as_planned(paused, planned(found), 6, "a")
    assert stale.value.reason is Reason.STALE_FENCE


def test_the_annotation_says_why() -> None:
    """For people, who read it with kubectl; the same facts are always the same text."""
    found = owner({})
    texts = {
        patched(found, pause_patch(HELM_RELEASE, found, "a", hold()))["metadata"]["annotations"][PAUSED]
        for _ in range(2)
    }
    (text,) = texts
    assert json.loads(text)["for"]["a"]["bad"]["images"] == ["shop/app:v2"]
