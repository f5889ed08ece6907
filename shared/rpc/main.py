"""What every service's `__main__` does: read settings, log, serve, and say in one line why it could not."""

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import structlog

from shared.errors import SemLinkError
from shared.files import reason_file, said
from shared.observe import otlp
from shared.printable import printable
from shared.rpc.server import Service, serve
from shared.runtime.config import ServerSettings, read_settings
from shared.runtime.memory import return_large_blocks


def main(program: str, settings_kind: type[ServerSettings], service: type[Service]) -> None:
    """Serve until SIGTERM or SIGINT. Exits 2 for a wrong setting; 1, with the reason logged, if it cannot start."""
    try:
        settings = read_settings(settings_kind, program)
    except SemLinkError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    return_large_blocks()
    import uvloop  # noqa: PLC0415 - not on every platform that can import this module

    _configure_logging(service.name, settings.log_level, settings.log_format)
    try:
        otlp.start(service.name)
        uvloop.run(_serve_and_exit(service, settings))
    except (SemLinkError, OSError) as error:
        reason = str(error) if isinstance(error, SemLinkError) else said(error)
        structlog.get_logger().error("stopped", reason=reason)
        if settings.announce is not None:
            tell_reason(settings.announce, reason)
        sys.exit(1)


def tell_reason(announce: Path, reason: str) -> None:
    """Leave the reason for whoever started this process; on a full disk it stands in the log alone."""
    with suppress(OSError):
        reason_file(announce).write_text(reason, encoding="utf-8")


async def _serve_and_exit(kind: type[Service], settings: ServerSettings) -> None:
    await serve(kind, settings)
    otlp.stop()
    os._exit(0)  # nothing is left to save, and Python would wait for a thread that loads, and seconds for torch to end


def _clean(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts of strangers as `printable` has them; a traceback keeps its lines."""
    return {
        name: printable(value, keep="\n" if name == "exception" else "") if isinstance(value, str) else value
        for name, value in event.items()
    }


def _configure_logging(service: str, level: str, log_format: str) -> None:
    """Send structlog's events of this process to standard error.

    service: bound to every line. level: debug, info, warning or error. log_format: console or json.
    """
    render: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _clean,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
