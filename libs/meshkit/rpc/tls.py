# SPDX-License-Identifier: Apache-2.0
"""Certificates of servers and of clients, read again when their files change. Source: services/README.md,
"Identity and access".

A service's certificate has one URI, `spiffe://<trust domain>/purser/<service>`, by which its peers know it as a caller,
and the DNS name `<service>.<trust domain>`, by which they know it as a server, wherever it runs.
"""

import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import structlog
from cryptography.x509 import load_pem_x509_certificate
from grpc.aio import ServicerContext

from meshkit.errors import Unavailable
from meshkit.metrics import CERTIFICATE_EXPIRE_SECONDS

log = structlog.get_logger(__name__)

_PEER_KEY = "peer_spiffe_id"  # absent if the certificate has two URIs


class CertificateUnreadable(Unavailable):
    """A certificate, its key, or the certificates of the authorities cannot be used."""

    reason = "CERTIFICATE_UNREADABLE"

    def __init__(self, *, files: str, cause: str) -> None:
        super().__init__(f"the certificate files {files} cannot be used: {cause}", files=files)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The contents of the files, in PEM. authorities: who signs the certificates of the other side."""

    chain: bytes
    key: bytes
    authorities: bytes | None


class CertificateFiles:
    """The files of one certificate. authorities: those that sign the other side's certificates; None: not needed."""

    def __init__(self, chain: Path, key: Path, authorities: Path | None) -> None:
        self._chain = chain
        self._key = key
        self._authorities = authorities
        self._accepted: tuple[int, ...] = ()
        self._current: Certificate | None = None

    @property
    def current(self) -> Certificate:
        """What was read last. Raises CertificateUnreadable if nothing was, and cannot be."""
        return self.read() if self._current is None else self._current

    def read(self) -> Certificate:
        """Return the contents. Raises CertificateUnreadable if they do not belong together."""
        stamp = self._stamp()
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            # A key with a passphrase would make OpenSSL ask on the terminal.
            context.load_cert_chain(self._chain, self._key, password="")
            if self._authorities is not None:
                context.load_verify_locations(self._authorities)
            certificate = Certificate(
                self._chain.read_bytes(),
                self._key.read_bytes(),
                None if self._authorities is None else self._authorities.read_bytes(),
            )
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise CertificateUnreadable(files=str(self), cause=str(error)) from error
        self._accepted, self._current = stamp, certificate
        # A certificate that OpenSSL accepts and this library does not is used without being measured.
        with suppress(ValueError):
            expire_time = load_pem_x509_certificate(certificate.chain).not_valid_after_utc
            CERTIFICATE_EXPIRE_SECONDS.labels(str(self._chain)).set(expire_time.timestamp())
        return certificate

    def changed(self) -> Certificate | None:
        """Return the contents if they have changed and belong together; a half-written pair is tried again later."""
        try:
            if self._stamp() == self._accepted:
                return None
            certificate = self.read()
        except CertificateUnreadable as error:
            log.warning("certificate_unreadable", error=error.message)
            return None
        log.info("certificate_read", files=str(self))
        return certificate

    def _stamp(self) -> tuple[int, ...]:
        try:
            return tuple(
                path.stat().st_mtime_ns
                for path in (self._chain, self._key, self._authorities)
                if path is not None
            )
        except OSError as error:
            raise CertificateUnreadable(files=str(self), cause=error.strerror or str(error)) from error

    def __str__(self) -> str:
        return ", ".join(
            str(path) for path in (self._chain, self._key, self._authorities) if path is not None
        )


def server_credentials(files: CertificateFiles, *, asks_for_certificate: bool) -> grpc.ServerCredentials:
    """Return credentials of a listener; before each handshake gRPC looks whether the files have changed.

    asks_for_certificate: whether callers need a certificate of one of the authorities. Raises CertificateUnreadable.
    """

    def configuration(certificate: Certificate) -> Any:
        return grpc.ssl_server_certificate_configuration(
            [(certificate.key, certificate.chain)],
            root_certificates=certificate.authorities if asks_for_certificate else None,
        )

    def fetch() -> Any:
        changed = files.changed()
        return None if changed is None else configuration(changed)

    return grpc.dynamic_ssl_server_credentials(
        configuration(files.read()), fetch, require_client_authentication=asks_for_certificate
    )


def channel_credentials(certificate: Certificate) -> grpc.ChannelCredentials:
    """Return the credentials of a service that calls another."""
    return grpc.ssl_channel_credentials(certificate.authorities, certificate.key, certificate.chain)


def server_name(service: str, trust_domain: str) -> str:
    """Return the DNS name in a service's certificate."""
    return f"{service}.{trust_domain}"


def spiffe_id(service: str, trust_domain: str) -> str:
    """Return the URI in a service's certificate."""
    return f"spiffe://{trust_domain}/purser/{service}"


def peer_service(context: ServicerContext[Any, Any], trust_domain: str) -> str | None:
    """Return the name of the service whose certificate the caller has shown; None: it has shown none of a service."""
    named = context.auth_context().get(_PEER_KEY)
    if not named:
        return None
    prefix = spiffe_id("", trust_domain)
    uri = next(iter(named)).decode(errors="replace")
    return uri.removeprefix(prefix) if uri.startswith(prefix) else None
