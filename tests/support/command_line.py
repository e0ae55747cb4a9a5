# SPDX-License-Identifier: Apache-2.0
"""`purser` in this process, as a user runs it: words in, exit status and output back; and calls made by it."""

import asyncio
import io
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass

from meshkit.clock import Clock, SystemClock
from meshkit.rpc.client import open_channel
from purser_cli import app
from purser_cli.rpc import requests
from purser_cli.rpc.names import Rpc, rpcs
from purser_cli.rpc.options import REQUEST_ID, options_of
from purser_cli.session.surroundings import Surroundings
from tests.support.any_rpc import Json, call, method, request_of, to_json
from tests.support.every_write import Ask, Call, Recording


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """Return the JSON that --json prints."""
        assert self.status == 0, self.err
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """A user with an own folder. variables: of the environment. before: words before each command."""

    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)
    before: tuple[str, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    pause: Callable[[float], None] = time.sleep
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def run(self, *words: str, typed: str = "") -> Ended:
        """Run one command. typed: its standard input."""
        return await asyncio.to_thread(self.run_here, *words, typed=typed)

    def run_here(self, *words: str, typed: str = "") -> Ended:
        """Run one command in this thread."""
        surroundings = Surroundings(
            variables=self.variables,
            home=self.home,
            clock=self.clock,
            new_id=lambda: f"made-{next(self.numbers)}",
            pause=self.pause,
            words=words,
        )
        content = io.BytesIO()
        out, err = io.TextIOWrapper(content, encoding="utf-8", write_through=True), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), mock.patch("sys.stdin", io.StringIO(typed)):
            status = app.run(surroundings, [*self.before, *words])
        return Ended(status=status, out=content.getvalue().decode(errors="replace"), err=err.getvalue())


def words_of(rpc: Rpc, body: Json) -> list[str]:
    """Return the options that make a request, as a person writes them. body: the request as JSON."""
    request = GetMessageClass(rpc.method.input_type)()
    json_format.ParseDict(body, request)
    words = ["--request-id", getattr(request, REQUEST_ID)] if getattr(request, REQUEST_ID, "") else []
    plain = requests.plain(request)
    for option in options_of(rpc):
        short = requests.short_name(option.field)
        if short not in plain:
            continue
        value = plain[short]
        if isinstance(value, bool):
            words.append(f"--{option.name}" if value else f"--no-{option.name}")
            continue
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{option.name}", json.dumps(one) if isinstance(one, dict) else str(one)]
    return words


def asking_by(user: CommandLine, run: set[str]) -> Any:
    """Return what makes the calls of every_write by commands. run: receives the names of the rpcs."""
    commands = {rpc.method.full_name: rpc for rpc in rpcs()}

    @asynccontextmanager
    async def asking(service: str, address: str, recording: Recording) -> AsyncIterator[Ask]:
        async with open_channel(address) as channel:

            async def ask(rpc: str, **fields: Json) -> Json:
                described = method(service, rpc)
                body = {**fields}
                if REQUEST_ID in described.input_type.fields_by_name:
                    body = {REQUEST_ID: f"{service}-{len(recording.calls) + 1}", **fields}
                command = commands.get(described.full_name)
                if command is None:
                    response = await call(channel, service, rpc, request_of(service, rpc, body))
                else:
                    words = [command.noun, command.verb, *words_of(command, body), "--json"]
                    ended = await user.run("--insecure", "--address", f"{service}={address}", *words)
                    assert ended.status == 0, (words, ended.err)
                    answer = GetMessageClass(described.output_type)()
                    response = to_json(json_format.Parse(ended.out, answer))
                    run.add(described.full_name)
                if REQUEST_ID in body:
                    recording.calls.append(Call(rpc=rpc, request=body, response=response))
                return response

            yield ask

    return asking
