"""An instance has one identity, for keys and for people."""

from __future__ import annotations

import pytest

from rules.instances import HostInstance, read_instance


def test_the_identity_names_inventory_service_and_host() -> None:
    """And it can be read back."""
    instance = HostInstance("default", "shop", "web2")
    assert (instance.id, instance.label) == ("hosts/default/shop/web2", "shop on web2")
    assert read_instance(instance.id) == instance


@pytest.mark.parametrize(
    "text",
    ["", "shop", "hosts/default/shop", "hosts/default/shop/web2/x", "pods/default/shop/web2", "hosts//shop/web2"],
)
def test_anything_else_is_no_identity(text: str) -> None:
    """Keys and paths are made of it, so it is never guessed at."""
    with pytest.raises(ValueError, match=r"HOST|empty"):
        read_instance(text)


@pytest.mark.parametrize("name", ["", "a/b"])
def test_a_part_that_would_break_the_identity_is_refused(name: str) -> None:
    """Two instances must never share one."""
    with pytest.raises(ValueError, match="empty or holds a slash"):
        HostInstance("default", name, "web2")
