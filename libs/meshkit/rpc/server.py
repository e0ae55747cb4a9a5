# SPDX-License-Identifier: Apache-2.0
"""The gRPC server of every service: with fault mapping, deadlines, metrics, health and reflection."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc

from meshkit.errors import PortTaken
from meshkit.recording import CallRecorder
from meshkit.rpc.calls import AccessControl, CallWrapper, Handler
from meshkit.rpc.health import ServerHealth
from meshkit.rpc.intake import MESSAGE_BYTES_MAX, REQUEST_BYTES_MAX, Intake
from meshkit.rpc.reflection import add_reflection

STREAMS_PER_CONNECTION_MAX = 128
PING_INTERVAL_SECONDS_MIN = 10
STOP_GRACE_SECONDS = 10.0

_OPTIONS = (
    # Clients ping an idle connection every 15 to 30 s. By default the server would end it for that: ENHANCE_YOUR_CALM.
    ("grpc.http2.min_ping_interval_without_data_ms", PING_INTERVAL_SECONDS_MIN * 1_000),
    # Ends the connections of callers that are gone without a word, such as behind a NAT that forgot them.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # Half-open calls and unread responses of one connection are not more; a caller with more calls waits.
    ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION_MAX),
    # With this protection, gRPC's own clients do not wait at the limit of streams: their calls end with UNAVAILABLE.
    ("grpc.http.overload_protection", 0),
    # Beyond these, gRPC ends calls with CANCELLED, also those of callers with few: we refuse earlier, with a reason.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    # Without these, a caller may send 4 MB of a message before anybody has asked for it.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 65_536),
    # A connection that never speaks: by default it may be silent for two minutes.
    ("grpc.server_handshake_timeout_ms", 10_000),
)


@dataclass(frozen=True, slots=True)
class RpcService:
    """A gRPC service of a server. name: its full proto name. register: adds its methods to a server.

    bytes_max: the largest requests of methods, by their names; of others, REQUEST_BYTES_MAX.
    """

    name: str
    register: Callable[[grpc.aio.Server], None]
    bytes_max: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listener:
    """An address to listen on, "127.0.0.1:7003" (port 0: any free port). credentials None: plaintext."""

    address: str
    credentials: grpc.ServerCredentials | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLifetime:
    """How long a connection lasts (gRPC spreads it by a tenth), and the calls on it after that.

    It ends what a caller leaves lying, such as unread responses; a certificate is looked at again, and callers find
    new replicas.
    """

    age_seconds: float = 900.0
    grace_seconds: float = 300.0

    @property
    def options(self) -> tuple[tuple[str, int], ...]:
        """The lifetime as options of a gRPC server."""
        return (
            ("grpc.max_connection_age_ms", round(self.age_seconds * 1_000)),
            ("grpc.max_connection_age_grace_ms", round(self.grace_seconds * 1_000)),
        )


class RunningServer:
    """A server that accepts calls. `ports` are the actual ports of its listeners, also when an address had port 0."""

    def __init__(
        self,
        server: grpc.aio.Server,
        *,
        ports: Sequence[int],
        answers: ServerHealth,
        intake: Intake,
    ) -> None:
        self._server = server
        self.intake = intake
        self.ports = tuple(ports)
        self.health = answers

    async def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """Report that it drains, accept no new calls, and let running calls finish for `grace_seconds`."""
        await self.health.drain()
        self.health.end_watches()
        # Once: a second call of stop, to shorten the grace of the first, can end the process with a segmentation fault.
        await self._server.stop(grace_seconds)


async def start_server(
    *,
    name: str,
    listeners: Sequence[Listener],
    services: Sequence[RpcService],
    access: AccessControl,
    recorder: CallRecorder | None = None,
    offers_reflection: bool = True,
    reuse_port: bool = False,
    intake: Intake | None = None,
    answers: ServerHealth | None = None,
    lifetime: ConnectionLifetime = ConnectionLifetime(),
) -> RunningServer:
    """Start a server for `services`, with health, which everyone may ask, and reflection if it `offers_reflection`.

    name: the service that defines the reasons of its faults, such as "ledger". access: who may call which rpc.
    recorder: records refused calls; None: nothing does. reuse_port: several processes share the ports. intake: bounds
    its calls. answers: what health says. lifetime: of its connections. Raises PortTaken, and what `access` raises about
    an rpc without a policy.
    """
    for listener in listeners:
        _probe(name, listener.address, reuse_port=reuse_port)
    server = grpc.aio.server(options=(("grpc.so_reuseport", int(reuse_port)), *lifetime.options, *_OPTIONS))
    intake = intake or Intake()
    wrapper = CallWrapper(name, access, intake, recorder)
    methods = _MethodTable(wrapper, services)
    registry = cast(grpc.aio.Server, methods)
    for service in services:
        service.register(registry)
    names = [service.name for service in services]
    answers = answers or ServerHealth()
    health_pb2_grpc.add_HealthServicer_to_server(
        answers.servicer, cast(grpc.aio.Server, _RegisteredMethods(server, wrapper))
    )
    if offers_reflection:
        add_reflection(cast(grpc.aio.Server, _OpenMethods(methods)), (*names, health.SERVICE_NAME))
    server.add_generic_rpc_handlers((methods,))
    ports = [_listen(server, name, listener) for listener in listeners]
    await server.start()
    await answers.begin(names)
    return RunningServer(server, ports=ports, answers=answers, intake=intake)


def _listen(server: grpc.aio.Server, name: str, listener: Listener) -> int:
    try:
        if listener.credentials is None:
            return server.add_insecure_port(listener.address)
        return server.add_secure_port(listener.address, listener.credentials)
    except RuntimeError as error:
        raise PortTaken(name=name, address=listener.address) from error


class _MethodTable(grpc.GenericRpcHandler):
    """All methods of a server by full name: one dictionary lookup per call.

    Services register here instead of at the server. grpc.aio 1.85 itself asks the generic handlers of all services one
    by one, and at every call waits for every registered method (asyncio.wait with one future per method): with 32
    methods that took 140 µs of server CPU per call, against 124 with this table.
    """

    def __init__(self, wrapper: CallWrapper, services: Sequence[RpcService]) -> None:
        self._wrapper = wrapper
        self._bytes_max = {
            f"/{one.name}/{rpc}": size for one in services for rpc, size in one.bytes_max.items()
        }
        self._handlers: dict[str, Handler] = {}

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        for name, handler in method_handlers.items():
            method = f"/{service_name}/{name}"
            bytes_max = self._bytes_max.get(method, REQUEST_BYTES_MAX)
            self._handlers[method] = self._wrapper.wrap(method, handler, bytes_max=bytes_max)

    def add_open_method_handlers(self, service_name: str, method_handlers: Mapping[str, Handler]) -> None:
        """Add methods that everyone may call."""
        for name, handler in method_handlers.items():
            method = f"/{service_name}/{name}"
            self._handlers[method] = self._wrapper.wrap(method, handler, is_open=True)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Do nothing: generated code also registers the same methods by name."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        return self._handlers.get(handler_call_details.method)


class _OpenMethods:
    """Where health and reflection register."""

    def __init__(self, table: _MethodTable) -> None:
        self._table = table

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        self._table.add_open_method_handlers(service_name, method_handlers)

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Do nothing, as in _MethodTable."""


class _RegisteredMethods:
    """The methods of health: gRPC keeps a queue for each registered method, so they wait for no other calls.

    Everyone may call them, also while the server is full.
    """

    def __init__(self, server: grpc.aio.Server, wrapper: CallWrapper) -> None:
        self._server = server
        self._wrapper = wrapper

    def add_registered_method_handlers(
        self, service_name: str, method_handlers: Mapping[str, Handler]
    ) -> None:
        wrapped = {
            name: self._wrapper.wrap(f"/{service_name}/{name}", handler, is_open=True, is_exempt=True)
            for name, handler in method_handlers.items()
        }
        self._server.add_registered_method_handlers(service_name, wrapped)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service_name, wrapped),))

    def add_generic_rpc_handlers(self, handlers: Sequence[grpc.GenericRpcHandler]) -> None:
        """Do nothing: generated code also registers the same methods by name."""


def _probe(name: str, address: str, *, reuse_port: bool) -> None:
    """Raise PortTaken when the port is taken. Without this check, gRPC would also write its own lines to stderr."""
    host, _, port = address.rpartition(":")
    bare_host = host.strip("[]")
    if not bare_host or not port.isdigit():
        return
    family = socket.AF_INET6 if ":" in bare_host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(reuse_port))
        try:
            probe.bind((bare_host, int(port)))
        except (OSError, OverflowError) as error:
            raise PortTaken(name=name, address=address) from error
