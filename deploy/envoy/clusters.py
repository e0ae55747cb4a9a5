# SPDX-License-Identifier: Apache-2.0
"""The services as Envoy reaches them: addresses, TLS, health, and which replica a customer has."""

from collections.abc import Sequence
from typing import Any, Final

Json = dict[str, Any]

TYPES: Final = "type.googleapis.com/envoy"
MESH_AUTHORITY: Final = "authority"  # the name of the secret, in authority.yaml
READINESS: Final = "readiness"  # NOT_SERVING while a replica drains or its database is away
# The services refuse what is too much for them, with a delay for the retry; Envoy's limits must not come first.
CALLS_MAX: Final = 100_000
# With the default of 3, most retries of a dying replica's calls are refused: upstream_rq_retry_overflow.
RETRIES_MAX: Final = 1_000


def cluster(service: str, addresses: Sequence[str], *, trust_domain: str, authority_file: str) -> Json:
    """Return a service's replicas: "host:port" each, where a name may resolve to several."""
    server_name = (
        f"{service}.{trust_domain}"  # in each certificate: services/README.md, "Identity and access"
    )
    return {
        **_replicas(service, addresses),
        **_balancing(service),
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {
                    # Finds a replica that is cut off. The servers allow a ping every 10 s.
                    "http2_protocol_options": {"connection_keepalive": {"interval": "15s", "timeout": "5s"}}
                },
            }
        },
        "health_checks": [_health_check(grpc_health_check={"service_name": READINESS})],
        "transport_socket": _tls(server_name, authority_file),
    }


def site_cluster(front: str, address: str) -> Json:
    """Return what serves pages or plain HTTP: the portal, or the edge for Metronome's SDK."""
    return {
        **_replicas(front, [address]),
        "health_checks": [_health_check(http_health_check={"path": "/readyz"})],
    }


def _replicas(name: str, addresses: Sequence[str]) -> Json:
    return {
        "name": name,
        "cluster_type": {
            "name": "envoy.cluster.dns",
            "typed_config": {
                "@type": f"{TYPES}.extensions.clusters.dns.v3.DnsCluster",
                "dns_refresh_rate": "2s",
                "all_addresses_in_single_endpoint": False,
            },
        },
        "connect_timeout": "1s",
        # Below this share of healthy replicas all are called: if none is ready, the service says itself why.
        "common_lb_config": {"healthy_panic_threshold": {"value": 1}},
        "circuit_breakers": {
            "thresholds": [
                {
                    "max_connections": CALLS_MAX,
                    "max_pending_requests": CALLS_MAX,
                    "max_requests": CALLS_MAX,
                    "max_retries": RETRIES_MAX,
                }
            ]
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(one)}} for one in addresses]}],
        },
    }


def _health_check(**kind: Json) -> Json:
    return {
        "timeout": "1s",
        "interval": "2s",
        "no_traffic_interval": "2s",
        "unhealthy_threshold": 2,
        "healthy_threshold": 1,
        **kind,
    }


def address(host_and_port: str) -> Json:
    """Return Envoy's form of "host:port". Raises ValueError."""
    host, _, port = host_and_port.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"{host_and_port!r} is no address; give host:port, such as ledger:7003")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _balancing(service: str) -> Json:
    """The Ledger decides in memory, so a customer keeps its replica; the others hold nothing between calls."""
    if service == "ledger":
        return {"lb_policy": "RING_HASH", "ring_hash_lb_config": {"minimum_ring_size": 1024}}
    return {"lb_policy": "LEAST_REQUEST"}


def _tls(server_name: str, authority_file: str) -> Json:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": server_name,
            "common_tls_context": {
                "alpn_protocols": ["h2"],  # without it every gRPC health check fails
                "combined_validation_context": {
                    "default_validation_context": {
                        "match_typed_subject_alt_names": [
                            {"san_type": "DNS", "matcher": {"exact": server_name}}
                        ]
                    },
                    "validation_context_sds_secret_config": secret_from(MESH_AUTHORITY, authority_file),
                },
            },
        },
    }


def secret_from(name: str, file: str) -> Json:
    """Return a reference to a secret in a file that Envoy reads again when it changes."""
    return {
        "name": name,
        "sds_config": {"path_config_source": {"path": file}, "resource_api_version": "V3"},
    }
