# SPDX-License-Identifier: Apache-2.0
"""A Ledger that decides nothing: `python -m tests.perf.layer_server`, to measure the cost of all but the decision.

It accepts requests, checks them in the lane's batches and answers with an invented hold. Never use it to serve callers.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from meshkit.quantity import Credits
from services.ledger.__main__ import cli
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.gate.decision import Authorized
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.responses import LaneResponse
from services.ledger.operations.gate.batch import Batches, read
from services.ledger.operations.gate.lane import QueuedRequest

_MADE_UP = Authorized(
    reason=None,
    hold_id=HoldId(f"hld_{0:032x}"),
    held=Credits.of(12),
    expire_time=datetime(2030, 1, 1, tzinfo=UTC),
    credit_type_id=CreditTypeId("crt_made_up"),
    available=Credits.of(1_000),
)


async def _not_decided(batches: Batches, arrived: Sequence[QueuedRequest[Any, LaneResponse]]) -> None:
    for request in read(arrived):
        request.respond(_MADE_UP)


if __name__ == "__main__":
    Batches.run = _not_decided  # type: ignore[method-assign]
    cli()
