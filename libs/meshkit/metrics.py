# SPDX-License-Identifier: Apache-2.0
"""Metrics for Prometheus. /metrics is served only when a service's settings name an address for it.

Each metric, also those of the services, has its row in deploy/grafana/METRICS.md.
"""

from collections.abc import Callable

from prometheus_client import Counter, Gauge, Histogram, start_http_server

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
HTTP_REQUESTS = Counter(
    "mesh_http_requests",
    "HTTP requests answered, by server, method, route as a pattern and status; no probes.",
    ["server", "method", "route", "status"],
)
HTTP_SECONDS = Histogram(
    "mesh_http_seconds",
    "Time from an HTTP request's arrival to the start of its answer, in seconds.",
    ["server", "route"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
OUTBOX_DELIVERIES = Counter(
    "mesh_outbox_deliveries",
    "Attempts to deliver a notice, by result (sent, failed, dead).",
    ["outbox", "kind", "result"],
)
OUTBOX_PENDING = Gauge(
    "mesh_outbox_pending_notices",
    "Notices that no peer has accepted yet, of all replicas.",
    ["outbox"],
)
OUTBOX_OLDEST_SECONDS = Gauge(
    "mesh_outbox_oldest_seconds",
    "Age of the oldest notice that no peer has accepted yet, of all replicas, in seconds; 0: there is none.",
    ["outbox"],
)
DEAD_LETTERS = Gauge(
    "mesh_dead_letters",
    "Notices that a peer has rejected for good and that wait for an operator, of all replicas.",
    ["outbox"],
)
BACKGROUND_FAILURES = Counter(
    "mesh_background_failures",
    "Rounds of periodic work that failed, by the name of the work, as in the log event sweep_failed.",
    ["work"],
)
CERTIFICATE_EXPIRE_SECONDS = Gauge(
    "mesh_certificate_expire_timestamp_seconds",
    "When the certificate that is in use expires, in seconds since 1970, by its file.",
    ["file"],
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
