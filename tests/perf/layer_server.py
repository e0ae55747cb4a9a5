# SPDX-License-Identifier: Apache-2.0
"""A Ledger cut short, to see what each layer of an Authorize costs: `python -m tests.perf.layer_server`.

PURSER_PERF_LAYER says where: "plumbing" checks a request and answers it with a made-up hold; "decision" decides it too,
from memory in the lane's batches, and answers although nothing is written. Neither may ever serve anybody.
"""

import itertools
import os
from collections.abc import Sequence
from datetime import UTC, datetime

from meshkit.quantity import Credits
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger import server
from services.ledger.__main__ import cli
from services.ledger.domain.gate import Authorized
from services.ledger.domain.grant import CreditTypeId
from services.ledger.domain.hold import HoldId
from services.ledger.domain.unit_of_work import Change, PoolKey, Remembered
from services.ledger.store import PostgresStore
from services.ledger.wire import gate

LAYERS = ("plumbing", "decision")
WRITTEN_BATCHES = 100

_MADE_UP = Authorized(
    reason=None,
    hold_id=HoldId(f"hld_{0:032x}"),
    held=Credits.of(12),
    expire_time=datetime(2030, 1, 1, tzinfo=UTC),
    credit_type_id=CreditTypeId("crt_made_up"),
    available=Credits.of(1_000),
)


class _Plumbing(server.LedgerServicer):
    async def Authorize(self, request: pb.AuthorizeRequest, context: server.Context) -> pb.AuthorizeResponse:
        gate.authorize_from_wire(request)
        return gate.authorize_to_wire(_MADE_UP)


_written = PostgresStore.write_guess
_batches = itertools.count()


async def _not_written(
    store: PostgresStore, changes: Sequence[Change], answers: Sequence[Remembered], *, epoch: int
) -> set[PoolKey] | None:
    # Written at first, until memory has read of every user: what is not written cannot be read again.
    if next(_batches) < WRITTEN_BATCHES:
        return await _written(store, changes, answers, epoch=epoch)
    return {change.key for change in changes}


def _cut_short(layer: str) -> None:
    if layer == "plumbing":
        server.LedgerServicer.Authorize = _Plumbing.Authorize  # type: ignore[method-assign]
    elif layer == "decision":
        PostgresStore.write_guess = _not_written  # type: ignore[method-assign]
    else:
        raise SystemExit(f"PURSER_PERF_LAYER must be one of {', '.join(LAYERS)}")


if __name__ == "__main__":
    _cut_short(os.environ.get("PURSER_PERF_LAYER", ""))
    cli()
