# SPDX-License-Identifier: Apache-2.0
"""ListUsageEvents, ExplainEntry and ListGrantUsage: from events to entries and grants, and back."""

from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from services.ledger.store.usage import history
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.reported import an_event, record

HOUR = timedelta(hours=1)


async def events(ledger: RunningLedger, **more: object) -> usage.ListUsageEventsResponse:
    asked: dict[str, object] = {"customer": "acme"}
    request = usage.ListUsageEventsRequest(**(asked | more))  # type: ignore[arg-type]
    return await ledger.usage.ListUsageEvents(request)


async def names(ledger: RunningLedger, **more: object) -> list[str]:
    return [one.event.transaction_id for one in (await events(ledger, **more)).events]


async def explain(ledger: RunningLedger, sequence: int, **more: object) -> usage.ExplainEntryResponse:
    asked: dict[str, object] = {"customer": "acme", "credit_type_id": AI, "sequence": sequence}
    request = usage.ExplainEntryRequest(**(asked | more))  # type: ignore[arg-type]
    return await ledger.usage.ExplainEntry(request)


async def grant_usage(ledger: RunningLedger, grant_id: str, **more: object) -> usage.ListGrantUsageResponse:
    asked: dict[str, object] = {"customer": "acme", "grant_id": grant_id}
    request = usage.ListGrantUsageRequest(**(asked | more))  # type: ignore[arg-type]
    return await ledger.usage.ListGrantUsage(request)


async def test_an_event_is_listed_with_its_result_its_entries_and_who_paid(ledger: RunningLedger) -> None:
    top_up = await ledger.top_up(10)
    included = (await ledger.grants())[0]
    event = an_event("tx-1", "40", more="x")
    (result,) = await record(ledger, event)

    (found,) = (await events(ledger)).events

    event.customer = "cus_acme"
    assert found == usage.StoredUsageEvent(
        event=event, receive_time=timestamp(JUNE), result=result, payments=found.payments
    )
    assert [
        (one.grant_id, one.credits_micros // CREDIT, one.shortfall_micros // CREDIT) for one in found.payments
    ] == [
        (included.grant_id, 400, 0),
        (top_up.grant_id, 10, 0),
        ("", 0, 70),
    ]
    assert [one.entry_sequence for one in found.payments] == [3, 4, 5]
    assert {(one.product_id, one.credit_type_id) for one in found.payments} == {("prd_assistant", AI)}


async def test_events_are_listed_page_by_page_the_latest_timestamp_first(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY)
    times = {"tx-a": JUNE, "tx-b": JUNE + 2 * HOUR, "tx-c": JUNE + HOUR, "tx-d": JUNE + HOUR}
    for name, at in times.items():
        await record(ledger, an_event(name, at=at))

    pages = []
    token = ""
    while not pages or token:
        page = await events(ledger, page_size=1, page_token=token)
        pages.append([one.event.transaction_id for one in page.events])
        token = page.next_page_token

    assert pages == [["tx-b"], ["tx-d"], ["tx-c"], ["tx-a"]]
    in_span = {"start_time": timestamp(JUNE + HOUR), "end_time": timestamp(JUNE + 2 * HOUR)}
    assert await names(ledger, **in_span) == ["tx-d", "tx-c"]
    assert await names(ledger, transaction_id="tx-c") == ["tx-c"]
    assert await names(ledger, transaction_id="tx-x") == []


async def test_events_are_filtered_by_status_and_product(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_extra", event_type="extra")
    await ledger.tell_card(a_rate(), a_rate("prd_extra", price_micros=CREDIT), version=2)
    await record(ledger, an_event("tx-1"), an_event("tx-2", event_type="extra"))
    others = [
        an_event("tx-3", event_type="login"),
        an_event("tx-4", at=JUNE - HOUR),
        an_event("tx-5", "many"),
    ]
    await ledger.usage.RecordUsage(usage.RecordUsageRequest(events=others))

    assert await names(ledger) == ["tx-3", "tx-2", "tx-1", "tx-4"]
    assert await names(ledger, event_status=usage.EVENT_STATUS_ACCEPTED) == ["tx-2", "tx-1"]
    assert await names(ledger, event_status=usage.EVENT_STATUS_NO_MATCH) == ["tx-3"]
    assert await names(ledger, event_status=usage.EVENT_STATUS_NO_CONTRACT) == ["tx-4"]
    assert await names(ledger, product_id="prd_extra") == ["tx-2"]
    assert await names(ledger, product_id="prd_extra", event_status=usage.EVENT_STATUS_NO_MATCH) == []
    for status in (usage.EVENT_STATUS_REJECTED, usage.EVENT_STATUS_UNATTACHED):
        with bad_fields("event_status"):
            await events(ledger, event_status=status)


async def test_a_filter_that_matches_little_gives_short_pages_up_to_the_end(
    ledger: RunningLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "EVENTS_EXAMINED_MAX", 3)
    await ledger.tell_product("prd_extra", event_type="extra")
    await ledger.tell_card(a_rate(), a_rate("prd_extra", price_micros=CREDIT), version=2)
    rare = [1, 2, 3, 4, 7]
    await record(
        ledger,
        *(
            an_event(f"tx-{number}", "0.1", event_type="extra" if number in rare else "ai_call")
            for number in range(8)
        ),
    )

    pages = []
    token = ""
    while not pages or token:
        page = await events(ledger, product_id="prd_extra", page_size=2, page_token=token)
        pages.append([one.event.transaction_id for one in page.events])
        token = page.next_page_token

    assert pages == [["tx-7"], ["tx-4", "tx-3"], ["tx-2", "tx-1"], []]


async def test_corrections_of_an_event_are_listed_with_it_the_latest_first(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1", "2"))
    who = {"customer": "acme", "transaction_id": "tx-1", "actor": "ops"}
    await ledger.usage.AmendUsage(
        usage.AmendUsageRequest(
            request_id="amend-1",
            reason="too few",
            timestamp=timestamp(JUNE),
            properties={"units": "3", "user_id": "ann"},
            **who,
        )
    )
    ledger.clock.advance(HOUR)
    await ledger.usage.VoidUsage(usage.VoidUsageRequest(request_id="void-1", reason="never was", **who))

    (found,) = (await events(ledger)).events

    amended = an_event("tx-1", "3")
    amended.customer = "cus_acme"
    assert list(found.corrections) == [
        usage.EventCorrection(
            is_void=True, reason="never was", actor="ops", create_time=timestamp(JUNE + HOUR)
        ),
        usage.EventCorrection(event=amended, reason="too few", actor="ops", create_time=timestamp(JUNE)),
    ]
    assert found.result.credits_micros == 24 * CREDIT
    assert sum(one.credits_micros for one in found.payments) == 0


async def test_a_token_of_events_is_refused_with_other_filters(ledger: RunningLedger) -> None:
    await record(ledger, an_event("tx-1"), an_event("tx-2"))
    token = (await events(ledger, page_size=1)).next_page_token

    for other in ({"product_id": "prd_x"}, {"start_time": timestamp(JUNE)}, {"event_status": 1}):
        with bad_fields("page_token"):
            await events(ledger, page_size=1, page_token=token, **other)
    with bad_fields("end_time"):
        await events(ledger, start_time=timestamp(JUNE), end_time=timestamp(JUNE))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await events(ledger, customer="nobody")


async def test_an_entry_is_explained_by_its_event_its_meter_and_its_price(ledger: RunningLedger) -> None:
    """Golden: 0-1,000 at 1, then 0.5. With 800 on the meter, 400 more cost 200 + 100 = 300."""
    tiers = [
        peer_pb.RateTier(up_to_micros=1_000 * CREDIT, price_micros=CREDIT, per_micros=CREDIT),
        peer_pb.RateTier(price_micros=CREDIT // 2, per_micros=CREDIT),
    ]
    graduated = a_rate(
        price_micros=0, per_micros=0, rate_id="rat_1", rate_type=peer_pb.RATE_TYPE_GRADUATED, tiers=tiers
    )
    await ledger.tell_card(graduated, version=2)
    await ledger.top_up(500)
    event = an_event("tx-2", "400")
    await record(ledger, an_event("tx-1", "800"), event)
    entries = {one.sequence: one for one in await ledger.entries()}

    found = await explain(ledger, max(entries))

    event.customer = "cus_acme"
    assert found == usage.ExplainEntryResponse(
        entry=entries[max(entries)],
        event=event,
        quantity_micros=400 * CREDIT,
        credits_micros=300 * CREDIT,
        meter=usage.MeterPosition(
            root_rate_id="rat_1",
            period=found.meter.period,
            quantity_before_micros=800 * CREDIT,
            quantity_after_micros=1_200 * CREDIT,
            cost_before_micros=800 * CREDIT,
            cost_after_micros=1_100 * CREDIT,
        ),
        rate=found.rate,
    )
    assert (found.rate.rate_id, list(found.rate.tiers)) == ("rat_1", tiers)
    assert (found.meter.period.start_time, found.meter.period.end_time) == (timestamp(JUNE), timestamp(JULY))


async def test_each_entry_of_a_use_explains_the_whole_use(ledger: RunningLedger) -> None:
    await ledger.top_up(10)
    await record(ledger, an_event("tx-1", "40"))

    of_use = [await explain(ledger, sequence) for sequence in (3, 4, 5)]

    assert [one.entry.quantity_micros for one in of_use] == [40 * CREDIT, 0, 0]
    assert {one.credits_micros for one in of_use} == {480 * CREDIT}
    assert {one.quantity_micros for one in of_use} == {40 * CREDIT}
    assert len({one.meter.cost_after_micros for one in of_use}) == 1


async def test_a_captured_hold_and_a_debit_are_explained_too(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_tokens", dimensions=("model",))
    await ledger.tell_card(a_rate(), a_rate("prd_tokens", price_micros=CREDIT, rate_id="rat_t"), version=2)
    of_tokens = {"product_id": "prd_tokens", "properties": {"model": "large"}}
    await ledger.debit(0, quantity_micros=2 * CREDIT, **of_tokens)
    hold = await ledger.authorize(0, quantity_micros=5 * CREDIT, **of_tokens)
    await ledger.capture(hold.hold_id, None, quantity_micros=3 * CREDIT)
    await ledger.debit(7, **of_tokens)

    debited, captured, in_credits = [await explain(ledger, sequence) for sequence in (2, 3, 4)]

    assert (debited.meter.cost_before_micros, debited.meter.cost_after_micros) == (0, 2 * CREDIT)
    assert captured.entry.hold_id == hold.hold_id
    assert (captured.meter.cost_before_micros, captured.meter.cost_after_micros) == (2 * CREDIT, 5 * CREDIT)
    assert (captured.rate.rate_id, dict(captured.dimension_values)) == ("rat_t", {"model": "large"})
    assert (in_credits.credits_micros, in_credits.quantity_micros) == (7 * CREDIT, 0)
    assert not in_credits.HasField("meter")
    assert not in_credits.HasField("rate")
    assert not any(one.HasField("event") for one in (debited, captured, in_credits))


async def test_an_entry_that_is_not_about_usage_has_nothing_else(ledger: RunningLedger) -> None:
    found = await explain(ledger, 1)

    assert found.entry.entry_kind == admin.ENTRY_KIND_GRANT
    assert found == usage.ExplainEntryResponse(entry=found.entry)


async def test_an_unknown_entry_is_a_fault(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "ENTRY_NOT_FOUND", credit_type_id=AI, sequence="2"):
        await explain(ledger, 2)
    with fault(StatusCode.NOT_FOUND, "ENTRY_NOT_FOUND"):
        await explain(ledger, 1, credit_type_id="crt_other")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await explain(ledger, 1, customer="nobody")
    with bad_fields("credit_type_id", "sequence"):
        await explain(ledger, 0, credit_type_id="")


async def test_the_usage_that_a_top_up_paid_for_is_listed_newest_first(ledger: RunningLedger) -> None:
    await ledger.debit(390)
    top_up = await ledger.top_up(100)
    await record(ledger, an_event("tx-1", "1"))
    hold = await ledger.authorize(20)
    await ledger.capture(hold.hold_id)
    await record(ledger, an_event("tx-2", "2"))
    await ledger.void(top_up.grant_id)

    pages = []
    token = ""
    while not pages or token:
        page = await grant_usage(ledger, top_up.grant_id, page_size=1, page_token=token)
        pages.append(list(page.uses))
        token = page.next_page_token

    uses = [one for page in pages for one in page]
    assert [
        (one.entry.amount_micros // CREDIT, one.entry.hold_id, one.event.transaction_id) for one in uses
    ] == [(-24, "", "tx-2"), (-20, hold.hold_id, ""), (-2, "", "tx-1")]
    assert [one.HasField("event") for one in uses] == [True, False, True]
    with bad_fields("page_token"):
        await grant_usage(
            ledger,
            "grt_1",
            page_token=(await grant_usage(ledger, top_up.grant_id, page_size=1)).next_page_token,
        )
    with fault(StatusCode.NOT_FOUND, "GRANT_NOT_FOUND", grant_id="grt_none"):
        await grant_usage(ledger, "grt_none")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await grant_usage(ledger, top_up.grant_id, customer="nobody")
    with bad_fields("grant_id"):
        await grant_usage(ledger, "")
