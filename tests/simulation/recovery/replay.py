# SPDX-License-Identifier: Apache-2.0
"""After a restore, callers repeat what they had asked in the lost minutes, with the same ids."""

from collections import Counter
from typing import Any

import grpc.aio
from grpc_status import rpc_status

from meshkit.rpc.client import open_channel
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as upb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.ledger_pb2_grpc import LedgerServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from tests.simulation.crash_book import Answer, Book, Refusal, Request

SECONDS_MAX = 60.0
# What a caller may be told about a hold or an event that the lost minutes had, or about a validity that is over.
OF_LOST_MINUTES = {"HOLD_NOT_FOUND", "HOLD_EXPIRED", "USAGE_NOT_FOUND", "INVALID_FIELDS"}


async def repeat_all(address: str, book: Book, *, again: Book) -> Counter[str]:
    """Repeat every request of a book, in order, and record it in `again`. Counts the answers that were as before."""
    figures = Counter[str]()
    async with open_channel(address) as channel:
        for request, answer in list(book.answers.values()):
            repeated = await _repeat(channel, request, again)
            if isinstance(repeated, str) and repeated not in OF_LOST_MINUTES and repeated != answer:
                again.wrong.append(f"{type(request).__name__} was refused: {repeated}")
            figures["the same answer" if repeated == answer else "decided anew"] += 1
    return figures


async def _repeat(channel: grpc.aio.Channel, request: Request, again: Book) -> Answer:
    if isinstance(request, upb.UsageEvent) and request.hold_id not in {"", *_holds(again)}:
        # Its hold is lost, so its reporter has none to name.
        request = upb.UsageEvent.FromString(request.SerializeToString())
        request.hold_id = ""
    try:
        answer = await _ask(channel, request)
    except grpc.aio.AioRpcError as error:
        answer = Refusal.of(rpc_status.from_call(error)).reason
    again.write(request, answer)
    return answer


async def _ask(channel: grpc.aio.Channel, request: Request) -> Answer:
    gate, admin, usage = (
        LedgerServiceStub(channel),
        LedgerAdminServiceStub(channel),
        UsageServiceStub(channel),
    )
    rpcs: dict[type, Any] = {
        pb.AuthorizeRequest: gate.Authorize,
        pb.ExtendHoldRequest: gate.ExtendHold,
        pb.CaptureRequest: gate.Capture,
        pb.ReleaseRequest: gate.Release,
        pb.DebitRequest: gate.Debit,
        upb.VoidUsageRequest: usage.VoidUsage,
    }
    match request:
        case upb.UsageEvent():
            response = await usage.RecordUsage(upb.RecordUsageRequest(events=[request]), timeout=SECONDS_MAX)
            (result,) = response.results
            result.is_duplicate = False
            return result
        case apb.IssueGrantRequest():
            return (await admin.IssueGrant(request, timeout=SECONDS_MAX)).grant
        case apb.SetSpendCapRequest():
            return (await admin.SetSpendCap(request, timeout=SECONDS_MAX)).spend_cap
        case _:
            return await rpcs[type(request)](request, timeout=SECONDS_MAX)


def _holds(book: Book) -> set[str]:
    return {answer.hold_id for _, answer in book.of(pb.AuthorizeRequest)}
