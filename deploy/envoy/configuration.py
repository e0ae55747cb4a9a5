# SPDX-License-Identifier: Apache-2.0
"""Envoy's configuration as a value: listeners, filters, and the files beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from deploy.envoy.clusters import MESH_AUTHORITY, TYPES, Json, address, cluster, secret_from, site_cluster
from deploy.envoy.descriptors import caller_services
from deploy.envoy.errors import errors_as_json
from deploy.envoy.routes import cors, routes, site
from deploy.envoy.settings import EnvoyFiles, EnvoySettings

FILTERS: Final = f"{TYPES}.extensions.filters.http"
# A batch of the gate has up to 24 MiB as a message, a page of a list up to 4 MB; JSON is some three times as long.
REQUEST_BYTES_MAX: Final = 64 * 1024 * 1024
RESPONSE_BYTES_MAX: Final = 64 * 1024 * 1024
CONNECTIONS_MAX: Final = 20_000


def configuration(settings: EnvoySettings) -> Json:
    """Return the content of envoy.yaml."""
    names = list(settings.services)
    return {
        "node": {"id": "purser", "cluster": "purser"},
        "admin": {"address": address(settings.admin_listen)},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{TYPES}.extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": CONNECTIONS_MAX,
                    },
                }
            ]
        },
        "static_resources": {
            "listeners": [_callers(settings, names), _status(settings)],
            "clusters": [
                *(
                    cluster(
                        name,
                        addresses,
                        trust_domain=settings.trust_domain,
                        authority_file=str(settings.files.authority_secret),
                    )
                    for name, addresses in settings.services.items()
                ),
                *(site_cluster(name, one.address) for name, one in settings.sites.items()),
                _administration(settings),
            ],
        },
    }


def secrets(files: EnvoyFiles) -> Mapping[Path, Json]:
    """Return the contents of the files that name certificates. Envoy reads those again when their folder changes."""
    certificate = {
        "certificate_chain": {"filename": str(files.certificate)},
        "private_key": {"filename": str(files.key)},
        "watched_directory": {"path": str(files.certificate.parent)},
    }
    authority = {
        "trusted_ca": {"filename": str(files.authority)},
        "watched_directory": {"path": str(files.authority.parent)},
    }
    return {
        files.certificate_secret: _secret("certificate", tls_certificate=certificate),
        files.authority_secret: _secret(MESH_AUTHORITY, validation_context=authority),
    }


def _secret(name: str, **content: Json) -> Json:
    kind = f"{TYPES}.extensions.transport_sockets.tls.v3.Secret"
    return {"resources": [{"@type": kind, "name": name, **content}]}


def _callers(settings: EnvoySettings, names: Sequence[str]) -> Json:
    tls = {
        "@type": f"{TYPES}.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "alpn_protocols": ["h2", "http/1.1"],
            "tls_certificate_sds_secret_configs": [
                secret_from("certificate", str(settings.files.certificate_secret))
            ],
        },
    }
    manager = {
        **_manager("callers"),
        # Removes the x-envoy-… headers of callers.
        "use_remote_address": True,
        "normalize_path": True,
        "common_http_protocol_options": {"idle_timeout": "900s"},
        "http2_protocol_options": {"max_concurrent_streams": 1024},
        "route_config": {
            "name": "mesh",
            "virtual_hosts": [
                *(site(name, one.domain) for name, one in settings.sites.items()),
                {
                    "name": "mesh",
                    "domains": ["*"],
                    "typed_per_filter_config": cors(settings.origins),
                    "routes": routes(names),
                },
            ],
        },
        "local_reply_config": errors_as_json(),
        "http_filters": [
            _filter("cors", "cors.v3.Cors"),
            _filter("grpc_web", "grpc_web.v3.GrpcWeb"),
            _transcoder(settings),
            _filter("router", "router.v3.Router"),
        ],
    }
    return {
        "name": "callers",
        "address": address(settings.listen),
        "per_connection_buffer_limit_bytes": 1024 * 1024,
        "filter_chains": [
            {
                "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
                "filters": [_network(manager)],
            }
        ],
    }


def _transcoder(settings: EnvoySettings) -> Json:
    return _filter(
        "grpc_json_transcoder",
        "grpc_json_transcoder.v3.GrpcJsonTranscoder",
        proto_descriptor=str(settings.files.descriptors),
        services=[str(service.full_name) for service in caller_services()],
        # POST /PACKAGE.Service/Method, for the methods that have no google.api.http option.
        auto_mapping=True,
        convert_grpc_status=True,
        request_validation_options={
            "reject_unknown_method": True,
            "reject_unknown_query_parameters": True,
        },
        print_options={
            "always_print_primitive_fields": True,
            "preserve_proto_field_names": True,
            "stream_newline_delimited": True,
        },
        max_request_body_size=REQUEST_BYTES_MAX,
        max_response_body_size=RESPONSE_BYTES_MAX,
    )


def _status(settings: EnvoySettings) -> Json:
    """Of the administration only what a probe and Prometheus need."""
    manager = {
        **_manager("status"),
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "status",
                    "domains": ["*"],
                    "routes": [
                        {"match": {"path": path}, "route": {"cluster": "administration"}}
                        for path in ("/ready", "/stats/prometheus")
                    ],
                }
            ]
        },
        "http_filters": [_filter("router", "router.v3.Router")],
    }
    return {
        "name": "status",
        "address": address(settings.status_listen),
        "filter_chains": [{"filters": [_network(manager)]}],
    }


def _administration(settings: EnvoySettings) -> Json:
    endpoint = {"address": address(settings.admin_listen)}
    return {
        "name": "administration",
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": "administration",
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
    }


def _manager(name: str) -> Json:
    return {"stat_prefix": name, "codec_type": "AUTO"}


def _network(manager: Json) -> Json:
    name = "envoy.filters.network.http_connection_manager"
    kind = f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
    return {"name": name, "typed_config": {"@type": kind, **manager}}


def _filter(name: str, kind: str, **content: Any) -> Json:
    return {
        "name": f"envoy.filters.http.{name}",
        "typed_config": {"@type": f"{FILTERS}.{kind}", **content},
    }
