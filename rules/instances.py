"""The identity of an instance: the smallest thing that can be rolled back on its own."""

from __future__ import annotations

from dataclasses import dataclass

_KIND = "hosts"


@dataclass(frozen=True, slots=True)
class Instance:
    """One service on one host of one inventory. No part may be empty or hold a slash."""

    inventory: str
    service: str
    host: str

    def __post_init__(self) -> None:
        for part in (self.inventory, self.service, self.host):
            if not part or "/" in part:
                raise ValueError(
                    f"{part!r} cannot name an inventory, service or host: it is empty or holds a slash"
                )

    @property
    def id(self) -> str:
        """The identity in keys, plans and answers, like `hosts/default/shop/web2`."""
        return f"{_KIND}/{self.inventory}/{self.service}/{self.host}"

    @property
    def label(self) -> str:
        """The name for people, like `shop on web2`."""
        return f"{self.service} on {self.host}"

    @classmethod
    def from_id(cls, text: str) -> Instance:
        """Read back what `id` wrote; raises ValueError for anything else."""
        kind, *parts = text.split("/")
        if kind != _KIND or len(parts) != 3:
            raise ValueError(f"{text!r} is not an instance: write hosts/INVENTORY/SERVICE/HOST")
        return cls(*parts)
