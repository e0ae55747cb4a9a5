# SPDX-License-Identifier: Apache-2.0
"""The operations of Alert, one file per rpc family: claim, lock, load, decide, save, notify."""

from dataclasses import dataclass

from services.alert.operations.alerts import Alerts
from services.alert.operations.crossings import Crossings
from services.alert.operations.deliveries import Deliveries
from services.alert.operations.destinations import Destinations
from services.alert.operations.endpoints import Endpoints
from services.alert.operations.events import Events
from services.alert.operations.feed import Feed
from services.alert.operations.repairs import Repairs
from services.alert.operations.replays import Replays


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """All operations, for the servicers."""

    alerts: Alerts
    crossings: Crossings
    deliveries: Deliveries
    destinations: Destinations
    endpoints: Endpoints
    events: Events
    feed: Feed
    repairs: Repairs
    replays: Replays
