# SPDX-License-Identifier: Apache-2.0
"""What Alert does, one file per rpc family: open a transaction, claim, lock, load, decide, save, tell."""

from dataclasses import dataclass

from services.alert.operations.alerts import Alerts
from services.alert.operations.crossings import Crossings
from services.alert.operations.deliveries import Deliveries
from services.alert.operations.endpoints import Endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """All of them, for the servicer."""

    alerts: Alerts
    crossings: Crossings
    deliveries: Deliveries
    endpoints: Endpoints
