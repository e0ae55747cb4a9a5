# SPDX-License-Identifier: Apache-2.0
"""Settings from the environment: all that is missing or wrong is said at once, one clear line each."""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Final, NoReturn, TypeVar

from pydantic import AwareDatetime, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

EXIT_BAD_SETTINGS = 2
ADDRESS_SUFFIX: Final = "_address"


class MeshSettings(BaseSettings):
    """Settings of every service. A subclass adds its own and `model_config = SettingsConfigDict(env_prefix=…)`.

    A subclass has a field NAME_address (host:port) for each peer NAME, in the order that sandbox time is passed on.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(description="postgresql://user:password@host:port/database")
    listen: str = Field(description="where to serve; port 0 is any free one")
    sandbox: bool = Field(False, description="business time stands still until AdvanceTime moves it")
    sandbox_start_time: AwareDatetime = Field(
        datetime.fromisoformat("2025-06-01T00:00:00Z"), description="where sandbox time begins, RFC 3339"
    )
    metrics_listen: str = Field(
        "", pattern=r"^(.+:\d+)?$", description="where to serve /metrics over HTTP; empty: nowhere"
    )
    log_json: bool = Field(False, description="write log events as JSON lines")

    @property
    def peer_addresses(self) -> Mapping[str, str]:
        """Each peer's name and its host:port, in the order of the fields."""
        return {
            field.removesuffix(ADDRESS_SUFFIX): getattr(self, field)
            for field in type(self).model_fields
            if field.endswith(ADDRESS_SUFFIX)
        }


S = TypeVar("S", bound=MeshSettings)


def load(settings: type[S]) -> S:
    """Return the settings, or write one line per missing or bad one to stderr and exit with status 2.

    Values are never shown: a database URL holds a password.
    """
    try:
        return settings()
    except ValidationError as error:
        _refuse(settings, error)


def _refuse(settings: type[MeshSettings], error: ValidationError) -> NoReturn:
    prefix = str(settings.model_config.get("env_prefix", ""))
    for problem in error.errors(include_input=False, include_url=False, include_context=False):
        field = str(problem["loc"][0]) if problem["loc"] else ""
        said = "is not set" if problem["type"] == "missing" else problem["msg"]
        known = settings.model_fields.get(field)
        meaning = f" ({known.description})" if known is not None and known.description else ""
        sys.stderr.write(f"{(prefix + field).upper()}: {said}{meaning}\n")
    sys.exit(EXIT_BAD_SETTINGS)
