# SPDX-License-Identifier: Apache-2.0
"""The identities of a local mesh: certificates of its services, and tokens of those who call them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import grpc

from meshkit.clock import Clock
from meshkit.files import PRIVATE, replace_file
from purser_cli import certificates, tokens
from purser_cli.certificates import MeshCertificates

TRUST_DOMAIN = "purser.internal"
HOSTS = ("localhost", "127.0.0.1", "::1")
CERTIFICATES_VALID = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=30)
TOKENS_VALID = timedelta(days=30)

# The tokens of a local mesh by name, and what each may do.
TOKENS: Mapping[str, Sequence[str]] = {
    "vendor": ("operator", "viewer", "payments", "security", "usage"),
    "gate": ("gate",),
}


@dataclass(frozen=True, slots=True)
class LocalIdentity:
    """The certificates, the signing key and the tokens in one folder; open_identity creates them."""

    files: MeshCertificates
    clock: Clock

    def token(
        self,
        *roles: str,
        subject: str,
        valid: timedelta = TOKENS_VALID,
        customer: str = "",
        customers: Sequence[str] = (),
    ) -> str:
        """Return a token that the mesh accepts."""
        return tokens.issue(
            self.files.folder,
            subject=subject,
            roles=roles,
            now=self.clock.now(),
            valid=valid,
            customer=customer,
            customers=customers,
        )

    def token_file(self, name: str) -> Path:
        """Return the file of one of TOKENS."""
        return self.files.folder / f"{name}.token"

    def credentials(self, token: str | None = None) -> grpc.ChannelCredentials:
        """Return the credentials of a channel whose calls carry `token`, or none."""
        tls = grpc.ssl_channel_credentials(self.files.authority.read_bytes())
        if token is None:
            return tls
        return grpc.composite_channel_credentials(tls, grpc.access_token_call_credentials(token))

    def renew(self, *names: str) -> None:
        """Issue new certificates for `names` unless each has one that does not expire soon."""
        now = self.clock.now()
        chains = [self.files.chain(name) for name in names]
        if all(chain.exists() and certificates.expire_time(chain) > now + RENEWED_BEFORE for chain in chains):
            return
        self.issue(*names)

    def issue(self, *names: str) -> None:
        """Issue new certificates for `names`; whoever shows them notices."""
        certificates.issue(
            self.files.folder,
            trust_domain=TRUST_DOMAIN,
            hosts=HOSTS,
            valid=CERTIFICATES_VALID,
            now=self.clock.now(),
            services=names,
        )

    def settings(self, service: str) -> dict[str, str]:
        """Return the settings of a service that concern identities, without the prefix of their names."""
        return {
            "CERTIFICATE_FILE": str(self.files.chain(service)),
            "KEY_FILE": str(self.files.key(service)),
            "CA_FILE": str(self.files.authority),
            "TRUST_DOMAIN": TRUST_DOMAIN,
            "JWKS": str(self.files.folder / tokens.JWKS_FILE),
            "REFLECTION": "true",
        }


def open_identity(folder: Path, *, clock: Clock) -> LocalIdentity:
    """Return the identities in `folder`: what is missing or expires soon is created, and new tokens are written."""
    identity = LocalIdentity(MeshCertificates(folder), clock)
    identity.renew(*certificates.SERVICES)
    if not (folder / tokens.KEY_FILE).exists():
        tokens.create_key(folder, key_id="local-1")
    for name, roles in TOKENS.items():
        token = identity.token(*roles, subject=name) + "\n"
        replace_file(identity.token_file(name), token.encode(), mode=PRIVATE)
    return identity
