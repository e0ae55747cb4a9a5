# SPDX-License-Identifier: Apache-2.0
"""Stored responses, each shown only to a caller who may see what its request is about."""

from typing import TypeVar

from access import current_caller, require_visible
from meshkit.requests import Command, StoredResponses
from services.alert.domain.commands import (
    ArchiveAlert,
    ConfirmOwnDestination,
    CreateAlert,
    CreateOwnDestination,
    PauseAlert,
    RemoveOwnDestination,
    Response,
    ResumeAlert,
    UpdateAlert,
)
from services.alert.store.alerts import StoredAlerts
from services.alert.store.destinations import StoredDestinations

T = TypeVar("T")


class OwnResponses(StoredResponses[Response]):
    """StoredResponses. A caller who is restricted to customers gets the same error as if the request were new."""

    async def find(self, command: Command, response_type: type[T]) -> T | None:
        if current_caller().customer_ids is not None:
            match command:
                case CreateAlert() | CreateOwnDestination():
                    require_visible(command.customer_id)
                case ArchiveAlert() | PauseAlert() | ResumeAlert() | UpdateAlert():
                    await StoredAlerts(self._connection).get(command.alert_id)
                case ConfirmOwnDestination() | RemoveOwnDestination():
                    await StoredDestinations(self._connection).get(command.destination_id)
                case _:
                    raise AssertionError(
                        f"{type(command).__name__} is not for callers restricted to customers"
                    )
        return await super().find(command, response_type)
