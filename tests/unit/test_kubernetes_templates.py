"""When two pod templates are one release, and what is written to bring an old one back."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.kube_facts import template

from workers.kubernetes.templates import images, same, sha_of, with_images, without_counterpart, writable

WORDS = st.text(alphabet="abcxyz09", min_size=1, max_size=6)
TEMPLATES = st.builds(
    lambda labels, image, env: {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "app", "image": image, "env": [{"name": "E", "value": env}]}]},
    },
    st.dictionaries(WORDS, WORDS, max_size=3),
    WORDS,
    WORDS,
)


def added(made: dict[str, Any]) -> dict[str, Any]:
    """Return the template as a controller, a restart and a history write it."""
    written = copy.deepcopy(made)
    written["$patch"] = "replace"
    written["metadata"]["creationTimestamp"] = None
    written["metadata"].setdefault("labels", {}).update(
        {"pod-template-hash": "abc", "controller-revision-hash": "db-abc"}
    )
    written["metadata"].setdefault("annotations", {})["kubectl.kubernetes.io/restartedAt"] = "2026-01-01T00:00:00Z"
    return written


@given(TEMPLATES)
def test_what_controllers_and_restarts_add_makes_no_other_release(made: dict[str, Any]) -> None:
    """Hash labels, `$patch`, `restartedAt` and an empty creationTimestamp say nothing of what runs."""
    assert same(made, added(made))
    assert sha_of(made) == sha_of(added(made))


@given(TEMPLATES, TEMPLATES)
def test_the_sum_is_equal_for_equal_releases_only(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Same image with another configuration is another release."""
    assert same(one, other) == (sha_of(one) == sha_of(other))


@given(TEMPLATES)
def test_what_is_written_has_nothing_of_its_history(made: dict[str, Any]) -> None:
    """But `restartedAt` stays: only then does the controller know its own old revision again."""
    written = writable(added(made))
    assert "$patch" not in written
    assert not {"pod-template-hash", "controller-revision-hash"} & set(written["metadata"]["labels"])
    assert written["metadata"]["annotations"] == {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}


@given(TEMPLATES)
def test_nothing_is_changed_in_what_was_read(made: dict[str, Any]) -> None:
    """Templates are shared: what is written is a copy."""
    before = added(made)
    kept = copy.deepcopy(before)
    writable(before)["spec"]["containers"][0]["image"] = "other"
    with_images(before, {"app": "other"})
    sha_of(before)
    assert before == kept


def test_images_are_exchanged_by_the_containers_name() -> None:
    """Of containers that only prepare, too; what is not named keeps its own."""
    made = template(app="shop/app:v2", sidecar="proxy:7")
    made["spec"]["initContainers"] = [{"name": "migrate", "image": "shop/app:v2"}]
    changed = with_images(made, {"app": "shop/app:v1", "migrate": "shop/app:v1"})
    assert images(changed) == {"migrate": "shop/app:v1", "app": "shop/app:v1", "sidecar": "proxy:7"}


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [({"app": "a", "sidecar": "b"}, ()), ({"app": "a"}, ("sidecar",)), ({}, ("app", "sidecar"))],
)
def test_a_container_without_a_counterpart_is_named(wanted: dict[str, str], missing: tuple[str, ...]) -> None:
    """Nothing is guessed for it."""
    assert without_counterpart(template(app="shop/app:v2", sidecar="proxy:7"), wanted) == missing
