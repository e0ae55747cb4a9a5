# SPDX-License-Identifier: Apache-2.0
"""Settings from the environment. Startup reports every missing or invalid setting together, one line each."""

import ipaddress
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NoReturn, TypeVar

from pydantic import AliasChoices, AwareDatetime, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

EXIT_BAD_SETTINGS = 2
ADDRESS_SUFFIX: Final = "_address"
# Required, unless the service is insecure.
IDENTITY_FIELDS: Final = ("certificate_file", "key_file", "ca_file", "jwks")


class ProcessSettings(BaseSettings):
    """The settings of every process."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    log_json: bool = Field(False, description="write log events as JSON lines")
    traces_endpoint: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="URL of the OpenTelemetry collector that takes traces by OTLP over gRPC; empty: no traces",
    )
    traces_sample_ratio: float = Field(
        0.01, ge=0, le=1, description="share of the traces which begin in this process that are recorded"
    )
    drain_seconds: float = Field(
        5.0,
        ge=0,
        le=300,
        description="seconds from SIGTERM, when it reports that it is not ready, until it accepts no new calls",
    )
    metrics_listen: str = Field(
        "", pattern=r"^(.+:\d+)?$", description="host:port for /metrics over HTTP; empty: not served"
    )


class FrontSettings(ProcessSettings):
    """Settings of a process without a database, which calls services with the tokens of those who call it.

    A subclass has a field NAME_address (host:port where callers are served) for each service NAME.
    """

    insecure: bool = Field(
        False,
        validation_alias=AliasChoices("insecure", "PURSER_INSECURE"),
        description="call services in plaintext",
    )
    listen: str = Field(description="host:port to serve HTTP on; port 0 is any free port")
    ca_file: str = Field(
        "", validate_default=True, description="certificates of the authority of all services, PEM"
    )
    jwks: str = Field(description="keys of bearer tokens: path or https URL of a JWKS")
    token_issuer: str = Field("purser", description="the claim iss of bearer tokens")
    token_audience: str = Field("purser", description="the claim aud of bearer tokens")

    @field_validator("ca_file")
    @classmethod
    def _needed_for_tls(cls, value: str, info: ValidationInfo) -> str:
        return _unless_insecure(value, info)

    @field_validator("jwks")
    @classmethod
    def _encrypted(cls, jwks: str) -> str:
        return _path_or_https(jwks)

    @property
    def service_addresses(self) -> Mapping[str, str]:
        """Each service's name and its host:port, in the order of the fields."""
        return _addresses(self)


class DatabaseSettings(ProcessSettings):
    """The settings that `migrate` reads; a service that serves reads more."""

    database_url: str = Field(
        description="postgresql://user:password@host:port/database; several hosts: host:port,host:port"
    )
    database_password_file: str = Field(
        "", description="file of the password, read at each connection; empty: the URL has it"
    )
    migration_database_url: str = Field(
        "", description="the same with the role that owns the schema, for migrate; empty: one role does both"
    )
    migration_database_password_file: str = Field("", description="file of that role's password, likewise")


class MeshSettings(DatabaseSettings):
    """Settings of every service. A subclass adds its own and `model_config = SettingsConfigDict(env_prefix=…)`.

    A subclass has a field NAME_address (host:port) for each peer NAME, in the order that sandbox time is passed on.
    """

    insecure: bool = Field(
        False,
        validation_alias=AliasChoices("insecure", "PURSER_INSECURE"),
        description="serve everyone in plaintext, without any identity; on a loopback address only",
    )
    listen: str = Field(
        description="host:port to serve on, with TLS and bearer tokens; port 0 is any free port"
    )
    peer_listen: str = Field(description="host:port to serve the other services on, with mTLS")
    certificate_file: str = Field("", validate_default=True, description="certificate of this service, PEM")
    key_file: str = Field("", validate_default=True, description="its private key, PEM")
    ca_file: str = Field(
        "", validate_default=True, description="certificates of the authority of all services, PEM"
    )
    tls_certificate_file: str = Field(
        "", description="certificate to show to callers with tokens; empty: the service's own"
    )
    tls_key_file: str = Field("", validate_default=True, description="its private key")
    trust_domain: str = Field("purser.internal", description="the domain in the names of services")
    jwks: str = Field(
        "", validate_default=True, description="keys of bearer tokens: path or https URL of a JWKS"
    )
    token_issuer: str = Field("purser", description="the claim iss of bearer tokens")
    token_audience: str = Field("purser", description="the claim aud of bearer tokens")
    reflection: bool = Field(False, description="let everyone query the protos, as grpcurl does")
    connection_age_seconds: float = Field(
        900.0, ge=1, description="seconds after which a connection is closed gracefully, give or take a tenth"
    )
    connection_grace_seconds: float = Field(
        300.0, ge=1, description="seconds that calls may go on after that"
    )
    sandbox: bool = Field(False, description="business time changes only through AdvanceTime")
    sandbox_start_time: AwareDatetime = Field(
        datetime.fromisoformat("2025-06-01T00:00:00Z"), description="the first sandbox time, RFC 3339"
    )
    health_listen: str = Field(
        "",
        pattern=r"^(.+:\d+)?$",
        description="host:port for grpc.health.v1 alone, in plaintext, for probes; empty: not served",
    )

    @field_validator("listen")
    @classmethod
    def _insecure_on_loopback(cls, listen: str, info: ValidationInfo) -> str:
        if info.data.get("insecure") and not _is_loopback(listen):
            raise PydanticCustomError("loopback", "must be a loopback address while PURSER_INSECURE is set")
        return listen

    @field_validator(*IDENTITY_FIELDS)
    @classmethod
    def _needed_for_identities(cls, value: str, info: ValidationInfo) -> str:
        return _unless_insecure(value, info)

    @field_validator("jwks")
    @classmethod
    def _encrypted(cls, jwks: str) -> str:
        return _path_or_https(jwks)

    @field_validator("tls_key_file")
    @classmethod
    def _pair(cls, key: str, info: ValidationInfo) -> str:
        if bool(key) != bool(info.data.get("tls_certificate_file")):
            raise PydanticCustomError("pair", "must be set together with the certificate for callers")
        return key

    @property
    def peer_addresses(self) -> Mapping[str, str]:
        """Each peer's name and its host:port, in the order of the fields."""
        return _addresses(self)


def _addresses(settings: ProcessSettings) -> Mapping[str, str]:
    return {
        field.removesuffix(ADDRESS_SUFFIX): getattr(settings, field)
        for field in type(settings).model_fields
        if field.endswith(ADDRESS_SUFFIX)
    }


def _unless_insecure(value: str, info: ValidationInfo) -> str:
    if not value and not info.data.get("insecure"):
        raise PydanticCustomError("missing", "is not set")
    return value


def _path_or_https(jwks: str) -> str:
    if "://" in jwks and not jwks.startswith("https://"):
        raise PydanticCustomError("jwks", "must be a path or an https URL")
    return jwks


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


S = TypeVar("S", bound=ProcessSettings)


def migration_settings(settings: type[MeshSettings]) -> type[DatabaseSettings]:
    """Return the part of a service's settings that its `migrate` reads, under the same prefix."""

    class MigrationSettings(DatabaseSettings):
        model_config = SettingsConfigDict(env_prefix=settings.model_config.get("env_prefix", ""))

    return MigrationSettings


def load(settings: type[S]) -> S:
    """Return the settings, or write one line per missing or invalid setting to stderr and exit with status 2.

    Values are never shown: a database URL contains a password.
    """
    try:
        return settings()
    except ValidationError as error:
        _exit_with_problems(settings, error)


def _exit_with_problems(settings: type[ProcessSettings], error: ValidationError) -> NoReturn:
    prefix = str(settings.model_config.get("env_prefix", ""))
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        text = "is not set" if problem["type"] == "missing" else problem["msg"]
        known = settings.model_fields.get(field)
        meaning = f" ({known.description})" if known is not None and known.description else ""
        sys.stderr.write(f"{(prefix + field).upper()}: {text}{meaning}\n")
    sys.exit(EXIT_BAD_SETTINGS)
