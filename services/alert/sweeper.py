# SPDX-License-Identifier: Apache-2.0
"""Deletes old rows once an hour. It may run late: no rule depends on it."""

from datetime import timedelta
from typing import Final

import structlog

from meshkit.clock import Clock
from services.alert.domain.feed import EVENTS_KEPT
from services.alert.store import PostgresStore

FORGET_SECONDS: Final = 3_600.0
REQUESTS_KEPT: Final = timedelta(days=35)  # the protos promise 34
NOTICES_KEPT: Final = timedelta(days=7)
DELIVERIES_KEPT: Final = timedelta(days=90)

log = structlog.get_logger(__name__)


async def forget_old(store: PostgresStore, wall: Clock) -> int:
    """Delete old stored responses, delivered notices, finished deliveries and events, a limited number.

    wall: decides their age. Returns the number of rows.
    """
    now = wall.now()
    forgotten = await store.forget(
        requests_before=now - REQUESTS_KEPT,
        notices_before=now - NOTICES_KEPT,
        deliveries_before=now - DELIVERIES_KEPT,
        events_before=now - EVENTS_KEPT,
    )
    if forgotten:
        log.info("old_rows_forgotten", rows=forgotten)
    return forgotten
