"""The services of the inventory as models: what each field may hold, what it defaults to, what it means."""

from __future__ import annotations

from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from rules.fieldtypes import Duration, Literally, Section, SomeTime, Text, checked, say
from rules.placenames import (
    wrong_address,
    wrong_inner_path,
    wrong_name,
    wrong_path,
    wrong_signal,
    wrong_unit,
    wrong_url,
    wrong_word,
)
from rules.regexes import RegexError, compile_anchored
from rules.services import Health, Host, Order, Restart, RestartKind, Service, Stop

Name = Annotated[Text, checked(wrong_name)]
AbsolutePath = Annotated[Text, checked(wrong_path)]
InnerPath = Annotated[Text, checked(wrong_inner_path)]
Url = Annotated[Text, checked(wrong_url)]
Unit = Annotated[Text, checked(wrong_unit)]
Port = Annotated[int, Field(ge=1, le=65535)]


def _list_of_words(value: Any) -> Any:
    if isinstance(value, str):
        say("a command is a list of words, no shell reads it; write it like [shopctl, drain]")
    return value


def _command(words: list[str]) -> list[str]:
    if words[0].startswith("-") or not words[0].strip():
        say("the first word must be the command; it cannot be empty or begin with -")
    return words


def _pattern(pattern: str) -> str | None:
    try:
        compile_anchored(pattern)
    except RegexError as error:
        return f"not a regular expression: {error}"
    return None


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


class VersionUrlModel(Section):
    """Where a service tells its own version."""

    url: Annotated[Url, Field(description="A URL that answers with the version; {address} is the host's address.")]


class HostModel(Section):
    """One machine that runs the service."""

    name: Annotated[Name, Field(description="The host's name, unique in the service.")]
    address: Annotated[
        Annotated[Text, checked(wrong_address)] | None,
        Field(description="Its IPv4 or IPv6 address or DNS name. Without it: the name, or 127.0.0.1 when local."),
    ] = None
    port: Annotated[
        Port | None, Field(description="The port of its SSH server, when it is not that of `ssh:`.")
    ] = None
    instance: Annotated[
        Literally | None, Field(description="What the label `instance` of its alerts says, when it is neither.")
    ] = None
    labels: Annotated[
        dict[Text, Literally], Field(default_factory=dict, description="Labels that rules select by.")
    ]
    releases: Annotated[
        AbsolutePath | None, Field(description="The directory of releases on this host, when it is another one.")
    ] = None
    current: Annotated[
        AbsolutePath | None, Field(description="The link on this host, when it is another one.")
    ] = None
    restart: Annotated[
        RestartModel | None, Field(description="How the service takes up a release here, when otherwise.")
    ] = None
    health: Annotated[HealthModel | None, Field(description="When this instance is healthy, when otherwise.")] = (
        None
    )

    @model_validator(mode="after")
    def _reachable(self) -> HostModel:
        if self.address is None and (wrong := wrong_address(self.name)):
            say(f"the name is no address ({wrong}); add `address:`")
        return self

    def read(self, *, local: bool) -> Host:
        """Return it as the rest of the project sees it."""
        address = self.address or ("127.0.0.1" if local else self.name)
        return Host(
            name=self.name,
            address=address,
            labels=MappingProxyType(dict(self.labels)),
            instance=self.instance,
            port=self.port,
            releases=self.releases and self.releases.rstrip("/"),
            current=self.current and self.current.rstrip("/"),
            restart=self.restart and self.restart.read(),
            health=self.health and self.health.read(),
        )


def misfit(releases: str, current: str, restart: Restart, health: Health | None) -> str | None:
    """Say what does not fit together, of a service or of one host that differs from it."""
    if current == releases or current.startswith(f"{releases}/"):
        return "`current` lies inside `releases` and would be taken for a release; put the link beside it"
    if health and health.systemd and restart.unit is None:
        return "`health: {systemd: active}` needs a unit, and `restart` names none; use `health: {url: …}`"
    return None


class ServiceModel(Section):
    """What is released together, in the same way, on every one of its hosts."""

    releases: Annotated[
        AbsolutePath, Field(description="The directory that holds one directory or file per release.")
    ]
    current: Annotated[AbsolutePath, Field(description="The link that is switched.")]
    pattern: Annotated[
        Annotated[Text, checked(_pattern)] | None,
        Field(description="A regular expression (RE2) that a release's whole name matches."),
    ] = None
    whitelist: Annotated[
        list[Text] | None,
        Field(min_length=1, description="Shell globs; only releases like one of them are chosen."),
    ] = None
    executable: Annotated[
        InnerPath | None, Field(description="A file inside a release that must be there and be executable.")
    ] = None
    complete: Annotated[
        InnerPath | None, Field(description="A file inside a release that is there once it is whole.")
    ] = None
    order: Annotated[
        Literal["auto", "version", "time"], Field(description="How releases are sorted from old to new.")
    ] = "auto"
    restart: Annotated[RestartModel, Field(description="How the service takes up a release.")]
    stop: Annotated[StopModel | None, Field(description="Out of rotation, and in again.")] = None
    health: Annotated[HealthModel | None, Field(description="When an instance is healthy.")] = None
    version: Annotated[VersionUrlModel | None, Field(description="Where the service tells its own version.")] = (
        None
    )
    hosts: Annotated[list[HostModel], Field(min_length=1, description="The machines that run the service.")]

    @model_validator(mode="after")
    def _fits_together(self) -> ServiceModel:
        health = self.health and self.health.read()
        if wrong := misfit(self.releases.rstrip("/"), self.current.rstrip("/"), self.restart.read(), health):
            say(wrong)
        return self

    def read(self, name: str, *, local: bool) -> Service:
        """Return it as the rest of the project sees it."""
        return Service(
            name=name,
            releases=self.releases.rstrip("/"),
            current=self.current.rstrip("/"),
            restart=self.restart.read(),
            hosts=tuple(host.read(local=local) for host in self.hosts),
            pattern=self.pattern,
            whitelist=None if self.whitelist is None else tuple(self.whitelist),
            executable=self.executable,
            complete=self.complete,
            order=Order(self.order),
            stop=self.stop.read() if self.stop else None,
            health=self.health.read() if self.health else None,
            version_url=self.version.url if self.version else None,
        )
