"""Hosts over SSH. The only file that speaks paramiko; its errors end here.

Trusts the keys in one file and nobody else, logs in with one key and asks no agent. Commands run on raw channels:
`SSHClient.exec_command` can hang (paramiko#2685), and so can reading one stream after the other (paramiko#448) or
waiting for the exit status first (paramiko#1778).
"""

from __future__ import annotations

import math
import select
import shlex
import socket
import time
from typing import TYPE_CHECKING

import paramiko

from rules.decisions import Reason
from rules.errors import Permanent, Transient
from workers.hosts.connection import AFTER_EXIT_S, Gathered, Result
from workers.hosts.ssh_errors import SshPlace, as_connect_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rules.inventory import Host, Ssh

_CONNECT_S = 5.0
_KEEPALIVE_S = 15
_ECDSA = ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_HOST_KEY_ALGORITHMS = ("ssh-ed25519", *_ECDSA, *_RSA)
_ENDED_FOR_US = 124
"""The exit code of `timeout`, which ends a command on the host shortly before we stop waiting for it."""
_GRACE_S = 2.0


class SshConnection:
    """One host. Connects when it is first asked for something, and anew after a connection was lost."""

    def __init__(self, host: Host, ssh: Ssh) -> None:
        self._place = SshPlace(host.address, host.port or ssh.port, ssh.user, ssh.key_file, ssh.known_hosts)
        self._client: paramiko.SSHClient | None = None

    @property
    def is_root(self) -> bool:
        """Whether we log in as root."""
        return self._place.user == "root"

    def run(self, argv: Sequence[str], *, deadline_s: float) -> Result:
        """Run one command, both streams drained in one loop. A connection that breaks raises `Transient`."""
        ends_after = ("timeout", "-k", "5", str(math.ceil(deadline_s)))
        deadline = time.monotonic() + deadline_s + _GRACE_S
        transport = self._transport()
        try:
            result = _run(transport, shlex.join((*ends_after, *argv)), deadline)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self.close()
            raise _cut(self._place, str(error) or type(error).__name__) from error
        if result is None or result.exit == _ENDED_FOR_US:
            self.close()
            message = f"a command on {self._place} took longer than {deadline_s:g} s; it is looked at again"
            raise Transient(Reason.DEADLINE, message)
        if result.exit < 0:
            self.close()
            raise _cut(self._place, "the connection ended before the command did")
        return result

    def close(self) -> None:
        """End the connection, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _transport(self) -> paramiko.Transport:
        transport = self._client.get_transport() if self._client else None
        if transport is None or not transport.is_active():
            self.close()
            self._client = _connect(self._place)
            transport = self._client.get_transport()
        if transport is None:
            raise _cut(self._place, "it ended at once")
        return transport


def _cut(place: SshPlace, why: str) -> Transient:
    message = f"the connection to {place} was lost ({why}); connected anew, then looked at what was done"
    return Transient(Reason.UNREACHABLE, message)


def _connect(place: SshPlace) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    key, untrusted = _key(place), _untrusted_types(client, place)
    try:
        client.connect(
            place.address,
            place.port,
            place.user,
            pkey=key,
            sock=_dial(place),
            disabled_algorithms={"keys": untrusted},
            allow_agent=False,
            look_for_keys=False,
            timeout=_CONNECT_S,
            banner_timeout=_CONNECT_S,
            auth_timeout=_CONNECT_S,
            channel_timeout=_CONNECT_S,
        )
    except (paramiko.SSHException, OSError, EOFError) as error:
        client.close()
        raise as_connect_error(error, place) from error
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(_KEEPALIVE_S)
    return client


def _dial(place: SshPlace) -> socket.socket:
    """Connect without Nagle's algorithm: with it every command waits 40 ms for an acknowledgement."""
    dialled = socket.create_connection((place.address, place.port), timeout=_CONNECT_S)
    dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return dialled


def _key(place: SshPlace) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(place.key_file)
    except OSError as error:
        message = f"the key {place.key_file} cannot be read ({error.strerror}): correct `key-file:` or its rights"
        raise Permanent(Reason.LOGIN_REFUSED, message) from error
    except (ValueError, TypeError, paramiko.SSHException, paramiko.pkey.UnknownKeyType) as error:
        message = f"{place.key_file} is no private key without a passphrase: make one with ssh-keygen -N ''"
        raise Permanent(Reason.LOGIN_REFUSED, message) from error


def _untrusted_types(client: paramiko.SSHClient, place: SshPlace) -> list[str]:
    """Load the trusted keys; return the key types that none of them has.

    Asked for a type that we do not know, a host would look like a stranger (paramiko#900).
    """
    try:
        client.load_host_keys(place.known_hosts)
    except (OSError, ValueError) as error:
        message = f"the known hosts in {place.known_hosts} cannot be read ({error}): correct `known-hosts:`"
        raise Permanent(Reason.HOST_KEY_UNKNOWN, message) from error
    known = client.get_host_keys().lookup(place.known_as)
    if not known:
        message = f"{place.known_hosts} holds no key of {place.known_as}: {place.learn_key}"
        raise Permanent(Reason.HOST_KEY_UNKNOWN, message)
    trusted = {algorithm for kind in known for algorithm in _algorithms(kind)}
    return [kind for kind in _HOST_KEY_ALGORITHMS if kind not in trusted]


def _algorithms(kind: str) -> tuple[str, ...]:
    return _RSA if kind == "ssh-rsa" else (kind,)


def _run(transport: paramiko.Transport, command: str, deadline: float) -> Result | None:
    """Run a command to its end; None if that does not come in time."""
    channel = transport.open_session(timeout=_CONNECT_S)
    try:
        channel.settimeout(_CONNECT_S)
        channel.exec_command(command)
        channel.shutdown_write()
        return _drain(channel, deadline)
    finally:
        channel.close()


def _drain(channel: paramiko.Channel, deadline: float) -> Result | None:
    gathered = Gathered()
    readable = select.poll()
    readable.register(channel.fileno(), select.POLLIN)
    ended_at = math.inf
    while (now := time.monotonic()) < deadline:
        moved = _take(channel, gathered)
        if channel.exit_status_ready():
            ended_at = min(ended_at, now)
            if not moved and (channel.eof_received or channel.closed or now - ended_at > AFTER_EXIT_S):
                return gathered.result(channel.exit_status)
        if moved:
            continue
        # From its end on the pipe is readable for ever; what is still to come is the exit status.
        if channel.eof_received:
            channel.status_event.wait(min(deadline - now, 1))
        else:
            readable.poll(min(deadline - now, AFTER_EXIT_S) * 1000)
    return None


def _take(channel: paramiko.Channel, gathered: Gathered) -> bool:
    moved = False
    if channel.recv_ready():
        gathered.out(channel.recv(1 << 16))
        moved = True
    if channel.recv_stderr_ready():
        gathered.err(channel.recv_stderr(1 << 16))
        moved = True
    return moved
