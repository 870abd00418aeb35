"""What Kubernetes takes as a name. Whatever an alert or a rule says is checked here before it is looked up.

Each `wrong_…` says what is wrong with a text, or returns None.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rules.instances import WorkloadKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_SUBDOMAIN = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_LONGEST_LABEL = 63
_LONGEST_NAME = 253
_SHOWN = 40

KINDS: Mapping[str, WorkloadKind] = {
    "deployment": WorkloadKind.DEPLOYMENT,
    "deployments": WorkloadKind.DEPLOYMENT,
    "deploy": WorkloadKind.DEPLOYMENT,
    "statefulset": WorkloadKind.STATEFULSET,
    "statefulsets": WorkloadKind.STATEFULSET,
    "sts": WorkloadKind.STATEFULSET,
    "daemonset": WorkloadKind.DAEMONSET,
    "daemonsets": WorkloadKind.DAEMONSET,
    "ds": WorkloadKind.DAEMONSET,
}
"""What kubectl calls the kinds that can be rolled back."""


def shortened(text: str) -> str:
    """Show a stranger's text in a message: bounded, and without anything that is not printable."""
    shown = "".join(char if char.isprintable() else "?" for char in text[: _SHOWN + 1])
    return f"`{shown}`" if len(text) <= _SHOWN else f"`{shown[:_SHOWN]}…` ({len(text)} characters)"


def wrong_namespace(text: str) -> str | None:
    """Check the name of a namespace."""
    if len(text) <= _LONGEST_LABEL and _NAMESPACE.fullmatch(text):
        return None
    return (
        f"{shortened(text)} cannot name a namespace: small letters, digits and -, "
        f"a letter or digit at both ends, {_LONGEST_LABEL} characters at most"
    )


def wrong_object_name(text: str) -> str | None:
    """Check the name of a pod, a ReplicaSet or a workload."""
    if len(text) <= _LONGEST_NAME and _SUBDOMAIN.fullmatch(text):
        return None
    return (
        f"{shortened(text)} cannot name an object of Kubernetes: small letters, digits, - and ., "
        f"a letter or digit at both ends, {_LONGEST_NAME} characters at most"
    )


def wrong_label_key(text: str) -> str | None:
    """Check the key of a label, with or without a prefix."""
    prefix, slash, name = text.rpartition("/")
    prefixed = not slash or (len(prefix) <= _LONGEST_NAME and _SUBDOMAIN.fullmatch(prefix))
    if prefixed and len(name) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(name):
        return None
    return (
        f"{shortened(text)} cannot be a label of Kubernetes: letters, digits, -, _ and ., "
        f"a letter or digit at both ends, {_LONGEST_LABEL} characters at most, and maybe a domain and / before it"
    )


def wrong_label_value(text: str) -> str | None:
    """Check the value of a label; an empty one is legal."""
    if not text or (len(text) <= _LONGEST_LABEL and _QUALIFIED.fullmatch(text)):
        return None
    return (
        f"{shortened(text)} cannot be a label's value: letters, digits, -, _ and ., "
        f"a letter or digit at both ends, {_LONGEST_LABEL} characters at most"
    )
