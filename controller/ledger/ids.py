"""Identities of what the ledger remembers, readable enough to be said over the telephone."""

from __future__ import annotations

import hashlib
import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u


def new_id(kind: str) -> str:
    """Return a new id that begins with `kind` ("n" notification, "r" rollback, "p" plan asked for).

    Ids sort roughly by time, hold only what RQ admits in a job id, and do not repeat: 5 characters of time
    (seconds, for a year) and 5 of chance.
    """
    stamp, text = int(time.time()) % 32**5, ""
    for _ in range(5):
        stamp, digit = divmod(stamp, 32)
        text = _ALPHABET[digit] + text
    return kind + text + "".join(secrets.choice(_ALPHABET) for _ in range(5))


def effect_of(instance: str, arrival: str) -> str:
    """Identify the one effect that this arrival on this instance may have."""
    return hashlib.sha256(f"{instance}\n{arrival}".encode()).hexdigest()
