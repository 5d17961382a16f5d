"""Logs as JSON lines and counters for Prometheus, the same in every process."""

import contextlib
import logging
import sys
from io import TextIOBase
from typing import Any, TextIO, cast

import structlog
from prometheus_client import Counter, Histogram

REQUESTS = Counter("devsignal_http_requests_total", "HTTP requests.", ["door", "status"])
REQUEST_SECONDS = Histogram("devsignal_http_request_seconds", "Time to answer an HTTP request.", ["door"])
SIGNALS = Counter("devsignal_signals_total", "Signals taken, by what became of them.", ["outcome"])
EVENTS = Counter("devsignal_events_relayed_total", "Events passed on by the relay.")
JOBS = Counter("devsignal_jobs_total", "Attempts at jobs, by outcome.", ["type", "outcome"])

_INDISCREET = ("uvicorn", "websockets")
"""Loggers that write addresses with their queries, and at DEBUG every header and frame."""


class _Lines(TextIOBase):
    """Standard error, for lines that are lost rather than in the way: a disk that is full must not stop any work."""

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            sys.stderr.flush()


_SECRET_KEYS = ("authorization", "token", "password", "secret", "api_key", "refresh_token")


def configure(level: str) -> None:
    """Sends every log line of this process to standard error as JSON, without secrets."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_secrets,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Lines())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(_Lines())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])
    for name in _INDISCREET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _without_secrets(_: Any, __: str, event: Any) -> Any:
    for key in _SECRET_KEYS:
        if key in event:
            event[key] = "[hidden]"
    return event
