# SPDX-License-Identifier: Apache-2.0
"""One channel to all replicas. It sends each customer's calls to one of them, and to another while that is away."""

import ipaddress
import json
import os
from collections.abc import Sequence

import grpc
import grpc.aio

from purser_client.affinity import CUSTOMER_HEADER

# The response to the largest batch.
RESPONSE_BYTES_MAX = 64 * 1024 * 1024

# Every process puts the same replica at the same places, so all of them choose the same one for a customer.
_RING = {"requestHashHeader": CUSTOMER_HEADER, "minRingSize": 1_024, "maxRingSize": 4_096}
_OPTIONS = (
    ("grpc.max_receive_message_length", RESPONSE_BYTES_MAX),
    # A replica that is cut off is detected after 5 s, one that hangs after 20. The server allows a ping every 10 s.
    ("grpc.keepalive_time_ms", 15_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # By default the third ping without a call is the last one in time.
    ("grpc.http2.max_pings_without_data", 0),
    # A restarted replica is reconnected at once; new addresses of a name are found within seconds of losing an old one.
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Despite its name, this limits one connection attempt: a TLS handshake with another continent takes that long.
    ("grpc.min_reconnect_backoff_ms", 3_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.dns_min_time_between_resolutions_ms", 2_000),
    # This library does its own retries (retry.py), with the request_id, the deadline and the pause the Ledger asks for.
    ("grpc.enable_retries", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"ring_hash_experimental": _RING}]})),
)
# gRPC 1.85 hashes by a header (gRFC A76) only where this variable is set when a channel is opened.
_HASH_BY_HEADER = "GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY"


def target_of(addresses: str | Sequence[str]) -> str:
    """Return gRPC's target for "host:port" (all addresses behind the name) or for several "ip:port".

    Raises ValueError for no address, for one without a port, and for several that are not all IPv4 or all IPv6:
    gRPC balances over the addresses of one name, or over IP addresses of one version.
    """
    several = [addresses] if isinstance(addresses, str) else list(addresses)
    for address in several:
        if (
            not address.rpartition(":")[2].isdigit()
            and "://" not in address
            and not address.startswith("unix:")
        ):
            raise ValueError(f"address {address!r} has no port; give host:port")
    match several:
        case []:
            raise ValueError("no address of a Ledger is given")
        case [one]:
            return one
        case _:
            return f"ipv{_version(several)}:{','.join(several)}"


def open_channel(
    target: str, credentials: grpc.ChannelCredentials | None, *, server_name: str | None = None
) -> grpc.aio.Channel:
    """Return a channel bound to the running loop; without credentials it is plaintext. The caller closes it.

    server_name: the DNS name that the certificate of the Ledger must have, by default the host of the target.
    """
    os.environ.setdefault(_HASH_BY_HEADER, "true")
    if credentials is None:
        return grpc.aio.insecure_channel(target, options=_OPTIONS)
    options = _OPTIONS if server_name is None else (*_OPTIONS, ("grpc.ssl_target_name_override", server_name))
    return grpc.aio.secure_channel(target, credentials, options=options)


def _version(addresses: list[str]) -> int:
    try:
        versions = {ipaddress.ip_address(one.rpartition(":")[0].strip("[]")).version for one in addresses}
    except ValueError as error:
        raise ValueError(
            f"{error}: several replicas are named by IP addresses, or by one name that resolves to all of them"
        ) from None
    if len(versions) == 1:
        return versions.pop()
    raise ValueError(f"{', '.join(addresses)}: give IPv4 or IPv6 addresses, not both")
