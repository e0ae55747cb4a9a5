# SPDX-License-Identifier: Apache-2.0
"""RecordUsage: reported usage is charged once, at its own time, and nothing refuses it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.faults import bad_fields
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, report

TICK = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)
ACCEPTED, REJECTED = usage.EVENT_STATUS_ACCEPTED, usage.EVENT_STATUS_REJECTED


async def of_usage(ledger: RunningLedger) -> list[tuple[str, int, int]]:
    """Return kind, amount and shortfall of the entries about usage and of reinstatements, oldest first."""
    return [
        (admin.EntryKind.Name(one.entry_kind)[11:], one.amount_micros, one.shortfall_micros)
        for one in reversed(await ledger.entries())
        if one.product_id or one.entry_kind == admin.ENTRY_KIND_REINSTATEMENT
    ]


async def test_an_event_is_measured_priced_and_charged(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(NOON)

    (result,) = await report(ledger, an_event("tx-1", "2.5", at=NOON - HOUR))

    assert result == usage.UsageResult(
        event_status=ACCEPTED,
        credits_micros=30 * CREDIT,
        lines=[
            usage.EventLine(
                product_id="prd_assistant",
                credit_type_id=AI,
                quantity_micros=2_500_000,
                credits_micros=30 * CREDIT,
                entry_sequence=2,
            )
        ],
    )
    entry = (await ledger.entries())[0]
    assert (entry.amount_micros, entry.quantity_micros, entry.transaction_id, entry.contract_id) == (
        -30 * CREDIT,
        2_500_000,
        "tx-1",
        "con_1",
    )
    assert (entry.effective_time, entry.create_time) == (timestamp(NOON - HOUR), timestamp(NOON))
    assert dict(entry.group_values) == {"user_id": "ann"}
    await ledger.assert_adds_up()


async def test_an_event_sent_twice_is_charged_once(ledger: RunningLedger, sql: Sql) -> None:
    (first,) = await report(ledger, an_event())
    in_one_call = await report(ledger, an_event(), an_event("tx-2"), an_event("tx-2"))
    before = await sql.everything()

    (by_id,) = await report(ledger, an_event(customer="cus_acme"))
    (another_content,) = await report(ledger, an_event(units="7"))

    assert [one.is_duplicate for one in in_one_call] == [True, False, True]
    assert (by_id.is_duplicate, by_id.differs, by_id.lines) == (True, False, first.lines)
    assert (another_content.is_duplicate, another_content.differs) == (True, True)
    assert another_content.lines == first.lines
    assert await sql.everything() == before
    await ledger.assert_adds_up()


async def test_two_replicas_that_get_one_event_at_once_charge_it_once(
    ledger: RunningLedger, databases: Databases
) -> None:
    async with running_ledger(databases, clock=ledger.clock) as other:
        for number in range(20):
            results = await asyncio.gather(
                report(ledger, an_event(f"tx-{number}")), report(other, an_event(f"tx-{number}"))
            )
            assert sorted(one.is_duplicate for (one,) in results) == [False, True]

        assert len(await of_usage(ledger)) == 20
        await ledger.assert_adds_up()


async def test_gated_and_reported_usage_share_one_meter(ledger: RunningLedger) -> None:
    tiers = [
        peer_pb.RateTier(up_to_micros=1_000_000 * 10, price_micros=CREDIT, per_micros=1_000_000),
        peer_pb.RateTier(price_micros=CREDIT // 2, per_micros=1_000_000),
    ]
    graduated = a_rate(
        price_micros=0, per_micros=0, rate_id="rat_1", rate_type=peer_pb.RATE_TYPE_GRADUATED, tiers=tiers
    )
    await ledger.tell_card(graduated, version=2)

    await ledger.debit(0, quantity_micros=8_000_000)
    (result,) = await report(ledger, an_event(units="4"))
    debited = await ledger.debit(0, quantity_micros=2_000_000)

    assert (result.credits_micros, debited.debited_micros) == (3 * CREDIT, CREDIT)
    await ledger.assert_adds_up()


async def test_missing_credits_caps_and_suspensions_refuse_nothing(ledger: RunningLedger) -> None:
    await ledger.set_cap(10, user="ann")
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)

    (result,) = await report(ledger, an_event(units="40"))

    assert (result.event_status, result.credits_micros, result.shortfall_micros) == (
        ACCEPTED,
        480 * CREDIT,
        80 * CREDIT,
    )
    await ledger.tell_customer("cus_acme", "acme", version=3)
    assert (await ledger.authorize(1, user="ann")).denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
    await ledger.assert_adds_up()


async def test_an_event_that_no_metric_matches_is_stored_and_stays_so(
    ledger: RunningLedger, sql: Sql
) -> None:
    (unmatched,) = await report(ledger, an_event(event_type="login"))
    await ledger.tell_product("prd_login", event_type="login", version=1)
    await ledger.tell_card(a_rate(), a_rate("prd_login", rate_id="rat_login"), version=2)

    (again,) = await report(ledger, an_event(event_type="login"))
    (new,) = await report(ledger, an_event("tx-2", event_type="login"))

    assert unmatched == usage.UsageResult(event_status=usage.EVENT_STATUS_NO_MATCH)
    assert again == usage.UsageResult(event_status=usage.EVENT_STATUS_NO_MATCH, is_duplicate=True)
    assert new.event_status == ACCEPTED
    assert await sql.value("SELECT count(*) FROM ledger.usage_events WHERE status = 'NO_MATCH'") == 1


async def test_an_event_outside_every_contract_is_stored_without_a_charge(ledger: RunningLedger) -> None:
    before, first = await report(ledger, an_event("tx-1", at=JUNE - TICK), an_event("tx-2", at=JUNE))

    assert before.event_status == usage.EVENT_STATUS_NO_CONTRACT
    assert first.event_status == ACCEPTED
    assert len(await of_usage(ledger)) == 1


async def test_an_unknown_customers_event_waits_under_its_name(ledger: RunningLedger, sql: Sql) -> None:
    (first,) = await report(ledger, an_event(customer="globex"))
    (again,) = await report(ledger, an_event(customer="globex", units="7"))

    assert first == usage.UsageResult(event_status=usage.EVENT_STATUS_UNATTACHED)
    assert again == usage.UsageResult(
        event_status=usage.EVENT_STATUS_UNATTACHED, is_duplicate=True, differs=True
    )
    assert await sql.count("unattached_events") == 1


@pytest.mark.parametrize(
    ("at", "status", "reason"),
    [
        (NOON - 34 * DAY, usage.EVENT_STATUS_NO_CONTRACT, 0),
        (NOON - 34 * DAY - TICK, REJECTED, usage.REJECTION_REASON_TOO_OLD),
        (NOON + DAY, ACCEPTED, 0),
        (NOON + DAY + TICK, REJECTED, usage.REJECTION_REASON_IN_FUTURE),
        # The usage period of this instant would end in the year 10000.
        (datetime(9999, 12, 31, tzinfo=UTC), REJECTED, usage.REJECTION_REASON_IN_FUTURE),
    ],
)
async def test_events_come_at_most_34_days_late_and_24_hours_ahead(
    ledger: RunningLedger, at: datetime, status: int, reason: int
) -> None:
    ledger.clock.advance_to(NOON)

    (result,) = await report(ledger, an_event(at=at))

    assert (result.event_status, result.rejection_reason) == (status, reason)


@pytest.mark.parametrize(
    ("event", "reason", "field"),
    [
        (an_event(units=None), "PROPERTY_MISSING", "properties[units]"),
        (an_event(units="many"), "PROPERTY_NOT_A_NUMBER", "properties[units]"),
        (an_event(units="1e3"), "PROPERTY_NOT_A_NUMBER", "properties[units]"),
        (an_event(units="-1"), "QUANTITY_NEGATIVE", "properties[units]"),
        (an_event(units="1000000000001"), "QUANTITY_TOO_LARGE", "properties[units]"),
        (an_event(units="1000000000000"), "QUANTITY_TOO_LARGE", ""),
        (an_event(transaction_id=""), "INVALID_FIELD", "transaction_id"),
        (an_event(transaction_id="x" * 129), "INVALID_FIELD", "transaction_id"),
        (an_event(customer=""), "INVALID_FIELD", "customer"),
        (an_event(event_type=""), "INVALID_FIELD", "event_type"),
        (an_event(**{f"p{n}": "x" for n in range(49)}), "INVALID_FIELD", "properties"),
    ],
)
async def test_a_bad_event_says_what_is_wrong_and_harms_no_other(
    ledger: RunningLedger, event: usage.UsageEvent, reason: str, field: str
) -> None:
    first, bad, last = await report(ledger, an_event("tx-first"), event, an_event("tx-last"))

    assert (first.event_status, last.event_status) == (ACCEPTED, ACCEPTED)
    assert (bad.event_status, usage.RejectionReason.Name(bad.rejection_reason)) == (
        REJECTED,
        f"REJECTION_REASON_{reason}",
    )
    assert bad.field == field
    assert bad.detail
    await ledger.assert_adds_up()


async def test_an_event_without_a_timestamp_is_rejected(ledger: RunningLedger) -> None:
    event = an_event()
    event.ClearField("timestamp")

    (absent,) = await report(ledger, event)
    (zero,) = await report(ledger, usage.UsageEvent(transaction_id="tx-2", timestamp=Timestamp()))

    assert (absent.field, absent.rejection_reason) == ("timestamp", usage.REJECTION_REASON_INVALID_FIELD)
    assert zero.event_status == REJECTED


async def test_a_rejected_event_may_be_sent_again_corrected(ledger: RunningLedger) -> None:
    (rejected,) = await report(ledger, an_event(units="many"))
    (corrected,) = await report(ledger, an_event(units="3"))

    assert (rejected.event_status, corrected.event_status) == (REJECTED, ACCEPTED)
    assert not corrected.is_duplicate


async def test_a_dimension_value_without_a_rate_is_rejected_until_there_is_one(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_tokens", dimensions=("model",), event_type="tokens")
    large = a_rate("prd_tokens", dimension_values={"model": "large"}, rate_id="rat_large")
    await ledger.tell_card(a_rate(), large, version=2)
    event = an_event(event_type="tokens", model="small")
    (unpriced,) = await report(ledger, event)

    small = a_rate(
        "prd_tokens", price_micros=CREDIT, dimension_values={"model": "small"}, rate_id="rat_small"
    )
    await ledger.tell_card(a_rate(), large, small, version=3)
    (priced,) = await report(ledger, event)

    assert unpriced.rejection_reason == usage.REJECTION_REASON_RATE_NOT_FOUND
    assert (priced.event_status, priced.credits_micros) == (ACCEPTED, CREDIT)


async def test_one_event_may_be_charged_for_several_products_and_pools(ledger: RunningLedger) -> None:
    await ledger.tell_product("prd_extra")
    await ledger.tell_product("prd_unpriced")
    await ledger.tell_card(
        a_rate(), a_rate("prd_extra", price_micros=CREDIT, credit_type_id="crt_image"), version=2
    )

    first, second = await report(ledger, an_event("tx-1"), an_event("tx-2"))

    for result in (first, second):
        assert [(one.product_id, one.credits_micros, one.shortfall_micros) for one in result.lines] == [
            ("prd_assistant", 12 * CREDIT, 0),
            ("prd_extra", CREDIT, CREDIT),
        ]
    await ledger.assert_adds_up()


async def test_max_charges_only_what_exceeds_the_largest_value_of_the_period(ledger: RunningLedger) -> None:
    await ledger.tell_product(
        "prd_peak", event_type="peak", aggregation=peer_pb.AGGREGATION_MAX, aggregated_property="units"
    )
    await ledger.tell_card(a_rate(), a_rate("prd_peak", price_micros=CREDIT, rate_id="rat_peak"), version=2)
    peaks = [
        an_event(f"tx-{number}", peak, event_type="peak") for number, peak in enumerate(("10", "15", "12"))
    ]

    results = await report(ledger, *peaks)
    ledger.clock.advance_to(JULY)
    (late,) = await report(ledger, an_event("tx-late", "16", event_type="peak", at=JULY - TICK))
    (july,) = await report(ledger, an_event("tx-july", "4", event_type="peak", at=JULY))

    assert [one.credits_micros // CREDIT for one in (*results, late, july)] == [10, 5, 0, 1, 4]
    await ledger.assert_adds_up()


async def test_unique_charges_a_value_once_a_period(ledger: RunningLedger) -> None:
    await ledger.tell_product(
        "prd_seen", event_type="seen", aggregation=peer_pb.AGGREGATION_UNIQUE, aggregated_property="user_id"
    )
    await ledger.tell_card(a_rate(), a_rate("prd_seen", price_micros=CREDIT, rate_id="rat_seen"), version=2)

    in_june = await report(
        ledger,
        *(
            an_event(f"tx-{n}", None, event_type="seen", user=user)
            for n, user in enumerate(("ann", "bob", "ann"))
        ),
    )
    again = await report(ledger, an_event("tx-9", None, event_type="seen", user="bob"))
    ledger.clock.advance_to(JULY)
    in_july = await report(ledger, an_event("tx-10", None, event_type="seen", user="ann", at=JULY))

    assert [one.credits_micros // CREDIT for one in (*in_june, *again, *in_july)] == [1, 1, 0, 0, 1]
    await ledger.assert_adds_up()


async def test_usage_that_costs_nothing_is_counted(ledger: RunningLedger) -> None:
    await ledger.tell_card(a_rate(price_micros=0, rate_id="rat_free"), version=2)

    await report(ledger, an_event(units="3"), an_event("tx-2", "0"))

    assert await of_usage(ledger) == [("UNCHARGED", 0, 0), ("UNCHARGED", 0, 0)]


async def test_late_usage_is_paid_first_by_what_was_active_at_its_time(ledger: RunningLedger) -> None:
    """The included credits of June expire on 1 July; they still pay for June's usage that day, and no later."""
    await ledger.top_up(1_000)
    ledger.clock.advance_to(JULY + DAY - TICK)

    (in_time,) = await report(ledger, an_event("tx-1", "10", at=JULY - TICK))
    ledger.clock.advance_to(JULY + DAY)
    (too_late,) = await report(ledger, an_event("tx-2", "10", at=JULY - TICK))

    assert (in_time.credits_micros, too_late.credits_micros) == (120 * CREDIT, 120 * CREDIT)
    assert await of_usage(ledger) == [
        ("REINSTATEMENT", 120 * CREDIT, 0),
        ("CAPTURE", -120 * CREDIT, 0),
        ("CAPTURE", -120 * CREDIT, 0),
    ]
    june, top_up, *_ = await ledger.grants()
    assert (june.captured_micros, june.expired_micros) == (120 * CREDIT, 280 * CREDIT)
    assert top_up.captured_micros == 120 * CREDIT
    await ledger.assert_adds_up()


async def test_what_the_credits_of_its_time_do_not_cover_is_paid_by_those_of_now(
    ledger: RunningLedger,
) -> None:
    await ledger.debit(390)
    ledger.clock.advance_to(JULY + HOUR)

    await report(ledger, an_event("tx-1", "1", at=JULY - TICK))

    june, july = await ledger.grants()
    assert (june.captured_micros, june.expired_micros) == (400 * CREDIT, 0)
    assert july.captured_micros == 2 * CREDIT
    await ledger.assert_adds_up()


async def test_usage_dated_ahead_is_paid_by_the_credits_of_now(ledger: RunningLedger) -> None:
    """Credits that begin before its time cannot pay for it yet, although they will burn first then."""
    ledger.clock.advance_to(NOON)
    await ledger.top_up(
        1_000,
        priority=1,
        cost_basis_micros=0,
        effective_time=timestamp(NOON + HOUR),
        expire_time=timestamp(NOON + DAY),
    )

    await report(ledger, an_event("tx-1", "10", at=NOON + HOUR))
    ledger.clock.advance_to(NOON + HOUR)
    await report(ledger, an_event("tx-2", "2", at=NOON + HOUR))

    included, coming = await ledger.grants()
    assert (included.captured_micros, coming.captured_micros) == (120 * CREDIT, 24 * CREDIT)
    await ledger.assert_adds_up()


async def test_reported_usage_counts_in_the_windows_of_its_own_time(ledger: RunningLedger) -> None:
    await ledger.top_up(10_000)
    await ledger.set_cap(1_000, user="ann", window=admin.CAP_WINDOW_DAY)
    ledger.clock.advance_to(NOON)
    await ledger.debit(100, user="ann")

    await report(
        ledger,
        an_event("tx-1", "10", at=NOON - DAY),
        an_event("tx-2", "20", at=NOON - HOUR),
        an_event("tx-3", "30", at=NOON + DAY),
    )
    today = (await ledger.authorize(1, user="ann")).affordable_credits_micros // CREDIT
    ledger.clock.advance_to(NOON + DAY)
    tomorrow = (await ledger.authorize(1, user="ann")).affordable_credits_micros // CREDIT

    assert (today, tomorrow) == (1_000 - 100 - 240 - 1, 1_000 - 360 - 1)
    await ledger.assert_adds_up()


async def test_a_call_has_1_to_1000_events(ledger: RunningLedger) -> None:
    most = await report(ledger, *(an_event(f"tx-{number}", "0.01") for number in range(1_000)))

    assert {one.event_status for one in most} == {ACCEPTED}
    for count in (0, 1_001):
        with bad_fields("events"):
            await report(ledger, *(an_event(f"tx-{number}") for number in range(count)))
    await ledger.assert_adds_up()


async def test_the_order_of_events_changes_neither_meters_nor_total_cost(
    ledger: RunningLedger, sql: Sql
) -> None:
    events = [an_event(f"tx-{n}", str(n % 7), at=JUNE + (n % 5) * HOUR) for n in range(60)]
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.apply_contract(
        start=JUNE, customer_id="cus_globex", contract_id="con_2", subscriptions=[], schedules=[]
    )
    ledger.clock.advance_to(NOON)
    mirrored = [usage.UsageEvent() for _ in events]
    for event, copy in zip(events, mirrored, strict=True):
        copy.CopyFrom(event)
        copy.customer = "globex"

    await report(ledger, *events)
    for event in reversed(mirrored):
        await report(ledger, event, event)

    meters = await sql.rows("SELECT quantity_micros, cost_micros FROM ledger.meters ORDER BY customer_id")
    assert meters[0] == meters[1]
    await ledger.assert_adds_up()


async def test_a_request_id_and_a_transaction_id_may_be_equal(ledger: RunningLedger) -> None:
    await ledger.debit(1, request_id="same")

    (result,) = await report(ledger, an_event("same"))

    assert (result.event_status, result.is_duplicate) == (ACCEPTED, False)
