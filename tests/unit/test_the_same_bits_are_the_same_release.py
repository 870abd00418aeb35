"""What identifies the bits of a release, whatever it is called."""

from __future__ import annotations

from testbed.kube_facts import DIGEST, OTHER_DIGEST, deployment, replicaset, template

from workers.kubernetes.history import Revision
from workers.kubernetes.releases import content_of


def revision(made: dict[str, object]) -> Revision:
    (found,) = deployment(made, [replicaset(1, made)]).revisions
    return found


def content(made: dict[str, object], digest: str = DIGEST) -> str:
    return content_of(revision(made), {"h1": {"app": digest}})


def test_another_tag_of_the_same_bits_is_the_same_release() -> None:
    """As are a digest in the spec, and another word in the labels that only name it."""
    named = template("v1", labels={"app.kubernetes.io/version": "v1", "helm.sh/chart": "shop-1.0"})
    assert content(template("v1")) == content(template("latest")) == content(named) != ""
    assert content_of(revision(template(app=f"shop/app@{DIGEST}")), {}) == content(template("v1"))


def test_other_bits_are_another_release() -> None:
    """Though the tag is the same."""
    assert content(template("v1")) != content(template("v1"), OTHER_DIGEST)


def test_the_same_image_with_other_settings_is_another_release() -> None:
    """What is set is part of what runs."""
    other = template("v1")
    other["spec"]["containers"][0]["env"] = [{"name": "DEBUG", "value": "1"}]
    assert content(template("v1")) != content(other)


def test_bits_that_are_not_all_known_identify_nothing() -> None:
    """One container of two."""
    assert content(template(app="shop/app:v1", side="shop/side:v1")) == ""
