# SPDX-License-Identifier: Apache-2.0
"""ImportUsage: a stream of events is recorded like RecordUsage, each once, however often it is sent."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from grpc.aio import StreamUnaryCall

from purser.ledger.v1 import usage_pb2 as pb
from tests.support.faults import bad_fields
from tests.support.ledger import CREDIT, JUNE, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event

TICK = timedelta(microseconds=1)
Call = StreamUnaryCall[pb.ImportUsageRequest, pb.ImportUsageResponse]


def some_events(count: int, prefix: str = "tx") -> list[pb.UsageEvent]:
    return [an_event(f"{prefix}-{number}", "0.01") for number in range(count)]


def chunks(events: list[pb.UsageEvent], size: int = 100) -> list[pb.ImportUsageRequest]:
    return [pb.ImportUsageRequest(events=events[n : n + size]) for n in range(0, len(events), size)]


async def send(ledger: RunningLedger, requests: Iterable[pb.ImportUsageRequest]) -> pb.ImportUsageResponse:
    return await ledger.usage.ImportUsage(iter(requests), timeout=60)


async def test_a_stream_is_recorded_and_counted_by_what_became_of_its_events(ledger: RunningLedger) -> None:
    await ledger.usage.RecordUsage(
        pb.RecordUsageRequest(events=[an_event("old", "1"), an_event("same", "1")])
    )
    first = [
        an_event("a", "2"),
        an_event("b", "0.01", event_type="login"),
        an_event("c", "0.01", at=JUNE - TICK),
        an_event("d", "0.01", customer="globex"),
    ]
    second = [an_event("same", "1"), an_event("old", "7"), an_event("e", "many"), an_event("f", "3")]

    response = await send(ledger, chunks([*first, *second], size=4))

    response.ClearField("problems")
    assert response == pb.ImportUsageResponse(
        event_count=8,
        accepted_count=2,
        no_match_count=1,
        no_contract_count=1,
        unattached_count=1,
        rejected_count=1,
        duplicate_count=2,
    )
    await ledger.assert_adds_up()
    assert (await ledger.pool()).available_micros == (400 - 12 * (1 + 1 + 2 + 3)) * CREDIT


async def test_the_events_that_are_not_recorded_as_sent_are_named_by_their_place(
    ledger: RunningLedger,
) -> None:
    await send(ledger, chunks([an_event("old", "1")]))

    response = await send(
        ledger,
        chunks(
            [*some_events(3), an_event("old", "7"), an_event("bad", "many"), an_event("", "0.01")], size=2
        ),
    )

    assert [one.event_index for one in response.problems] == [3, 4, 5]
    differing, bad, nameless = (one.result for one in response.problems)
    assert (differing.event_status, differing.is_duplicate, differing.differs) == (
        pb.EVENT_STATUS_ACCEPTED,
        True,
        True,
    )
    assert (bad.rejection_reason, bad.field) == (
        pb.REJECTION_REASON_PROPERTY_NOT_A_NUMBER,
        "properties[units]",
    )
    assert (nameless.rejection_reason, nameless.field) == (
        pb.REJECTION_REASON_INVALID_FIELD,
        "transaction_id",
    )


async def test_a_stream_that_is_sent_again_counts_duplicates_and_writes_nothing(
    ledger: RunningLedger, sql: Sql
) -> None:
    events = some_events(300)
    await send(ledger, chunks(events))
    before = await sql.everything()

    again = await send(ledger, chunks(events, size=77))

    assert again == pb.ImportUsageResponse(event_count=300, duplicate_count=300)
    assert await sql.everything() == before


async def test_an_empty_stream_changes_nothing(ledger: RunningLedger) -> None:
    assert await send(ledger, []) == pb.ImportUsageResponse()


async def test_a_message_has_1_to_1000_events_and_the_ones_before_a_bad_message_stay_recorded(
    ledger: RunningLedger, sql: Sql
) -> None:
    assert (await send(ledger, chunks(some_events(1_000), size=1_000))).accepted_count == 1_000

    for bad in (pb.ImportUsageRequest(), pb.ImportUsageRequest(events=some_events(1_001, "too-many"))):
        with bad_fields("events"):
            await send(ledger, [*chunks(some_events(5, "before")), bad])

    assert await sql.count("usage_events") == 1_005
    await ledger.assert_adds_up()


async def test_a_response_comes_early_when_many_events_are_rejected(ledger: RunningLedger) -> None:
    bad = [an_event(f"bad-{number}", "many") for number in range(2_000)]

    response = await send(ledger, chunks([*some_events(10), *bad, *some_events(10, "last")]))

    assert response.event_count == 1_100  # the first 100 have 90 of them
    assert (response.accepted_count, response.rejected_count, len(response.problems)) == (10, 1_090, 1_090)


async def test_a_stream_that_is_cut_is_finished_by_sending_it_again(ledger: RunningLedger, sql: Sql) -> None:
    events = some_events(1_000)
    call: Call = ledger.usage.ImportUsage(timeout=60)
    for request in chunks(events[:500]):
        await call.write(request)
    await sql.until("SELECT count(*) > 0 FROM ledger.usage_events")
    call.cancel()

    response = await send(ledger, chunks(events))

    assert response.accepted_count + response.duplicate_count == 1_000
    assert response.duplicate_count > 0
    assert await sql.count("usage_events") == 1_000
    assert await sql.value("SELECT sum(quantity_micros) FROM ledger.meters") == 1_000 * 10_000
    await ledger.assert_adds_up()


async def test_one_stream_to_two_replicas_at_once_is_recorded_once(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    async with running_ledger(databases, clock=ledger.clock) as other:
        requests = chunks(some_events(600))
        responses = await asyncio.gather(send(ledger, requests), send(other, requests))

        assert sum(one.accepted_count for one in responses) == 600
        assert sum(one.duplicate_count for one in responses) == 600
        assert await sql.value("SELECT sum(quantity_micros) FROM ledger.meters") == 600 * 10_000
        await ledger.assert_adds_up()


async def test_a_full_queue_delays_an_import_and_fails_nothing(ledger: RunningLedger, sql: Sql) -> None:
    async def record(number: int) -> None:
        events = some_events(1_000, f"other-{number}")
        await ledger.usage.RecordUsage(pb.RecordUsageRequest(events=events), timeout=60)

    await ledger.debit(1)
    async with sql.transaction():
        await sql.lock("pools")
        others = [asyncio.create_task(record(number)) for number in range(8)]
        await sql.until_somebody_waits()
        importing = asyncio.create_task(send(ledger, chunks(some_events(1_000), size=1_000)))
        done, _ = await asyncio.wait([importing], timeout=0.3)
    await asyncio.gather(*others)

    assert not done
    assert (await importing).accepted_count == 1_000
    await ledger.assert_adds_up()
