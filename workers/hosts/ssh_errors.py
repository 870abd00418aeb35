"""Why a host could not be logged in to, in words that end with what to do."""

from __future__ import annotations

from dataclasses import dataclass

from paramiko import AuthenticationException, BadHostKeyException
from paramiko.ssh_exception import IncompatiblePeer

from rules.decisions import Reason
from rules.errors import Permanent, RollbackError, Transient

_NOT_SETTLED = ("timeout", "transport shut down or saw EOF")
"""paramiko calls these failed logins; they say nothing about the key."""


@dataclass(frozen=True, slots=True)
class SshPlace:
    """Where and as whom we log in."""

    address: str
    port: int
    user: str
    key_file: str
    known_hosts: str

    def __str__(self) -> str:
        """Name it for people."""
        return f"{self.user}@{self.address} port {self.port}"

    @property
    def known_as(self) -> str:
        """The name that the key stands under in the known hosts."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @property
    def learn_key(self) -> str:
        """The command that learns a key, and how to be sure of it."""
        return (
            f"run `ssh-keyscan -p {self.port} {self.address} >> {self.known_hosts}`, then compare with "
            "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host itself"
        )


def as_connect_error(error: Exception, place: SshPlace) -> RollbackError:
    """Translate an error of connecting."""
    match error:
        case BadHostKeyException():
            return _mismatch(place, f"{error.key.get_name()} {error.key.fingerprint}")
        case IncompatiblePeer() if "host key" in str(error):
            return _mismatch(place, "a key of another type")
        case IncompatiblePeer():
            message = f"{place} speaks only SSH that is no longer safe ({error}): update its OpenSSH"
            return Permanent(Reason.UNREACHABLE, message)
        case AuthenticationException() if not any(word in str(error) for word in _NOT_SETTLED):
            message = (
                f"{place} refuses the key {place.key_file}: add its public half to "
                f"~{place.user}/.ssh/authorized_keys there"
            )
            return Permanent(Reason.LOGIN_REFUSED, message)
    why = str(error) or type(error).__name__
    message = f"{place} cannot be reached ({why}); tried again. Is the host up, and is its sshd?"
    return Transient(Reason.UNREACHABLE, message)


def _mismatch(place: SshPlace, shown: str) -> Permanent:
    message = (
        f"{place.known_as} shows {shown}, not the key in {place.known_hosts}: somebody may be in between. "
        f"If the host was set up anew, run `ssh-keygen -R '{place.known_as}' -f {place.known_hosts}`, "
        f"then {place.learn_key}"
    )
    return Permanent(Reason.HOST_KEY_MISMATCH, message)
