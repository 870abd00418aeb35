"""The inventory: which services run on which hosts, and how these are reached."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from rules.reading.fieldtypes import INCOMPLETE, Section, Text, checked, say
from rules.reading.fileerrors import RuleFileErrors
from rules.reading.modelerrors import check, find_node
from rules.reading.placenames import wrong_user
from rules.reading.restartmodels import AbsolutePath
from rules.reading.servicemodels import Name, Port, ServiceModel, misfit
from rules.reading.yamlfile import read_yaml
from rules.services import (
    RELEASE_PATTERN,
    Health,
    Host,
    Inventory,
    Order,
    Restart,
    RestartKind,
    Service,
    Ssh,
    Stop,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rules.reading.fileerrors import FileError
    from rules.reading.yamlfile import Document

__all__ = [
    "RELEASE_PATTERN",
    "Health",
    "Host",
    "Inventory",
    "Order",
    "Restart",
    "RestartKind",
    "Service",
    "Ssh",
    "Stop",
    "parse_inventory",
]


class SshModel(Section):
    """How hosts are reached. No agent, no key search, no unknown host keys."""

    user: Annotated[Text, checked(wrong_user), Field(description="Whom to log in as.")]
    key_file: Annotated[AbsolutePath, Field(description="The private key.")]
    known_hosts: Annotated[AbsolutePath, Field(description="The host keys that are trusted.")]
    port: Annotated[Port, Field(description="The port of the SSH servers.")] = 22

    def read(self) -> Ssh:
        """Return it as the rest of the project sees it."""
        return Ssh(self.user, self.key_file, self.known_hosts, self.port)


class InventoryModel(Section):
    """The whole inventory."""

    version: Literal["inventory/v1"]
    name: Annotated[Name, Field(description="The inventory's name; it is part of every instance's identity.")] = (
        "default"
    )
    ssh: Annotated[SshModel | None, Field(description="How hosts are reached.")] = None
    connection: Annotated[
        Literal["local"] | None, Field(description="In place of `ssh`: the services run on this machine.")
    ] = None
    services: Annotated[dict[Name, ServiceModel], Field(description="The services, by name.")]

    @model_validator(mode="after")
    def _reached_one_way(self) -> InventoryModel:
        if self.ssh is None and self.connection is None:
            say("add `ssh:` to say how hosts are reached, or `connection: local` for this machine", INCOMPLETE)
        if self.ssh is not None and self.connection is not None:
            say("`ssh` and `connection: local` exclude each other; remove one")
        return self

    def read(self) -> Inventory:
        """Return it as the rest of the project sees it."""
        local = self.connection is not None
        ssh = self.ssh.read() if self.ssh else None
        services = {name: service.read(name, local=local) for name, service in self.services.items()}
        return Inventory(MappingProxyType(services), ssh, local, self.name)


def parse_inventory(text: str | bytes, filename: str) -> Inventory:
    """Read an inventory. Raises `RuleFileErrors` with all of its mistakes, and nothing else, for any input."""
    document = read_yaml(text, filename)
    model, errors = check(InventoryModel, document.root, document)
    errors = [*document.errors, *errors]
    inventory = model.read() if model else None
    if inventory is not None:
        for service in inventory.services.values():
            errors += _wrong_hosts(service, document)
        errors += _shared_links(inventory, document)
    if errors or inventory is None:
        raise RuleFileErrors(tuple(errors))
    return inventory


def _wrong_hosts(service: Service, document: Document) -> Iterator[FileError]:
    """Find hosts that cannot be told apart, and those whose own settings do not fit the service's."""
    names: set[str] = set()
    for number, host in enumerate(service.hosts):
        where = ("services", service.name, "hosts", number)
        own = {name for name in (host.name, host.instance) if name}
        if taken := sorted(names & own):
            place, _ = find_node(document.root, (*where, "name" if host.name in taken else "instance"))
            yield document.error(place, f"`{taken[0]}` names another host of {service.name}; rename one")
        names |= own
        here = service.at(host)
        if here != service and (wrong := misfit(here.releases, here.current, here.restart, here.health)):
            yield document.error(find_node(document.root, where)[0], wrong)


def _shared_links(inventory: Inventory, document: Document) -> Iterator[FileError]:
    """Find links that would be switched for two instances."""
    switched: dict[tuple[str, str], str] = {}
    for service in inventory.services.values():
        for number, host in enumerate(service.hosts):
            link = (host.address, service.at(host).current)
            if link in switched:
                place, _ = find_node(document.root, ("services", service.name, "hosts", number))
                message = f"{link[1]} on {host.address} is switched for {switched[link]} already; keep one"
                yield document.error(place, message)
            switched[link] = f"{service.name} on {host.name}"
