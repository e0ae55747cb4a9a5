# SPDX-License-Identifier: Apache-2.0
"""The settings classes of all processes, by name, and whether they accept what a deployment gives them."""

import importlib
from collections.abc import Mapping

from deploy.local.database import SERVICES
from meshkit.config import ProcessSettings, migration_settings

FRONTS = ("portal", "edge")
PROCESSES = (*SERVICES, *FRONTS)


def settings_of(process: str) -> type[ProcessSettings]:
    """Return the settings class of a service or a front."""
    config = importlib.import_module(f"services.{process}.config")
    [found] = [
        kind
        for kind in vars(config).values()
        if isinstance(kind, type) and issubclass(kind, ProcessSettings) and kind.__module__ == config.__name__
    ]
    return found


def names_of(process: str) -> set[str]:
    """Return the names of its environment variables, those of `migrate` included."""
    settings = settings_of(process)
    return {f"PURSER_{process.upper()}_{field.upper()}" for field in settings.model_fields}


def loaded(process: str, environment: Mapping[str, str], *, migrates: bool = False) -> ProcessSettings:
    """Return its settings as read from these variables alone. Raises pydantic's ValidationError."""
    settings = settings_of(process)
    if migrates:
        settings = migration_settings(settings)  # type: ignore[type-var]
    prefix = f"PURSER_{process.upper()}_"
    return settings(
        **{
            name.removeprefix(prefix).lower(): value
            for name, value in environment.items()
            if name.startswith(prefix)
        }
    )
