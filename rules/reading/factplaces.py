"""Which instance a word of a facts file means: an id in full, or what is left of it where it is clear."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rules.instances import HostInstance, WorkloadInstance, read_instance
from rules.reading.fileerrors import RuleFileErrors
from rules.reading.modelerrors import find_node
from rules.reading.wording import near_miss
from rules.workloads.names import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rules.instances import Instance
    from rules.reading.fileerrors import FileError
    from rules.reading.instancefacts import InstanceFacts
    from rules.reading.modelerrors import Loc
    from rules.reading.yamlfile import Document
    from rules.reading.yamlnodes import Node
    from rules.services import Inventory

_RANGE = re.compile(r"(.*)\[([0-9]+)-([0-9]+)\](.*)")
_MOST_IN_RANGE = 1000
_FORMS = "write hosts/INVENTORY/SERVICE/HOST or kubernetes/CLUSTER/NAMESPACE/KIND/NAME"


@dataclass(slots=True)
class Places:
    """Finds instances for one file, and collects what cannot be found."""

    document: Document
    root: Node
    inventory: Inventory
    cluster: str
    """Of workloads that say none."""
    source: str = "facts file"
    errors: list[FileError] = field(default_factory=list)
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def learn(self, instances: Mapping[str, InstanceFacts]) -> dict[str, InstanceFacts]:
        """Return the instances by id; their keys are known to `ids` from then on."""
        found: dict[str, InstanceFacts] = {}
        for key, instance in instances.items():
            self._known[key] = self._read(key, instance, ("instances", key))
            for ident in self._known[key]:
                if ident in found:
                    self._wrong(("instances", key), f"`{key}` is {ident}, which is described already; keep one")
                found[ident] = instance
        return found

    def ids(self, words: Sequence[str], loc: Loc) -> tuple[str, ...]:
        """Return the ids of instances that are named elsewhere in the file."""
        return tuple(ident for word in words for ident in self._ids(word, loc))

    def check(self) -> None:
        """Raise `RuleFileErrors` if anything could not be found."""
        if self.errors:
            raise RuleFileErrors(tuple(self.errors))

    def _ids(self, word: str, loc: Loc) -> tuple[str, ...]:
        if word not in self._known:
            told = {ident for ids in self._known.values() for ident in ids}
            ends = [ident for ident in sorted(told) if ident.endswith(f"/{word}")]
            self._known[word] = tuple(ends) if len(ends) == 1 else self._read(word, None, loc)
        return self._known[word]

    def _read(self, key: str, instance: InstanceFacts | None, loc: Loc) -> tuple[str, ...]:
        try:
            return tuple(self._one(word, instance).id for word in _each(key))
        except ValueError as error:
            self._wrong(loc, str(error))
            return ()

    def _one(self, word: str, instance: InstanceFacts | None) -> Instance:
        parts = word.split("/")
        if parts[0] in ("hosts", "kubernetes"):
            return read_instance(word)
        if len(parts) > 1 and parts[-2].lower() in KINDS and len(parts) <= 4:
            return self._workload(parts, instance)
        if len(parts) <= 2:
            return self._host(parts, instance)
        raise ValueError(f"`{word}` is no instance; {_FORMS}")

    def _workload(self, parts: Sequence[str], instance: InstanceFacts | None) -> WorkloadInstance:
        *before, kind, name = parts
        cluster = before[0] if len(before) == 2 else (instance and instance.cluster) or self.cluster
        namespace = before[-1] if before else (instance and instance.namespace) or "default"
        return WorkloadInstance(cluster, namespace, KINDS[kind.lower()], name)

    def _host(self, parts: Sequence[str], instance: InstanceFacts | None) -> HostInstance:
        *before, host = parts
        service = before[0] if before else instance.service if instance is not None else None
        if service is not None and service not in self.inventory.services:
            return HostInstance(self.inventory.name, service, host)
        names = [service] if service is not None else list(self.inventory.services)
        found = [name for name in names if any(host in _names(one) for one in self.inventory.services[name].hosts)]
        if len(found) > 1:
            raise ValueError(f"`{host}` runs several services ({', '.join(found)}); write SERVICE/{host}")
        if not found:
            return self._unlisted(host, service)
        one = next(one for one in self.inventory.services[found[0]].hosts if host in _names(one))
        return HostInstance(self.inventory.name, found[0], one.name)

    def _unlisted(self, host: str, service: str | None) -> HostInstance:
        """Refuse a host that the inventory does not have: no alert would lead to it."""
        hosts = {one.name for known in self.inventory.services.values() for one in known.hosts}
        where = f" of {service}" if service else ""
        raise ValueError(
            f"`{host}` is no host{where} in the inventory{near_miss(host, hosts)}; correct it, or {_FORMS}"
        )

    def _wrong(self, loc: Loc, message: str) -> None:
        place, key = find_node(self.root, loc)
        self.errors.append(
            self.document.error(key if key is not None and loc[0] == "instances" else place, message)
        )


def _names(host: object) -> tuple[str, ...]:
    return tuple(name for name in (getattr(host, key) for key in ("name", "address", "instance")) if name)


def _each(key: str) -> Iterator[str]:
    """Spell out `web[3-12]`."""
    found = _RANGE.fullmatch(key)
    if found is None:
        yield key
        return
    first, last = int(found[2]), int(found[3])
    if not first <= last < first + _MOST_IN_RANGE:
        raise ValueError(
            f"`{key}` counts from {first} to {last}; write the smaller number first, {_MOST_IN_RANGE} at most"
        )
    for number in range(first, last + 1):
        yield f"{found[1]}{number:0{len(found[2])}d}{found[4]}"
