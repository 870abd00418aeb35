"""A manifest is read strictly: what is not understood, or contradicts itself, is an error at its field."""

from __future__ import annotations

from typing import Any

import pytest

from rules.catalogue import Manifest
from rules.reading.manifestmodels import ManifestError, names_a_newer_one, read_manifests

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
SHA = "0123456789abcdef" * 4


def manifest(**fields: Any) -> Manifest:
    (model,) = read_manifests({"version": "v1", **fields}, "shop")
    return model.manifest("shop")


def test_a_plain_manifest_is_accepted_as_it_stands() -> None:
    """The service is that of the address it was sent to."""
    plain = {
        "version": "v1.3.0",
        "commit": "3f2a1b9",
        "built_at": "2026-01-22T04:47:00+01:00",
        "passed_smoke_test": True,
    }
    (model,) = read_manifests(plain, "shop")
    assert model.manifest("shop") == Manifest(
        "shop", "v1.3.0", commit="3f2a1b9", built_at_ms=1_769_053_620_000, passed_smoke_test=True
    )


def test_everything_a_manifest_can_say() -> None:
    """Digests as registries and as `docker inspect` write them; null is what is not known."""
    said = manifest(
        service="shop",
        commit=None,
        digests=[DIGEST, f"registry.example/shop/web@{DIGEST}"],
        artifact_sha256=SHA.upper(),
        go_version="go1.25.1",
        goos="linux",
        goarch="amd64",
        notes="",
        **{"cannot-go-back-past": "v0"},
    )
    assert said == Manifest(
        "shop",
        "v1",
        digests=(DIGEST,),
        artifact_sha256=SHA,
        go_version="go1.25.1",
        platform="linux/amd64",
        cannot_go_back_past="v0",
    )
    assert manifest(platform="linux/amd64").platform == said.platform
    assert manifest(cannot_go_back_past="v0").cannot_go_back_past == "v0"


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"version": 1}, "version", "write a text"),
        ({"version": "a/b"}, "version", "without spaces, slashes"),
        ({"version": " "}, "version", "empty"),
        ({"commit": ""}, "commit", "leave the key out"),
        ({"service": "web"}, "service", "this says web, and it is registered for shop"),
        ({"digest": DIGEST}, "digest", "did you mean `digests`?"),
        ({"built-at": "x"}, "built-at", "did you mean `built_at`?"),
        ({"colour": "red"}, "colour", "known are version, service"),
        ({"digests": DIGEST}, "digests", "write a list"),
        ({"digests": []}, "digests", "leave the key out"),
        ({"digests": [DIGEST, "shop/web:v1"]}, "digests.1", "an image's tag is no digest"),
        ({"digests": [DIGEST[:-1]]}, "digests.0", "these are 63 characters"),
        ({"digests": [DIGEST.upper()]}, "digests.0", "`sha256:` and 64"),
        ({"artifact_sha256": DIGEST}, "artifact_sha256", "the 64 digits alone"),
        ({"artifact_sha256": SHA[1:]}, "artifact_sha256", "these are 63 characters"),
        ({"built_at": "2026-01-22T03:47:00"}, "built_at", "with a zone"),
        ({"built_at": "yesterday"}, "built_at", "with a zone"),
        ({"built_at": 1_769_053_620}, "built_at", "not as a number"),
        ({"passed_smoke_test": "yes"}, "passed_smoke_test", "true or false"),
        ({"goos": "linux"}, "goarch", "belong together"),
        ({"goos": "linx", "goarch": "amd64"}, "goos", "did you mean `linux`?"),
        ({"goos": "linux", "goarch": "x86_64"}, "goarch", "is no GOARCH"),
        ({"platform": "linux-amd64"}, "platform", "GOOS/GOARCH"),
        ({"platform": "linux/arm64", "goos": "linux", "goarch": "amd64"}, "platform", "keep one"),
        ({"irreversible": True, "cannot-go-back-past": "v0"}, "irreversible", "bars everything older"),
        ({"cannot-go-back-past": "v1"}, "cannot-go-back-past", "names v1 itself"),
        ({"notes": "x" * 2001}, "notes", "at most 2000 characters"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(fields: dict[str, Any], field: str, says: str) -> None:
    """With what to write instead."""
    with pytest.raises(ManifestError) as error:
        manifest(**fields)
    assert error.value.field == field
    assert says in str(error.value)


def test_a_version_is_needed() -> None:
    """Everything else may be left out."""
    with pytest.raises(ManifestError, match="`version` is missing"):
        read_manifests({}, "shop")


@pytest.mark.parametrize("content", ["v1", 1, None, True])
def test_what_is_no_object_is_refused(content: object) -> None:
    """Whatever JSON it is."""
    with pytest.raises(ManifestError, match="as an object"):
        read_manifests(content, "shop")


def test_a_list_says_which_of_it_is_wrong() -> None:
    """And holds each version once."""
    with pytest.raises(ManifestError) as error:
        read_manifests([{"version": "v1"}, {"version": "v2", "colour": 1}], "shop")
    assert (error.value.index, error.value.field) == (1, "colour")
    with pytest.raises(ManifestError, match="twice"):
        read_manifests([{"version": "v1"}, {"version": "v1"}], "shop")
    with pytest.raises(ManifestError, match="empty"):
        read_manifests([], "shop")


@pytest.mark.parametrize(("limit_built", "newer"), [(1, False), (5, True), (6, True), (None, False)])
def test_no_release_can_be_kept_from_going_back_past_a_newer_one(limit_built: int | None, newer: bool) -> None:
    """Where both build times are known."""
    limit = Manifest("shop", "v0", built_at_ms=limit_built)
    said = Manifest("shop", "v1", built_at_ms=5, cannot_go_back_past="v0")
    assert names_a_newer_one(said, {"v0": limit}) is newer
    assert not names_a_newer_one(said, {})
