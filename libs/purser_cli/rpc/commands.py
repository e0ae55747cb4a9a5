# SPDX-License-Identifier: Apache-2.0
"""`purser NOUN VERB`: calls one rpc, and prints its response."""

import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from purser_cli.exits import RETRY, WRONG, Failed
from purser_cli.rpc import comments, output
from purser_cli.rpc.names import Rpc, rpcs
from purser_cli.rpc.options import PAGE_TOKEN, REQUEST_ID, parameters_of, request_of
from purser_cli.rpc.values import WrongValue
from purser_cli.session.command_line import CommandLine
from purser_cli.session.profile import SERVICES
from purser_cli.session.surroundings import Surroundings

# What a service that is asked for all of them is asked by default: the clock moves all others.
LEADING = {"purser.sandbox.v1.ClockService": "contract"}
PAGES_MAX = 10_000


def groups(surroundings: Surroundings) -> dict[str, typer.Typer]:
    """Return the commands of all rpcs, by noun. Where the words name nouns, only theirs: the others cannot be meant."""
    nouns = {rpc.noun for rpc in rpcs()}
    named = nouns & set(surroundings.words or ())
    return {noun: _group(noun, surroundings, with_options=bool(named)) for noun in sorted(named or nouns)}


def _group(noun: str, surroundings: Surroundings, *, with_options: bool) -> typer.Typer:
    own = [rpc for rpc in rpcs() if rpc.noun == noun]
    group = typer.Typer(no_args_is_help=True, help=", ".join(rpc.verb for rpc in own))
    for rpc in own:
        command = group.command(
            rpc.verb, help=comments.of_rpc(rpc.method), short_help=comments.summary(rpc.method)
        )
        command(_function(rpc, surroundings, with_options=with_options))
    return group


def _function(rpc: Rpc, surroundings: Surroundings, *, with_options: bool) -> Callable[..., None]:
    def run(context: typer.Context, **given: Any) -> None:
        try:
            request = request_of(rpc, given, new_id=surroundings.new_id)
        except WrongValue as error:
            raise Failed(f"{error}; see purser {rpc.noun} {rpc.verb} --help", status=WRONG) from None
        _Run(rpc, context.obj, given).run(request)

    # Typer reads the parameters of a command from its function's signature.
    parameters = [inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    parameters += parameters_of(rpc) if with_options else ()
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


class _Run:
    """One call, or one for each service or page."""

    def __init__(self, rpc: Rpc, line: CommandLine, given: dict[str, Any]) -> None:
        self._rpc = rpc
        self._line = line
        self._given = given
        self._out = output.console()

    def run(self, request: Message) -> None:
        again = f"it may have been done; try again with --request-id {getattr(request, REQUEST_ID, '')}"
        try:
            if self._rpc.streams:
                return self._follow(request)
            self._show(
                [(service, one) for service in self._services() for one in self._responses(service, request)]
            )
        except Failed as failed:
            if failed.status == RETRY and self._rpc.is_write:
                raise Failed(f"{failed}\n  {again}", status=RETRY) from None
            raise
        except KeyboardInterrupt:
            typer.echo(f"purser: interrupted{f': {again}' if self._rpc.is_write else ''}", err=True)
            raise

    def _follow(self, request: Message) -> None:
        for one in self._line.connection.stream(self._services()[0], self._rpc.method, request):
            if self._given.get("as_json"):
                typer.echo(output.as_json(one))
            else:
                output.show(one, self._out)

    def _services(self) -> tuple[str, ...]:
        if len(self._rpc.services) == 1:
            return self._rpc.services
        chosen = self._given.get("service")
        if chosen:
            if chosen not in SERVICES:
                raise Failed(f"--service: {chosen!r} is not one of {', '.join(SERVICES)}")
            return (chosen,)
        if leading := LEADING.get(self._rpc.method.containing_service.full_name):
            return (leading,)
        if self._rpc.is_write:
            raise Failed(f"say which service has it: --service {'|'.join(SERVICES)}")
        return SERVICES

    def _responses(self, service: str, request: Message) -> Iterator[Message]:
        connection, method = self._line.connection, self._rpc.method
        if token := self._given.get(PAGE_TOKEN):
            setattr(request, PAGE_TOKEN, token)
        for _ in range(PAGES_MAX):
            response = connection.call(service, method, request)
            yield response
            following = getattr(response, output.NEXT_PAGE, "")
            if not following or not self._given.get("every_page"):
                return
            setattr(request, PAGE_TOKEN, following)

    def _show(self, responses: Any) -> None:
        if self._given.get("as_json"):
            for _, one in responses:
                typer.echo(output.as_json(one))
        elif self._content_field() is not None:
            self._write(responses)
        elif len(self._services()) > 1:
            self._show_by_service(responses)
        else:
            for _, one in responses:
                output.show(one, self._out, empty="done" if self._rpc.is_write else "nothing")
        self._tell_of_more(responses)

    def _show_by_service(self, responses: Any) -> None:
        rows: list[Message] = []
        first: dict[int, dict[str, str]] = {}
        for service, one in responses:
            for row in output.rows_of(one):
                first[len(rows)] = {"service": service}
                rows.append(row)
        output.show_rows(rows, self._out, first=first)

    def _content_field(self) -> FieldDescriptor | None:
        fields = self._rpc.method.output_type.fields
        return next((field for field in fields if field.type == FieldDescriptor.TYPE_BYTES), None)

    def _write(self, responses: Any) -> None:
        field, into = self._content_field(), self._given["out"]
        assert field is not None
        for _, one in responses:
            content: bytes = getattr(one, field.name)
            if into == "-":
                sys.stdout.buffer.write(content)
                continue
            try:
                Path(into).write_bytes(content)
            except OSError as error:
                raise Failed(f"--out: {error}") from None
            typer.echo(f"{into}: {len(content):,} bytes")

    def _tell_of_more(self, responses: Any) -> None:
        following = getattr(responses[-1][1], output.NEXT_PAGE, "") if responses else ""
        if following and not self._given.get("every_page") and not self._given.get("as_json"):
            typer.echo(f"there is more: --all, or --page-token {following}", err=True)
