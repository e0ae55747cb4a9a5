# SPDX-License-Identifier: Apache-2.0
"""Logs are events: `log.info("notice_sent", notice_id=…)`. Names are snake_case, past tense; ids, no sentences."""

import logging
import sys

import structlog
from structlog.processors import ExceptionRenderer
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from meshkit import tracing


def configure(service: str, json: bool) -> None:
    """Write events to stderr, as JSON lines or for a terminal, each with time, level and service.

    In a call that belongs to a trace, they have trace_id and span_id too.
    Call it once, in main. Events of the standard library's logging are written too, from WARNING on. A traceback never
    shows local variables: they contain secrets and webhook bodies.
    """

    def name_service(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {"service": service, **event}

    def name_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {**event, **tracing.ids()}

    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        name_service,
        name_trace,
    ]
    rendered: list[Processor] = (
        [
            ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ]
        if json
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    )
    structlog.configure(
        processors=[*common, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # One write per line including its end: processes that share stderr do not mix their lines.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    libraries = logging.StreamHandler(sys.stderr)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(handlers=[libraries], level=logging.WARNING, force=True)
