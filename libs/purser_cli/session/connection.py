# SPDX-License-Identifier: Apache-2.0
"""Calls to the services of one mesh, each with the token and a time limit; what they refuse becomes one clear text."""

import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from meshkit.rpc.client import RESPONSE_BYTES_MAX
from purser_cli.exits import DENIED, WRONG, Failed
from purser_cli.session.faults import failure
from purser_cli.session.profile import Profile

COMMAND_SECONDS_MAX = 30
STREAM_SECONDS_MAX = 300.0
_OPTIONS = (("grpc.max_receive_message_length", RESPONSE_BYTES_MAX), ("grpc.enable_retries", 0))

Outcome = TypeVar("Outcome")


class Connection:
    """One mesh, by its profile. timeout_seconds: of each call. Channels are opened when first needed."""

    def __init__(self, profile: Profile, *, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._channels: dict[str, grpc.Channel] = {}
        self._token: str | None = None
        self.profile = profile

    def call(self, service: str, method: MethodDescriptor, request: Message) -> Any:
        """Call an rpc of a service. Raises Failed."""
        stub = self._channel(service).unary_unary(*_arguments(method))
        return self._ended(
            service, lambda: stub(request, timeout=self._timeout_seconds, metadata=self._metadata())
        )

    def stream(self, service: str, method: MethodDescriptor, request: Message) -> Iterator[Any]:
        """Yield the responses of a streaming rpc until it ends. Raises Failed."""
        stub = self._channel(service).unary_stream(*_arguments(method))
        answers = stub(request, timeout=STREAM_SECONDS_MAX, metadata=self._metadata())
        while (one := self._ended(service, lambda: next(answers, None))) is not None:
            yield one

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return the credentials of a channel without a token; None: plaintext. Raises Failed."""
        if self.profile.is_insecure:
            return None
        if not self.profile.ca_file:
            return grpc.ssl_channel_credentials()
        try:
            return grpc.ssl_channel_credentials(Path(self.profile.ca_file).expanduser().read_bytes())
        except OSError as error:
            raise Failed(f"the authority's certificates cannot be read: {error}", status=WRONG) from None

    def token(self) -> str:
        """Return the token; it is read once. Raises Failed."""
        if self._token is None:
            self._token = _token(self.profile)
        return self._token

    def use(self, profile: Profile) -> None:
        """Go on with another profile."""
        self.close()
        self._token = None
        self.profile = profile

    def close(self) -> None:
        """Close all channels."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()

    def _channel(self, service: str) -> grpc.Channel:
        if service not in self._channels:
            address, credentials = self.profile.address(service), self.credentials()
            self._channels[service] = (
                grpc.insecure_channel(address, options=_OPTIONS)
                if credentials is None
                else grpc.secure_channel(address, credentials, options=_OPTIONS)
            )
        return self._channels[service]

    def _metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        # A token is a secret: it is never sent without TLS.
        return () if self.profile.is_insecure else (("authorization", f"Bearer {self.token()}"),)

    def _ended(self, service: str, call: Callable[[], Outcome]) -> Outcome:
        try:
            return call()
        except grpc.RpcError as error:
            where = f"{service} at {self.profile.address(service)}"
            raise failure(error, where=where, token=self._token or "") from None


def _arguments(method: MethodDescriptor) -> tuple[str, Callable[[Any], bytes], Callable[[bytes], Message]]:
    name = f"/{method.containing_service.full_name}/{method.name}"
    return name, lambda request: request.SerializeToString(), GetMessageClass(method.output_type).FromString


def _token(profile: Profile) -> str:
    token = profile.token
    if not token and profile.token_file:
        try:
            token = Path(profile.token_file).expanduser().read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Failed(f"the token cannot be read: {error}", status=DENIED) from None
    if not token and profile.token_command:
        token = _printed(profile.token_command)
    token = token.strip()
    if not token:
        raise Failed("there is no token: run purser login, or set PURSER_TOKEN", status=DENIED)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise Failed("the token is not one line without blanks; copy it again", status=DENIED)
    return token


def _printed(command: str) -> str:
    try:
        ended = subprocess.run(
            shlex.split(command), capture_output=True, text=True, check=True, timeout=COMMAND_SECONDS_MAX
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        raise Failed(f"the token command {command!r} failed: {said[-1]}", status=DENIED) from None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise Failed(f"the token command {command!r} failed: {error}", status=DENIED) from None
    return ended.stdout
