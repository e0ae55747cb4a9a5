# SPDX-License-Identifier: Apache-2.0
"""What acme asks for in these tests, and where its credits are then."""

from datetime import timedelta
from typing import Any

from tests.support.ledger import CREDIT, RunningLedger

ASK: dict[str, Any] = {"customer": "acme", "product": "prd_assistant"}
LONG = timedelta(seconds=20)  # no test waits for it; a machine that is busy may need some of it
SHORT = timedelta(milliseconds=500)  # a test that lets an operation run out of time waits for it
TINY = timedelta(milliseconds=50)  # for a Ledger that is away from the beginning to the end


async def credits_of(ledger: RunningLedger) -> tuple[int, int, int]:
    """Return acme's whole credits: available, held, captured."""
    pool = await ledger.pool()
    captured = sum(grant.captured_micros for grant in await ledger.grants())
    return pool.available_micros // CREDIT, pool.held_micros // CREDIT, captured // CREDIT
