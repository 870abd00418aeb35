"""What a pause is about, as the command line and the API say it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from controller.cli.times import parse, span, stamp

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

_service_option = click.option("--service", metavar="NAME", help="Only what concerns this service.")
_rule_option = click.option("--rule", metavar="NAME", help="Only this rule.")


def scope_options(function: F) -> F:
    """Add the options that narrow a pause down."""
    return _service_option(_rule_option(function))


def scope_of(service: str | None, rule: str | None) -> str:
    """Return the scope of the API; empty is everything."""
    if service is not None and rule is not None:
        raise click.UsageError("Say --service or --rule, not both: a pause has one scope.")
    if service is not None:
        return f"service {service}"
    return f"rule {rule}" if rule is not None else ""


def scope_words(scope: str) -> str:
    """Say what a pause stops."""
    return scope or "all rules"


def scope_flags(scope: str) -> str:
    """Return the options that mean this scope, with a space before them."""
    kind, _, name = scope.partition(" ")
    return f" --{kind} {name}" if name else ""


def until_words(until: str | None, now: datetime) -> str:
    """Say until when something stands, and how long that is."""
    if until is None:
        return "until somebody resumes it"
    return f"until {stamp(until)} (for {span((parse(until) - now).total_seconds())} more)"
