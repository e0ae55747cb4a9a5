# SPDX-License-Identifier: Apache-2.0
"""Calls by an rpc's bare name, for the commands that are written by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from purser_cli.exits import REFUSED
from purser_cli.rpc.names import rpc_named
from purser_cli.rpc.output import NEXT_PAGE, rows_of
from purser_cli.session.command_line import CommandLine
from purser_cli.session.faults import CallFailed

PAGE_SIZE = 500


def ask(line: CommandLine, name: str, **fields: Any) -> Any:
    """Call an rpc, such as "ListHolds", and return its response. Raises Failed."""
    return send(line, name, GetMessageClass(rpc_named(name).method.input_type)(**fields))


def send(line: CommandLine, name: str, request: Message) -> Any:
    """Call an rpc with a request, and return its response. Raises Failed."""
    rpc = rpc_named(name)
    return line.connection.call(rpc.services[0], rpc.method, request)


def every(line: CommandLine, name: str, *, pages_max: int = 1_000, **fields: Any) -> Iterator[Any]:
    """Yield what an rpc lists, page by page, at most `pages_max` of them. Raises Failed."""
    token = ""
    for _ in range(pages_max):
        page = ask(line, name, **fields, page_size=PAGE_SIZE, page_token=token)
        yield from rows_of(page)
        token = getattr(page, NEXT_PAGE)
        if not token:
            return


def business_time(line: CommandLine) -> datetime:
    """Return the time that every rule uses: that of a sandbox, otherwise the clock's. Raises Failed."""
    try:
        now: datetime = ask(line, "GetTime").now_time.ToDatetime(UTC)
    except CallFailed as failed:
        # Outside sandbox mode no service has a clock to ask for.
        if failed.status != REFUSED:
            raise
        return line.surroundings.clock.now()
    return now
