# SPDX-License-Identifier: Apache-2.0
"""Which rpc goes to which service, with which deadline, and what is retried. The paths are those of gRPC: JSON calls
have been translated before."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from deploy.envoy.clusters import TYPES, Json
from deploy.envoy.descriptors import SHARED_PACKAGES

CUSTOMER_HEADER: Final = "x-purser-customer"
SERVICE_HEADER: Final = "x-purser-service"
# Envoy keeps the path of a JSON call here while it translates the call.
ORIGINAL_PATH: Final = "x-envoy-original-path"
CUSTOMERS: Final = "/v1/customers/"
# Shared by all services too, for callers of gRPC only.
SHARED_OF_GRPC: Final = ("grpc.health.v1", "grpc.reflection.v1", "grpc.reflection.v1alpha")

GATE_PREFIX: Final = "/purser.ledger.v1.LedgerService/"
# These may compute for minutes.
SLOW: Final = (
    "/purser.ledger.v1.LedgerAdminService/VerifyLedger",
    "/purser.ledger.v1.UsageService/RerateUsage",
)
# Streams end when one side ends them: a feed of events, an import.
STREAMS: Final = {
    "/purser.alert.v1.EventFeedService/WatchEvents": "alert",
    "/purser.ledger.v1.UsageService/ImportUsage": "ledger",
}


def routes(services: Sequence[str]) -> list[Json]:
    """Return the routes to these services; the first that matches counts."""
    return [
        *(
            _route({"path": path}, service, timeout="0s", idle_timeout="300s")
            for path, service in STREAMS.items()
            if service in services
        ),
        *(_of_ledger() if "ledger" in services else ()),
        *(
            _route({"prefix": f"/purser.{service}.v1."}, service, timeout="60s", deadline="10S", **_retries())
            for service in services
            if service != "ledger"
        ),
        *_shared(services),
    ]


def _of_ledger() -> Iterator[Json]:
    for path in SLOW:
        yield _route({"path": path}, "ledger", timeout="600s", deadline="60S", **_retries())
    yield from _of_customers(GATE_PREFIX, timeout="10s", deadline="5S", **_retries(per_try_timeout="2s"))
    yield from _of_customers("/purser.ledger.v1.", timeout="60s", deadline="10S", **_retries())


def _of_customers(prefix: str, **how: Any) -> Iterator[Json]:
    """A customer's calls go to one replica, by the header, or for a JSON call by its path."""
    by_header = {"header": {"header_name": CUSTOMER_HEADER}, "terminal": True}
    by_path = {
        "header": {
            "header_name": ORIGINAL_PATH,
            "regex_rewrite": {"pattern": {"regex": f"^{CUSTOMERS}([^/:?]+).*"}, "substitution": r"\1"},
        }
    }
    of_path = {"prefix": prefix, "headers": [_header(ORIGINAL_PATH, prefix=CUSTOMERS)]}
    yield _route(of_path, "ledger", hash_policy=[by_header, by_path], **how)
    yield _route({"prefix": prefix}, "ledger", hash_policy=[by_header], **how)


def _shared(services: Sequence[str]) -> Iterator[Json]:
    """Rpcs that every service serves for itself: a header says which one is meant."""
    packages = "|".join(map(re.escape, (*SHARED_PACKAGES, *SHARED_OF_GRPC)))
    of_packages = {"safe_regex": {"regex": rf"/({packages})\..*"}}
    for service in services:
        match = {**of_packages, "headers": [_header(SERVICE_HEADER, exact=service)]}
        yield _route(match, service, timeout="60s", deadline="60S", **_retries())
    names = ", ".join(services)
    yield {
        "match": of_packages,
        "direct_response": {
            "status": 400,
            "body": {
                "inline_string": f"every service has this rpc; say which one: header {SERVICE_HEADER}: {names}"
            },
        },
    }


def _route(match: Json, service: str, *, deadline: str = "", **how: Any) -> Json:
    """deadline: told to the service if the caller names none, in grpc-timeout's form."""
    route: Json = {"match": match, "route": {"cluster": service, **how}}
    if deadline:
        header = {"key": "grpc-timeout", "value": deadline}
        route["request_headers_to_add"] = [{"header": header, "append_action": "ADD_IF_ABSENT"}]
    return route


def _retries(**more: str) -> Json:
    """Every write is idempotent by its request_id, so a call may be sent again to another replica."""
    previous = "envoy.retry_host_predicates.previous_hosts"
    kind = f"{TYPES}.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
    policy = {
        "retry_on": "unavailable,cancelled,connect-failure,reset,refused-stream",
        "num_retries": 3,
        "retry_back_off": {"base_interval": "0.02s", "max_interval": "0.5s"},
        "retry_host_predicate": [{"name": previous, "typed_config": {"@type": kind}}],
        "host_selection_retry_max_attempts": 10,
        **more,
    }
    return {"retry_policy": policy}


def _header(name: str, **match: str) -> Json:
    return {"name": name, "string_match": match}


def site(front: str, domain: str) -> Json:
    """Return the virtual host of the portal or the edge: plain HTTP, which passes unchanged."""
    off = {"@type": f"{TYPES}.config.route.v3.FilterConfig", "disabled": True}
    retry = {"retry_on": "connect-failure,refused-stream,reset-before-request", "num_retries": 3}
    route = {"cluster": front, "timeout": "0s", "idle_timeout": "300s", "retry_policy": retry}
    return {
        "name": front,
        "domains": [domain],
        "typed_per_filter_config": {
            f"envoy.filters.http.{name}": off for name in ("cors", "grpc_web", "grpc_json_transcoder")
        },
        "routes": [{"match": {"prefix": "/"}, "route": route}],
    }


def cors(origins: Sequence[str]) -> Mapping[str, Json]:
    """Let pages of these origins call with gRPC-web or JSON."""
    return {
        "envoy.filters.http.cors": {
            "@type": f"{TYPES}.extensions.filters.http.cors.v3.CorsPolicy",
            "allow_origin_string_match": [{"exact": origin} for origin in origins],
            "allow_methods": "GET,POST,PUT,PATCH,DELETE",
            "allow_headers": "authorization,content-type,grpc-timeout,x-grpc-web,x-user-agent,"
            f"{CUSTOMER_HEADER},{SERVICE_HEADER}",
            "expose_headers": "grpc-status,grpc-message,grpc-status-details-bin",
            "max_age": "600",
        }
    }
