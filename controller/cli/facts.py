"""Facts from a file: what runs where, so that `rules explain` can name the release without reaching a host."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from controller.cli.failures import Failed
from rules.observations import Observation, ReleaseSeen
from rules.reading.fileerrors import RuleFileErrors
from rules.reading.yamlfile import read_yaml
from rules.reading.yamlnodes import value_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Release(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    complete: bool = True
    executable: bool = True
    allowed: bool = True
    aliases: list[str] = []
    note: str = ""

    def seen(self, at: int) -> ReleaseSeen:
        """Return it as a look would have told it."""
        return ReleaseSeen(order=(at,), **{**self.model_dump(), "aliases": tuple(self.aliases)})


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    running: str | None = None
    releases: list[str | _Release] = []

    def observed(self) -> Observation:
        """Return what a look at the instance would have told; releases are listed from old to new."""
        seen = (_Release(name=entry) if isinstance(entry, str) else entry for entry in self.releases)
        releases = tuple(release.seen(at) for at, release in enumerate(seen))
        return Observation(running=self.running, arrival="", fence=0, releases=releases)


_FILE = TypeAdapter(dict[str, _Facts])


def read_facts(path: Path) -> Mapping[str, Observation]:
    """Read `{INSTANCE: {running: RELEASE, releases: [old, …, new]}}`, by instance id."""
    try:
        document = read_yaml(path.read_bytes(), str(path))
        facts = _FILE.validate_python(value_of(document.root))
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}.") from error
    except RuleFileErrors as error:
        raise Failed(str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Failed(
            f"{path}: {where}: {first['msg']}. Write {{INSTANCE: {{running: RELEASE, releases: [OLD, …, NEW]}}}}."
        ) from error
    return {instance: fact.observed() for instance, fact in facts.items()}
