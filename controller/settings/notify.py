"""The channels by which people are told. Their addresses are secrets: they stand in files, and in no message."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr

from controller.settings.secrets import SecretUnreadable, read_secret
from rules.telling import Kind

SCHEMAS = frozenset(
    {
        *("json", "jsons", "form", "forms", "mailto", "mailtos", "ntfy", "ntfys", "gotify", "gotifys"),
        *("slack", "discord", "tgram", "mmost", "mmosts", "rocket", "rockets", "matrix", "matrixs", "zulip"),
        *("workflow", "workflows", "gchat", "wxteams", "nctalk", "nctalks", "signal", "signals", "threema"),
        *("pagerduty", "opsgenie", "splunk", "victorops", "pagertree", "spike", "pover", "pbul"),
        *("sns", "ses", "twilio"),
    }
)
"""What a URL may begin with: what reaches people. Nothing that runs programs or writes files on this machine."""

_SCHEMA = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,15})://.")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a channel's name is letters, digits, '-', '_' and '.', 63 at most, as in oncall")
    return name


ChannelName = Annotated[str, AfterValidator(_named)]


class Channel(BaseModel):
    """One way to reach people: everybody behind the addresses of one file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls_file: Path
    """Apprise URLs, one on a line; lines that begin with `#` and empty ones say nothing."""
    kinds: frozenset[Kind] = frozenset(Kind)
    """Which messages; by default every kind."""
    default: bool = False
    """Whether it is told what no rule, or a rule that names no channel, has to say."""

    def urls(self) -> tuple[SecretStr, ...]:
        """Read the addresses anew: they are rotated. Raises `SecretUnreadable`, which shows none of them."""
        lines = enumerate(read_secret(self.urls_file).get_secret_value().splitlines(), 1)
        found = [(n, line.strip()) for n, line in lines if line.strip() and not line.strip().startswith("#")]
        if not found:
            raise SecretUnreadable(
                f"{self.urls_file} names no address. Write an Apprise URL on a line of its own."
            )
        for n, line in found:
            self._check(n, line)
        return tuple(SecretStr(line) for _, line in found)

    def _check(self, n: int, line: str) -> None:
        schema = _SCHEMA.match(line)
        if schema is None:
            what = "is no Apprise URL"
        elif schema[1].lower() not in SCHEMAS:
            what = f"begins with {schema[1]}://, which is not sent to"
        else:
            return
        raise SecretUnreadable(
            f"{self.urls_file}, line {n}, {what}. It may begin with {', '.join(sorted(SCHEMAS))}."
        )


Channels = Mapping[str, Channel]


def channels_for(channels: Channels, named: Iterable[str], kind: str) -> tuple[str, ...]:
    """Name the channels that a message goes to, in the order of the settings; empty: nobody can be told.

    Those that the rule names, as far as they exist; else those that are marked `default`; else the first.
    """
    wanted = set(named)
    chosen = [name for name in channels if name in wanted]
    chosen = chosen or [name for name, channel in channels.items() if channel.default] or list(channels)[:1]
    return tuple(name for name in chosen if kind in channels[name].kinds)
