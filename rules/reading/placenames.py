"""What paths, addresses, units and commands may look like: they reach other machines, so they are checked here.

Each function says what is wrong with a text, or returns None.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_UNIT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9:_.\\@-]*\.(service|target|socket|timer)")
_DNS_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_NAME = 253
SIGNALS = ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH", "CONT")
"""Signals that ask a process to take up a release; none that only kills it."""


def wrong_name(name: str) -> str | None:
    """Check what a service or a host is called: it becomes part of an identity."""
    if len(name) > _LONGEST_NAME:
        return f"the name is longer than {_LONGEST_NAME} characters; shorten it"
    if not _NAME.fullmatch(name):
        return f"`{name}` cannot be a name; use letters, digits, . _ and -, a letter or digit first"
    return None


def wrong_user(user: str) -> str | None:
    """Check a login name."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9._-]*", user):
        return None
    return f"`{user}` cannot be a login name; use letters, digits, . _ and -, a letter first"


def wrong_path(path: str) -> str | None:
    """Check an absolute path."""
    if not path.startswith("/"):
        return f"`{path}` is not an absolute path; begin it with /"
    return _wrong_parts(path, path.strip("/").split("/"))


def wrong_inner_path(path: str) -> str | None:
    """Check a path inside a release."""
    if path.startswith(("/", "-")):
        return f"`{path}` must be a path inside the release; write it without a / (or -) first"
    return _wrong_parts(path, path.rstrip("/").split("/"))


def _wrong_parts(path: str, parts: list[str]) -> str | None:
    if _CONTROL.search(path):
        return "a path cannot hold control characters or line breaks; remove them"
    if ".." in parts:
        return f"`{path}` goes up with ..; write the path that is meant"
    if "" in parts or "." in parts:
        return f"`{path}` holds an empty part or a single dot; write the path that is meant"
    return None


def wrong_address(address: str) -> str | None:
    """Check an IPv4 or IPv6 address or a DNS name, without brackets and port."""
    if _is_ip(address):
        return None
    inside, _, port = address.removeprefix("[").rpartition(":")
    if _is_ip(bare := inside.removesuffix("]")) or (port.isdigit() and ":" not in bare):
        return f"`{address}` holds a port; write the address alone, and `port: {port}` beside it for ssh"
    if address.startswith("["):
        return f"`{address}` is in brackets; write the address without them"
    parts = address.split(".")
    numeric = parts[-1].isdigit()
    if numeric or len(address) > _LONGEST_NAME or not all(map(_DNS_LABEL.fullmatch, parts)):
        return f"`{address}` is no IPv4 or IPv6 address and no DNS name; correct it"
    return None


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def wrong_unit(unit: str) -> str | None:
    """Check the name of a systemd unit."""
    if _UNIT.fullmatch(unit):
        return None
    if _UNIT.fullmatch(f"{unit}.service"):
        return f"`{unit}` lacks its kind; write {unit}.service"
    return f"`{unit}` is not the name of a systemd unit; write one like shop.service"


def wrong_signal(signal: str) -> str | None:
    """Check the name of a signal."""
    if signal in SIGNALS:
        return None
    bare = signal.upper().removeprefix("SIG")
    hint = f"write {bare}" if bare in SIGNALS else f"write one of {', '.join(SIGNALS)}"
    return f"`{signal}` is not known here; {hint}"


def wrong_url(url: str) -> str | None:
    """Check a URL that is asked on a host; `{address}` stands for the host's address."""
    if re.search(r"\s", url) or _CONTROL.search(url):
        return "a URL cannot hold spaces or control characters; write %20 for a space"
    bare = url.replace("{address}", "127.0.0.1")
    if found := re.search(r"\{[^{}]*\}?|\}", bare):
        return f"`{found[0]}` is not known here; only {{address}} is put into a URL"
    try:
        parts = urlsplit(bare)
        whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    return None if whole else f"`{url}` is not a URL; write one like http://{{address}}:8080/healthz"


def wrong_word(word: str) -> str | None:
    """Check one word of a command, which is run without a shell."""
    return "a command cannot hold NUL or line breaks; remove them" if re.search(r"[\x00\r\n]", word) else None
