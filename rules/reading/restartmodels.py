"""How an instance is taken out, restarted and judged healthy, as models of the inventory's YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rules.reading.fieldtypes import Duration, Literally, Section, SomeTime, Text, checked, say
from rules.reading.placenames import wrong_path, wrong_signal, wrong_unit, wrong_url, wrong_word
from rules.services import Health, Restart, RestartKind, Stop

AbsolutePath = Annotated[Text, checked(wrong_path)]
Url = Annotated[Text, checked(wrong_url)]
Unit = Annotated[Text, checked(wrong_unit)]


def _list_of_words(value: Any) -> Any:
    if isinstance(value, str):
        say("a command is a list of words, no shell reads it; write it like [shopctl, drain]")
    return value


def _command(words: list[str]) -> list[str]:
    if words[0].startswith("-") or not words[0].strip():
        say("the first word must be the command; it cannot be empty or begin with -")
    return words


Argv = Annotated[
    list[Annotated[Literally, checked(wrong_word)]],
    BeforeValidator(_list_of_words),
    Field(min_length=1),
    AfterValidator(_command),
]
"""A command as a list of words; no shell ever reads it."""


class RestartModel(Section):
    """How a service takes up the release its link points to; exactly one way."""

    systemd: Annotated[Unit | None, Field(description="Restart this unit.")] = None
    reload: Annotated[Unit | None, Field(description="Reload this unit.")] = None
    signal: Annotated[
        Annotated[Text, checked(wrong_signal)] | None,
        Field(description="Send this signal, to the main process of `unit` or the process in `pid-file`."),
    ] = None
    unit: Annotated[Unit | None, Field(description="The unit that `signal` goes to.")] = None
    pid_file: Annotated[
        AbsolutePath | None, Field(description="A file with the process that `signal` goes to.")
    ] = None
    marker: Annotated[AbsolutePath | None, Field(description="Touch this file; the service watches it.")] = None
    command: Annotated[Argv | None, Field(description="Run this command.")] = None

    @model_validator(mode="after")
    def _one_way(self) -> RestartModel:
        ways = [self.systemd, self.reload, self.signal, self.marker, self.command]
        if sum(way is not None for way in ways) != 1:
            say("name exactly one of systemd, reload, signal, marker and command")
        receivers = (self.unit is not None) + (self.pid_file is not None)
        if self.signal is not None and receivers != 1:
            say("`signal` needs to know whom to signal; add either `unit:` or `pid-file:`")
        if self.signal is None and receivers:
            say("`unit` and `pid-file` belong to `signal`; remove them")
        return self

    def read(self) -> Restart:
        """Return it as the rest of the project sees it."""
        if self.systemd:
            return Restart(RestartKind.SYSTEMD, unit=self.systemd)
        if self.reload:
            return Restart(RestartKind.RELOAD, unit=self.reload)
        if self.signal:
            return Restart(RestartKind.SIGNAL, unit=self.unit, signal=self.signal, path=self.pid_file)
        if self.marker:
            return Restart(RestartKind.MARKER, path=self.marker)
        return Restart(RestartKind.COMMAND, argv=tuple(self.command or ()))


class StopModel(Section):
    """Out of the rotation before the change, and in again after the instance is healthy."""

    drain: Annotated[Argv, Field(description="The command that takes the instance out of rotation.")]
    undrain: Annotated[Argv | None, Field(description="The command that puts it in again.")] = None
    within: Annotated[SomeTime, Field(description="How long each of them may take.")] = 900.0

    def read(self) -> Stop:
        """Return it as the rest of the project sees it."""
        undrain = None if self.undrain is None else tuple(self.undrain)
        return Stop(tuple(self.drain), undrain, self.within)


class HealthModel(Section):
    """When an instance is healthy."""

    url: Annotated[
        Url | None, Field(description="A URL that answers 2xx or 3xx; {address} is the host's address.")
    ] = None
    systemd: Annotated[Literal["active"] | None, Field(description="The unit is active.")] = None
    for_: Annotated[Duration, Field(description="How long the unit must stay active.")] = 10.0
    within: Annotated[SomeTime, Field(description="How long the instance may take to be healthy.")] = 30.0

    @model_validator(mode="after")
    def _says_how(self) -> HealthModel:
        if self.url is None and self.systemd is None:
            say("say what healthy means; add `url:` or `systemd: active`")
        if self.systemd is None and "for_" in self.model_fields_set:
            say(
                "`for` goes with `systemd: active`; a rule's `verify: {steady: …}` says how long a URL must answer"
            )
        return self

    def read(self) -> Health:
        """Return it as the rest of the project sees it."""
        return Health(self.url, self.systemd is not None, self.for_, self.within)
