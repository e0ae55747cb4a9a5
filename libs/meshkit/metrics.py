# SPDX-License-Identifier: Apache-2.0
"""Metrics for Prometheus. /metrics is served only when a service's settings name an address for it."""

from collections.abc import Callable

from prometheus_client import Counter, Histogram, start_http_server

from meshkit.errors import PortTaken

RPC_REQUESTS = Counter(
    "mesh_rpc_requests",
    "Calls answered, by status code and, for faults, by reason.",
    ["service", "rpc", "code", "reason"],
)
RPC_SECONDS = Histogram(
    "mesh_rpc_seconds",
    "Time from a call's arrival in Python to its answer, in seconds.",
    ["service", "rpc"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
OUTBOX_DELIVERIES = Counter(
    "mesh_outbox_deliveries",
    "Attempts to deliver a notice, by result (sent, failed, dead).",
    ["outbox", "kind", "result"],
)
GARBAGE_SECONDS = Histogram(
    "mesh_garbage_seconds",
    "How long one garbage collection paused the process, by generation, in seconds.",
    ["generation"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1),
)


class RpcMeter:
    """The counters of one rpc. Labelled counters are looked up once, so a call costs two additions."""

    def __init__(self, service: str, rpc: str) -> None:
        self._service = service
        self._rpc = rpc
        self._seconds = RPC_SECONDS.labels(service, rpc)
        self._children: dict[tuple[str, str], Counter] = {}

    def count(self, seconds: float, code: str, reason: str = "") -> None:
        """Count one answered call. code: the name of its gRPC status; reason: that of the fault, if any."""
        child = self._children.get((code, reason))
        if child is None:
            child = RPC_REQUESTS.labels(self._service, self._rpc, code, reason)
            self._children[code, reason] = child
        child.inc()
        self._seconds.observe(seconds)


def serve_metrics(host: str, port: int) -> Callable[[], None]:
    """Serve /metrics over HTTP in a thread. Returns a function that stops it. Raises PortTaken."""
    try:
        server, thread = start_http_server(port, addr=host)
    except (OSError, OverflowError) as error:
        raise PortTaken(name="metrics", address=f"{host}:{port}") from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop
