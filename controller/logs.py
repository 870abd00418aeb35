"""Logging: structlog in front of the standard library, one line per event on standard error.

Records of RQ, Granian and every other library pass through the same formatter: one tool reads them all.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from structlog.typing import Processor

    from controller.settings.settings import Log


def configure(log: Log) -> None:
    """Set up logging for this process; call it once, before RQ or Granian set up their own."""
    level = logging.getLevelNamesMapping()[log.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _stamper(json=log.format == "json"),
    ]
    _configure_standard_library(shared, level, json=log.format == "json")
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _configure_standard_library(shared: list[Processor], level: int, *, json: bool) -> None:
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(json=json)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _OTHERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))


def _stamper(*, json: bool) -> Processor:
    """Machines get UTC; people who watch a terminal get their own clock."""
    if json:
        return structlog.processors.TimeStamper(fmt="iso", utc=True)
    return structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)


def _rendering(*, json: bool) -> list[Processor]:
    if json:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # The usual traceback of a console shows the values of local variables, pod templates and tokens among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=28, exception_formatter=plain)]


_TALKATIVE = ("paramiko", "rq.worker")
"""Loggers that say for every connection and job what our own events say better."""

_OTHERS = ("rq", "rq.worker", "rq.scheduler", "_granian", "granian.access", "werkzeug")
"""Loggers that bring handlers of their own; RQ adds one only where it finds none (rq: docs/workers.md)."""
