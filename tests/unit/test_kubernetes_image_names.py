"""Images by every name they have: what a spec asks for, what a container runtime answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.kube_facts import DIGEST, OTHER_DIGEST, pod, template

from workers.kubernetes.images import (
    digest_of,
    digests_of,
    moved_in,
    mutable_in,
    names_in,
    pinned,
    read_image,
    version_of,
)


@pytest.mark.parametrize(
    ("image_id", "digest"),
    [
        (f"docker-pullable://shop/app@{DIGEST}", DIGEST),
        (f"docker.io/library/nginx@{DIGEST}", DIGEST),
        (f"127.0.0.1:5000/shop/app@{DIGEST}", DIGEST),
        (f"docker://{DIGEST}", None),
        (DIGEST, None),
        ("", None),
        ("shop/app:v1", None),
        (f"shop/app@{DIGEST[:-1]}", None),
        (f"shop/app@{DIGEST}\n", None),
        ("shop/app@md5:aaaa", None),
    ],
)
def test_only_what_can_be_pulled_is_a_digest(image_id: str, digest: str | None) -> None:
    """A bare `sha256:…` is the digest of a configuration."""
    repository = image_id.removeprefix("docker-pullable://").partition("@")[0].removesuffix(":v1")
    assert digest_of(image_id, f"{repository}:v1") == digest


@pytest.mark.parametrize(
    ("image_id", "spec", "known"),
    [
        ("docker.io/library/nginx", "nginx:1", True),
        ("docker-pullable://nginx", "docker.io/library/nginx", True),
        ("docker-pullable://shop/app", "shop/app:v1", True),
        ("docker.io/shop/app", "index.docker.io/shop/app:v1", True),
        ("registry:5000/shop/app", "registry:5000/shop/app:v1", True),
        ("registry:5000/shop/app", "registry:5001/shop/app:v1", False),
        ("registry:5000/staging/app", "registry:5000/prod/app:v1", False),
        ("mirror.example/docker.io/library/nginx", "nginx:1", False),
        ("shop/app", "ghcr.io/shop/app:v1", False),
    ],
)
def test_a_digest_counts_in_its_own_repository(image_id: str, spec: str, known: bool) -> None:
    """The same bits pushed twice may have two digests, and a node says any of an image's names."""
    assert digest_of(f"{image_id}@{DIGEST}", spec) == (DIGEST if known else None)


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("nginx", "nginx", "", ""),
        ("nginx:1.25", "nginx", "1.25", ""),
        ("shop/app:v1", "shop/app", "v1", ""),
        ("registry:5000/app", "registry:5000/app", "", ""),
        ("registry:5000/shop/app:v1", "registry:5000/shop/app", "v1", ""),
        (f"registry:5000/shop/app:v1@{DIGEST}", "registry:5000/shop/app", "v1", DIGEST),
        (f"shop/app@{DIGEST}", "shop/app", "", DIGEST),
    ],
)
def test_a_spec_is_split_where_it_should_be(text: str, repository: str, tag: str, digest: str) -> None:
    """A port belongs to the registry."""
    read = read_image(text)
    assert (read.repository, read.tag, read.digest) == (repository, tag, digest)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx:1", "docker.io/library/nginx"),
        ("docker.io/nginx", "docker.io/library/nginx"),
        ("shop/app", "docker.io/shop/app"),
        ("index.docker.io/shop/app", "docker.io/shop/app"),
        ("ghcr.io/shop/app", "ghcr.io/shop/app"),
        ("localhost/app", "localhost/app"),
        ("registry:5000/app:v1", "registry:5000/app"),
    ],
)
def test_defaults_are_those_of_a_container_runtime(text: str, full: str) -> None:
    """Two spellings of one repository are one."""
    assert read_image(text).full_repository == full


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("nginx", True),
        ("nginx:latest", True),
        ("nginx:Latest", True),
        ("registry:5000/app", True),
        ("app:main", True),
        ("app:stable", True),
        ("app:nightly", True),
        ("app:v1", False),
        ("app:1.25-alpine", False),
        (f"app@{DIGEST}", False),
        (f"app:latest@{DIGEST}", False),
    ],
)
def test_tags_that_move_are_known(text: str, moves: bool) -> None:
    """They are named for people, and never trusted without a digest."""
    assert read_image(text).is_mutable is moves
    assert mutable_in({"app": text}) == ((text,) if moves else ())


@given(
    st.from_regex(r"([a-z]{1,8}(:[0-9]{2,5})?/)?[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True),
    st.from_regex(r"(:[A-Za-z0-9][A-Za-z0-9._-]{0,10})?", fullmatch=True),
)
def test_pinning_keeps_the_specs_own_repository(repository: str, tag: str) -> None:
    """Registry and port stay, the tag goes, and what was pinned is pinned to the same again."""
    once = pinned(f"{repository}{tag}", DIGEST)
    assert once == f"{repository}@{DIGEST}"
    assert pinned(once, OTHER_DIGEST) == f"{repository}@{OTHER_DIGEST}"


APP = {"app": "shop/app:v1"}


def test_all_pods_of_a_revision_must_agree() -> None:
    """One that runs other bits, or bits without a digest, leaves nothing to pin; one that has none yet may."""
    assert digests_of([pod("a", "h1"), pod("b", "h1")], APP) == {"app": DIGEST}
    assert digests_of([pod("a", "h1"), pod("b", "h1", digest=OTHER_DIGEST)], APP) == {}
    bare = [{"name": "app", "imageID": DIGEST}]
    assert digests_of([pod("a", "h1"), pod("b", "h1", containerStatuses=bare)], APP) == {}
    starting = [{"name": "app", "imageID": ""}]
    assert digests_of([pod("a", "h1"), pod("b", "h1", containerStatuses=starting)], APP) == {"app": DIGEST}


@pytest.mark.parametrize(
    ("spec", "runs", "moved"),
    [
        ("shop/app:v1", "shop/app", True),
        ("shop/app:v1", "staging/app", False),
        (f"shop/app@{OTHER_DIGEST}", "shop/app", False),
        (f"shop/app:v1@{OTHER_DIGEST}", "shop/app", False),
    ],
)
def test_only_what_is_named_by_tag_can_have_moved(spec: str, runs: str, moved: bool) -> None:
    """And only a digest of its own repository tells; otherwise a healthy release would be held for nothing."""
    container = {"name": "app", "imageID": f"{runs}@{DIGEST}"}
    one = pod("a", "h1", containerStatuses=[container])
    assert bool(moved_in(one, {"app": spec}, {"app": OTHER_DIGEST})) is moved
    assert moved_in(one, {"app": spec}, {"app": DIGEST}) == moved_in(one, {"app": spec}, {}) == {}


def test_what_the_template_does_not_name_is_left_out() -> None:
    """A sidecar that was put into the pods is nobody's release."""
    injected = [{"name": "proxy", "imageID": f"mesh/proxy@{DIGEST}"}]
    assert digests_of([pod("a", "h1", containerStatuses=injected)], APP) == {}


@pytest.mark.parametrize(
    ("image", "labels", "version"),
    [
        ("shop/app:v1", {"app.kubernetes.io/version": "2.0"}, "2.0"),
        ("shop/app:v1", {}, "v1"),
        (f"shop/app@{DIGEST}", {}, 12 * "a"),
        ("shop/app", {}, "latest"),
    ],
)
def test_a_release_is_called_by_what_people_know(image: str, labels: dict[str, str], version: str) -> None:
    """The label, else the tag, else the start of the digest."""
    made = template(labels=labels, app=image)
    assert version_of(made, image) == version


def test_every_tag_and_digest_names_a_release() -> None:
    """Each once."""
    assert names_in({"a": "x:v1", "b": f"y@{DIGEST}", "c": "z:v1"}) == ("v1", DIGEST)
