# SPDX-License-Identifier: Apache-2.0
"""Drops what nobody asks for any more, once an hour. Nothing depends on it being on time."""

from datetime import timedelta
from typing import Final

import structlog

from meshkit.clock import Clock
from services.contract.store import PostgresStore

FORGET_SECONDS: Final = 3_600.0
REQUESTS_KEPT: Final = timedelta(days=35)  # promised: 34
NOTICES_KEPT: Final = timedelta(days=7)

log = structlog.get_logger(__name__)


async def forget_old(store: PostgresStore, wall: Clock) -> int:
    """Forget answered requests and heard notices that are old by `wall`, a bounded number; returns how many rows."""
    now = wall.now()
    forgotten = await store.forget(requests_before=now - REQUESTS_KEPT, notices_before=now - NOTICES_KEPT)
    if forgotten:
        log.info("old_rows_forgotten", rows=forgotten)
    return forgotten
