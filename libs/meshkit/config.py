# SPDX-License-Identifier: Apache-2.0
"""Settings from the environment. Startup reports every missing or invalid setting together, one line each."""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NoReturn, TypeVar

from pydantic import AwareDatetime, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

EXIT_BAD_SETTINGS = 2
ADDRESS_SUFFIX: Final = "_address"


class DatabaseSettings(BaseSettings):
    """The settings that `migrate` reads; a service that serves reads more."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(description="postgresql://user:password@host:port/database")
    migration_database_url: str = Field(
        "", description="the same with the role that owns the schema, for migrate; empty: one role does both"
    )
    log_json: bool = Field(False, description="write log events as JSON lines")


class MeshSettings(DatabaseSettings):
    """Settings of every service. A subclass adds its own and `model_config = SettingsConfigDict(env_prefix=…)`.

    A subclass has a field NAME_address (host:port) for each peer NAME, in the order that sandbox time is passed on.
    """

    listen: str = Field(description="host:port to serve on; port 0 is any free port")
    sandbox: bool = Field(False, description="business time changes only through AdvanceTime")
    sandbox_start_time: AwareDatetime = Field(
        datetime.fromisoformat("2025-06-01T00:00:00Z"), description="the first sandbox time, RFC 3339"
    )
    metrics_listen: str = Field(
        "", pattern=r"^(.+:\d+)?$", description="host:port for /metrics over HTTP; empty: not served"
    )

    @property
    def peer_addresses(self) -> Mapping[str, str]:
        """Each peer's name and its host:port, in the order of the fields."""
        return {
            field.removesuffix(ADDRESS_SUFFIX): getattr(self, field)
            for field in type(self).model_fields
            if field.endswith(ADDRESS_SUFFIX)
        }


S = TypeVar("S", bound=DatabaseSettings)


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


def _exit_with_problems(settings: type[DatabaseSettings], error: ValidationError) -> NoReturn:
    prefix = str(settings.model_config.get("env_prefix", ""))
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        text = "is not set" if problem["type"] == "missing" else problem["msg"]
        known = settings.model_fields.get(field)
        meaning = f" ({known.description})" if known is not None and known.description else ""
        sys.stderr.write(f"{(prefix + field).upper()}: {text}{meaning}\n")
    sys.exit(EXIT_BAD_SETTINGS)
