# SPDX-License-Identifier: Apache-2.0
"""Whatever the API allows fits into one message, and whatever does not is refused with a reason."""

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from meshkit.rpc.intake import MESSAGE_BYTES_MAX
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import usage_pb2 as usage
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from services.ledger.domain.gate.call_lines import LINES_MAX
from services.ledger.server.gate import CALL_BYTES_MAX
from services.ledger.wire.amounts import GROUP_VALUES_MAX, PROPERTIES_MAX
from services.ledger.wire.gate.batches import ITEMS_MAX
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, record

WIDE = "\N{GRINNING FACE}"  # four bytes in UTF-8
TEXT = WIDE * 200
# gRPC's default limit of a client's responses.
DEFAULT_BYTES_MAX = 4 * 1024 * 1024


def _long(count: int, length: int) -> dict[str, str]:
    """Return so many of the longest group values or properties."""
    return {f"{n:02}{WIDE * (length - 2)}": TEXT for n in range(count)}


def _longest_line() -> pb.UsageLine:
    return pb.UsageLine(product_id=TEXT, quantity_micros=2**62, properties=_long(PROPERTIES_MAX, 64))


def _longest_authorize(lines: int = LINES_MAX) -> pb.AuthorizeRequest:
    return pb.AuthorizeRequest(
        request_id="r" * 64,
        customer=TEXT,
        lines=[_longest_line() for _ in range(lines)],
        group_values=_long(GROUP_VALUES_MAX, 64),
    )


def _long_debit(n: int, **more: Any) -> pb.DebitRequest:
    asked: dict[str, Any] = {
        "request_id": f"{n:064}",
        "customer": TEXT,
        "product_id": TEXT,
        "quantity_micros": 2**62,
        "group_values": _long(GROUP_VALUES_MAX, 64),
        "properties": _long(PROPERTIES_MAX, 64),
    }
    return pb.DebitRequest(**(asked | more))


async def test_the_longest_call_of_the_gate_is_read_and_one_line_more_is_refused_by_name(
    ledger: RunningLedger,
) -> None:
    assert CALL_BYTES_MAX * 0.8 < _longest_authorize().ByteSize() < CALL_BYTES_MAX

    with fault(grpc.StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await ledger.gate.Authorize(_longest_authorize())
    with bad_fields("lines"):
        await ledger.gate.Authorize(_longest_authorize(LINES_MAX + 1))


async def test_a_call_of_the_gate_that_is_larger_than_any_can_be_is_refused(ledger: RunningLedger) -> None:
    asked = pb.DebitRequest(request_id="r", customer="c" * CALL_BYTES_MAX)

    with fault(
        grpc.StatusCode.INVALID_ARGUMENT,
        "MESSAGE_TOO_LARGE",
        bytes=str(asked.ByteSize()),
        bytes_max=str(CALL_BYTES_MAX),
    ):
        await ledger.gate.Debit(asked)


async def test_a_batch_of_the_longest_debits_is_carried_out_and_one_item_more_is_refused_by_name(
    ledger: RunningLedger,
) -> None:
    batch = pb.DebitBatchRequest(items=[_long_debit(n) for n in range(ITEMS_MAX)])
    assert MESSAGE_BYTES_MAX * 0.8 < batch.ByteSize() < MESSAGE_BYTES_MAX

    results = (await ledger.gate.DebitBatch(batch)).results

    # Each result names the customer that is not known, as a single call would.
    assert len(results) == ITEMS_MAX
    assert {one.error.code for one in results} == {grpc.StatusCode.NOT_FOUND.value[0]}
    with bad_fields("items"):
        await ledger.gate.DebitBatch(pb.DebitBatchRequest(items=[*batch.items, _long_debit(ITEMS_MAX)]))


async def test_a_batch_of_more_bytes_than_any_may_have_is_refused_and_says_how_many(
    ledger: RunningLedger,
) -> None:
    item = _longest_authorize()
    fits = MESSAGE_BYTES_MAX // item.ByteSize()

    results = (await ledger.gate.AuthorizeBatch(pb.AuthorizeBatchRequest(items=[item] * (fits - 1)))).results
    assert len(results) == fits - 1
    with pytest.raises(grpc.aio.AioRpcError, match=f"larger than max .*{MESSAGE_BYTES_MAX}") as refused:
        await ledger.gate.AuthorizeBatch(pb.AuthorizeBatchRequest(items=[item] * (fits + 1)))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.fixture
async def full(ledger: RunningLedger) -> RunningLedger:
    """Acme has 500 open holds and 500 entries with the longest group values, and events with long properties."""
    values = _long(GROUP_VALUES_MAX, 64)
    holds = [
        pb.AuthorizeRequest(
            request_id=f"hold-{n}",
            customer="acme",
            product_id="prd_assistant",
            credits_micros=1,
            group_values=values,
        )
        for n in range(500)
    ]
    debits = [
        _long_debit(n, customer="acme", product_id="prd_assistant", quantity_micros=1) for n in range(500)
    ]
    await ledger.gate.AuthorizeBatch(pb.AuthorizeBatchRequest(items=holds))
    await ledger.gate.DebitBatch(pb.DebitBatchRequest(items=debits))
    for part in range(3):
        long = {f"{n:02}{WIDE * 198}": TEXT for n in range(40)}
        await record(ledger, *(an_event(f"tx-{part}-{n:02}", **long) for n in range(40)))
    return ledger


def _holds(token: str) -> tuple[str, Message]:
    return "ListHolds", admin.ListHoldsRequest(customer="acme", page_size=500, page_token=token)


def _entries(token: str) -> tuple[str, Message]:
    request = admin.ListEntriesRequest(customer="acme", credit_type_id=AI, page_size=500, page_token=token)
    return "ListEntries", request


def _events(token: str) -> tuple[str, Message]:
    return "ListUsageEvents", usage.ListUsageEventsRequest(customer="acme", page_size=500, page_token=token)


@pytest.mark.parametrize(
    ("request_of", "name", "key", "table"),
    [
        (_holds, "holds", "hold_id", "holds"),
        (_entries, "entries", "sequence", "entries"),
        (_events, "events", "event", "usage_events"),
    ],
)
async def test_a_client_with_default_settings_reads_every_row_of_a_list_once(
    full: RunningLedger,
    sql: Sql,
    request_of: Callable[[str], tuple[str, Message]],
    name: str,
    key: str,
    table: str,
) -> None:
    found: list[Any] = []
    sizes = []
    async with grpc.aio.insecure_channel(full.address) as channel:
        stubs: tuple[Any, ...] = (LedgerAdminServiceStub(channel), UsageServiceStub(channel))
        token = ""
        while not found or token:
            rpc, request = request_of(token)
            page = await next(_methods(stubs, rpc))(request)
            sizes.append(page.ByteSize())
            found += getattr(page, name)
            token = page.next_page_token

    assert len(found) == len({str(getattr(one, key)) for one in found}) == await sql.count(table)
    assert sum(sizes) > DEFAULT_BYTES_MAX > max(sizes)


def _methods(stubs: tuple[Any, ...], rpc: str) -> Iterator[Any]:
    return (getattr(stub, rpc) for stub in stubs if hasattr(stub, rpc))
