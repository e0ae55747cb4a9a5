# SPDX-License-Identifier: Apache-2.0
"""What differs between installations of Envoy, and the files that it reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyFiles:
    """Files that Envoy reads, as it sees them. folder: of the configuration, and what is written beside it.

    certificate, key: what it shows to callers. authority: who signs the certificates of the services.
    """

    folder: Path
    certificate: Path
    key: Path
    authority: Path

    @property
    def descriptors(self) -> Path:
        return self.folder / "purser.pb"

    @property
    def certificate_secret(self) -> Path:
        return self.folder / "certificate.yaml"

    @property
    def authority_secret(self) -> Path:
        return self.folder / "authority.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What serves plain HTTP behind Envoy. domain: the host names that lead there, such as billing.vendor.example, or
    portal.* for all that begin so. address: host:port.
    """

    domain: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoySettings:
    """What differs between installations.

    services: the addresses of each, "host:port". listen: for callers, with TLS. status_listen: /ready and
    /stats/prometheus, over plain HTTP. admin_listen: Envoy's administration, for this machine only, because it can
    stop Envoy. origins: of pages that may call, such as https://app.example. sites: the portal and the edge.
    """

    files: EnvoyFiles
    services: Mapping[str, Sequence[str]]
    listen: str
    status_listen: str
    admin_listen: str
    trust_domain: str
    origins: Sequence[str] = field(default=())
    sites: Mapping[str, Site] = field(default_factory=dict)
