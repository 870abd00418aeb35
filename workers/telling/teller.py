"""The teller: brings what waits in the outbox to people. One on each worker machine, as a process of its own.

It may be killed at any moment: what it had taken comes round again after a minute, and is sent again where no
receipt was noted. Each channel is served on its own, one message at a time; one that fails holds up no other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from controller.ledger import Ledger, LedgerUnavailable, connect
from controller.ledger.outbox import Taken
from controller.settings.notify import Channel, channels_for
from controller.settings.secrets import SecretUnreadable
from controller.settings.settings import Settings
from rules.telling import Kind, texts
from workers.stopping import Stopping
from workers.telling.sending import Sending, Sent

log = structlog.get_logger(__name__)

_ROUTED_AT_ONCE = 50
_LOOK_EVERY_S, _LOOK_WHILE_SENDING_S = 1.0, 0.1
_GIVE_UP_EVERY_S = 600.0
_REST_FIRST_S, _REST_MAX_S = 5.0, 60.0
_TELL_OTHERS_AFTER_S = 900.0
_STOP_WITHIN_S = 5.0


@dataclass(slots=True)
class _Line:
    """One channel at work. `rests_until` (monotonic): one that is down is not tried for each message at once."""

    channel: Channel
    sending: Sending | None = None
    failures: int = 0
    rests_until: float = 0.0


@dataclass(slots=True)
class Teller:
    """Serves the channels of the settings until it is asked to stop."""

    ledger: Ledger
    channels: Mapping[str, Channel]
    _lines: dict[str, _Line] = field(default_factory=dict)
    _give_up_at: float = 0.0
    _away: bool = False

    def __post_init__(self) -> None:
        self._lines = {name: _Line(channel) for name, channel in self.channels.items()}

    def run(self, stopping: Stopping) -> None:
        """Look every second; Redis being away is waited out, and said once."""
        self._say_what_is_wrong()
        while True:
            self.turn()
            sending = any(line.sending for line in self._lines.values())
            if stopping.wait(_LOOK_WHILE_SENDING_S if sending else _LOOK_EVERY_S):
                break
        self._finish()
        self.close()

    def turn(self) -> None:
        """Do what can be done now, without waiting for anybody."""
        try:
            self._route()
            for name, line in self._lines.items():
                self._serve(name, line)
            self._give_up()
        except LedgerUnavailable as e:
            if not self._away:
                log.warning("teller.ledger_unavailable", error=str(e))
            self._away = True
        else:
            self._away = False

    def _route(self) -> None:
        for taken in self.ledger.outbox.take(_ROUTED_AT_ONCE):
            message = taken.message
            names = channels_for(self.channels, message.channels, message.kind)
            self.ledger.outbox.route(taken.id, names)
            if not names:
                log.error("teller.nobody_told", message=taken.id, kind=message.kind, title=message.title)
            elif missing := [name for name in message.channels if name not in self.channels]:
                log.warning("teller.channel_unknown", message=taken.id, channels=missing, told=list(names))

    def _serve(self, name: str, line: _Line) -> None:
        if line.sending is not None and (sent := line.sending.over()) is not None:
            taken, line.sending = line.sending.taken, None
            self._note(line, taken, sent)
        if line.sending is None and time.monotonic() >= line.rests_until:
            for taken in self.ledger.outbox.take(1, name):
                self._send(line, taken)

    def _send(self, line: _Line, taken: Taken) -> None:
        try:
            line.sending = Sending(taken, line.channel.urls())
        except (SecretUnreadable, OSError) as e:  # the file, or no process to be had
            self._failed(line, taken, Sent(str(e), taken.parts, 0))

    def _note(self, line: _Line, taken: Taken, sent: Sent) -> None:
        if sent.error:
            self._failed(line, taken, sent)
            return
        line.failures, line.rests_until = 0, 0.0
        lost = self.ledger.outbox.sent(taken, f"{sent.addresses} of {sent.addresses} addresses")
        log.info("teller.told", message=taken.id, channel=taken.channel, kind=taken.message.kind)
        if lost > 0:
            self.ledger.outbox.put(texts.lost(taken.channel, lost), f"lost/{taken.channel}/{taken.id}")
            self.ledger.outbox.told_of_lost(taken.channel, lost)

    def _failed(self, line: _Line, taken: Taken, sent: Sent) -> None:
        line.failures += 1
        line.rests_until = time.monotonic() + min(_REST_FIRST_S * 2 ** min(line.failures - 1, 10), _REST_MAX_S)
        untold = self.ledger.outbox.failed(taken, sent.error, sent.parts)
        if untold is None:
            return
        log.warning(
            "teller.failed",
            message=taken.id,
            channel=taken.channel,
            tries=untold.tries,
            retry_in_s=untold.retry_in_s,
            error=sent.error,
        )
        if untold.age_s >= _TELL_OTHERS_AFTER_S and taken.message.kind is not Kind.UNDELIVERED:
            self._tell_others(taken, sent.error)

    def _tell_others(self, taken: Taken, error: str) -> None:
        """Once a day, where there is another channel; `status` says it in any case."""
        others = tuple(name for name in self.channels if name != taken.channel)
        if others:
            day = taken.at_ms // 86_400_000
            message = texts.undelivered(taken.channel, taken.message.title, error, others)
            self.ledger.outbox.put(message, f"undelivered/{taken.channel}/{day}")

    def _give_up(self) -> None:
        if time.monotonic() < self._give_up_at:
            return
        self._give_up_at = time.monotonic() + _GIVE_UP_EVERY_S
        for ident, channel in self.ledger.outbox.give_up():
            log.error("teller.gave_up", message=ident, channel=channel)

    def _finish(self) -> None:
        """Let what is being sent come to its end, for a moment; what does not is sent again by another teller."""
        deadline = time.monotonic() + _STOP_WITHIN_S
        while time.monotonic() < deadline and any(line.sending for line in self._lines.values()):
            for line in self._lines.values():
                line.rests_until = deadline + 1  # take nothing new
            self.turn()
            time.sleep(_LOOK_WHILE_SENDING_S)

    def close(self) -> None:
        """Break off what is still being sent."""
        for line in self._lines.values():
            if line.sending is not None:
                line.sending.stop()
                line.sending = None

    def _say_what_is_wrong(self) -> None:
        if not self.channels:
            log.warning("teller.no_channels", hint="nobody is told anything: name a channel under `notify:`")
        for name, channel in self.channels.items():
            try:
                channel.urls()
            except SecretUnreadable as e:
                log.warning("teller.channel_broken", channel=name, error=str(e))


def teller_of(settings: Settings) -> Teller:
    """Build the teller of the settings' channels; connects to nothing yet."""
    return Teller(connect(settings.redis, settings.numbers, "worker"), settings.notify)
