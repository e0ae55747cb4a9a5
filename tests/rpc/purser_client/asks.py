# SPDX-License-Identifier: Apache-2.0
"""The requests of acme in these tests, and its credits afterwards."""

from datetime import timedelta
from typing import Any

from tests.support.ledger import CREDIT, RunningLedger

ASK: dict[str, Any] = {"customer": "acme", "product": "prd_assistant"}
LONG = timedelta(seconds=20)  # no test waits so long; a busy machine may need part of it
SHORT = timedelta(milliseconds=500)  # a test in which an operation times out waits so long
TINY = timedelta(milliseconds=50)  # for a Ledger that is unavailable for the whole test


async def credits_of(ledger: RunningLedger) -> tuple[int, int, int]:
    """Return acme's whole credits: available, held, captured."""
    pool = await ledger.pool()
    captured = sum(grant.captured_micros for grant in await ledger.grants())
    return pool.available_micros // CREDIT, pool.held_micros // CREDIT, captured // CREDIT
