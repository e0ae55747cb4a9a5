# SPDX-License-Identifier: Apache-2.0
"""Certificates for the services of one mesh, for installations without an authority.

Source of the names in them: services/README.md, "Identity and access".
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshkit.files import PRIVATE, PUBLIC, replace_file
from meshkit.rpc.tls import server_name, spiffe_id

SERVICES = ("catalog", "contract", "ledger", "alert")
AUTHORITY_LIFE = timedelta(days=3650)
# The clocks of machines differ a little.
BACKDATED = timedelta(minutes=5)

Key = ec.EllipticCurvePrivateKey


class FilesIncomplete(Exception):
    """Only one of the authority's two files is there; in one line."""


@dataclass(frozen=True, slots=True)
class MeshCertificates:
    """The files in one folder: `ca.pem`, `ca-key.pem`, and `<service>.pem`, `<service>-key.pem` for each service."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.pem"

    def chain(self, service: str) -> Path:
        return self.folder / f"{service}.pem"

    def key(self, service: str) -> Path:
        return self.folder / f"{service}-key.pem"


def issue(
    folder: Path,
    *,
    trust_domain: str,
    hosts: Sequence[str],
    valid: timedelta,
    now: datetime,
    services: Sequence[str] = SERVICES,
) -> MeshCertificates:
    """Create the authority unless the folder has one, and a new certificate and key for each service.

    hosts: the names and addresses at which callers reach the services. Running services notice within seconds.
    Raises FilesIncomplete, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = MeshCertificates(folder)
    authority, authority_key = _authority(files, trust_domain, now)
    for service in services:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(
            service,
            key,
            authority,
            authority_key,
            trust_domain=trust_domain,
            hosts=hosts,
            valid=valid,
            now=now,
        )
        replace_file(files.key(service), pem_of(key), mode=PRIVATE)
        replace_file(files.chain(service), certificate.public_bytes(serialization.Encoding.PEM), mode=PUBLIC)
    return files


def expire_time(chain: Path) -> datetime:
    """Return when a certificate expires. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificate(chain.read_bytes()).not_valid_after_utc


def _authority(files: MeshCertificates, trust_domain: str, now: datetime) -> tuple[x509.Certificate, Key]:
    key_file = files.folder / "ca-key.pem"
    if files.authority.exists() != key_file.exists():
        raise FilesIncomplete(
            f"{files.folder} has only one of ca.pem and ca-key.pem; restore the other, or move both away"
        )
    if files.authority.exists():
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return x509.load_pem_x509_certificate(files.authority.read_bytes()), key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Purser authority of {trust_domain}"[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    replace_file(key_file, pem_of(key), mode=PRIVATE)
    replace_file(files.authority, certificate.public_bytes(serialization.Encoding.PEM), mode=PUBLIC)
    return certificate, key


def _certificate(
    service: str,
    key: Key,
    authority: x509.Certificate,
    authority_key: Key,
    *,
    trust_domain: str,
    hosts: Sequence[str],
    valid: timedelta,
    now: datetime,
) -> x509.Certificate:
    names: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(spiffe_id(service, trust_domain)),
        x509.DNSName(server_name(service, trust_domain)),
        *(_host_name(host) for host in hosts),
    ]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, service)]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def pem_of(key: Key) -> bytes:
    """Return a private key as PEM, without a passphrase."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
