"""Why no answer came, in words that end with what to do."""

from __future__ import annotations

import ssl

import urllib3.exceptions

from rules.decisions import Reason
from rules.errors import RollbackError
from workers.kubernetes.failures import Asked, BadCertificate, Unreachable, shown

_EXPIRED, _NOT_YET_VALID, _OTHER_NAMES = frozenset({10}), frozenset({9}), frozenset({62, 64})
"""OpenSSL's numbers for what is wrong with a certificate."""


def as_failure(asked: Asked, server: str, error: Exception) -> RollbackError:
    """Translate an error of connecting, sending or receiving."""
    cause = _root(error)
    if isinstance(cause, ssl.SSLError):
        return _tls(asked, server, cause)
    if isinstance(cause, (TimeoutError, urllib3.exceptions.TimeoutError)):
        why = f"{server} did not answer in time"
    else:
        words = (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
        why = f"{server} cannot be reached ({shown(words)})"
    return Unreachable(Reason.UNREACHABLE, f"{asked}: {why}; tried again. Does the API server run?")


def too_slow(asked: Asked, server: str, timeout_s: float) -> Unreachable:
    """Say that an answer did not come to its end in time."""
    message = (
        f"{asked}: {server} did not answer within {timeout_s:g} s; tried again. Is the API server overloaded?"
    )
    return Unreachable(Reason.UNREACHABLE, message)


def _root(error: BaseException) -> BaseException:
    """Dig out what really happened: the libraries wrap it up to three times, not always with a cause."""
    while not isinstance(error, OSError):
        last = error.args[-1] if error.args else None
        below = error.__cause__ or (last if isinstance(last, BaseException) else None) or error.__context__
        if below is None:
            break
        error = below
    return error


def _tls(asked: Asked, server: str, error: ssl.SSLError) -> RollbackError:
    if isinstance(error, ssl.SSLCertVerificationError):
        why = _certificate(server, error.verify_code, shown(error.verify_message))
        return BadCertificate(Reason.CERTIFICATE, f"{asked}: {why}")
    said = shown(str(error.reason or error)).lower().replace("_", " ")
    if "alert" in said:
        message = f"{asked}: {server} does not take our client certificate ({said}): renew it in the kubeconfig"
        return BadCertificate(Reason.CERTIFICATE, message)
    message = f"{asked}: {server} answers, but TLS fails ({said}); tried again. Is that address the API server's?"
    return Unreachable(Reason.UNREACHABLE, message)


def _certificate(server: str, code: int, said: str) -> str:
    if code in _EXPIRED:
        return f"the certificate of {server} has expired: renew it on the API server"
    if code in _NOT_YET_VALID:
        return f"the certificate of {server} is not valid yet: compare the clocks of both machines"
    if code in _OTHER_NAMES:
        return (
            f"the certificate of {server} is for other names ({said}): "
            "correct `server:` in the kubeconfig, or set `tls-server-name:` there"
        )
    return (
        f"the certificate of {server} is not signed by the CA that we were given ({said}): correct "
        "`certificate-authority` in the kubeconfig. If nothing was changed there, somebody may be in between"
    )
