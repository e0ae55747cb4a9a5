# SPDX-License-Identifier: Apache-2.0
"""Where notifications may be posted: the format of a URL, and the addresses that are refused."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address
from urllib.parse import urlsplit

from services.alert.domain.errors import WebhookTargetRefused

URL_LENGTH_MAX = 2_000
_URL_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986
# Strict, so that the host checked here, the host resolved and the host that httpx posts to are the same.
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*")
_DOTTED_QUAD = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+")
_PORT_DEFAULT = {"http": 80, "https": 443}
_UNRESOLVED = "does not resolve to any address"

# The special-purpose registries of IANA. Python's `is_private` differs between its versions; this does not.
_REFUSED_V4 = {
    IPv4Network(network): problem
    for network, problem in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "private (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "reserved (documentation)"),
        ("192.88.99.0/24", "reserved (6to4 relay)"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved (benchmarking)"),
        ("198.51.100.0/24", "reserved (documentation)"),
        ("203.0.113.0/24", "reserved (documentation)"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
}
# The first match gives the problem. An address without a match outside global unicast (2000::/3) is reserved.
_REFUSED_V6 = {
    IPv6Network(network): problem
    for network, problem in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "IPv4-mapped"),
        ("::/96", "reserved (IPv4-compatible)"),
        ("64:ff9b::/96", "a NAT64 address"),
        ("64:ff9b:1::/48", "a NAT64 address"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private (site-local)"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "reserved (Teredo and other protocols)"),
        ("2001:db8::/32", "reserved (documentation)"),
        ("2002::/16", "a 6to4 address"),
        ("3fff::/20", "reserved (documentation)"),
    )
}
_GLOBAL_UNICAST_V6 = IPv6Network("2000::/3")


@dataclass(frozen=True, slots=True)
class Target:
    """The host and port of a URL; an IPv6 address has no brackets."""

    host: str
    port: int


def target_of(url: str) -> Target:
    """Return the host and port of a URL. Raises ValueError with the problem if nothing can be posted to it.

    http or https, with a host, without user and password; ASCII (hosts as xn--…, paths percent-encoded).
    """
    if not _URL_CHARACTERS.fullmatch(url):
        raise ValueError("must be a URL in ASCII: write the host as xn--… and percent-encode the path")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("must have a valid host and port") from error
    if parts.scheme not in _PORT_DEFAULT:
        raise ValueError("must begin with https:// or http://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user or password; notifications are signed instead")
    if not host:
        raise ValueError("must have a host")
    if port == 0 or not (is_address(host) if _must_be_ip(parts.netloc, host) else _NAME.fullmatch(host)):
        raise ValueError("must have a valid host and port")
    return Target(host, port or _PORT_DEFAULT[parts.scheme])


def _must_be_ip(netloc: str, host: str) -> bool:
    return netloc.startswith("[") or _DOTTED_QUAD.fullmatch(host) is not None


def is_address(host: str) -> bool:
    """Whether a host is an IP address, and not a name to resolve."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # an IPv6 zone is valid on one machine only


def problem_with(address: str) -> str | None:
    """Return why an IP address is refused, such as "is loopback"; None if it is public."""
    try:
        ip = ip_address(address)
    except ValueError:
        return "is not an IP address"
    if isinstance(ip, IPv4Address):
        refused = (problem for network, problem in _REFUSED_V4.items() if ip in network)
        return next((f"is {problem}" for problem in refused), None)
    refused = (problem for network, problem in _REFUSED_V6.items() if ip in network)
    known = next((f"is {problem}" for problem in refused), None)
    return known if known or ip in _GLOBAL_UNICAST_V6 else "is reserved"


def refusal_of(host: str, addresses: Iterable[str]) -> WebhookTargetRefused | None:
    """Return the fault if a host has no address or a refused one; None if all are public."""
    resolved = tuple(addresses)
    if not resolved:
        return WebhookTargetRefused(host=host, address="", problem=_UNRESOLVED)
    for address in resolved:
        if (problem := problem_with(address)) is not None:
            return WebhookTargetRefused(host=host, address=address, problem=problem)
    return None
