# SPDX-License-Identifier: Apache-2.0
"""WatchThreshold of spends: by week and month, of the whole customer, and of a product."""

from datetime import UTC, datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.rpc.ledger.test_more_watches import report, told
from tests.support.faults import bad_fields
from tests.support.ledger import AI, CREDIT, JULY, RunningLedger
from tests.support.recording_alert import RecordingAlert

TICK = timedelta(microseconds=1)
# JUNE is a Sunday.
MONDAY = datetime(2025, 6, 2, tzinfo=UTC)
NEXT_MONDAY = datetime(2025, 6, 9, tzinfo=UTC)
IN_WEEK = {"watch_kind": peer_pb.WATCH_KIND_SPEND_IN_WEEK}
IN_MONTH = {"watch_kind": peer_pb.WATCH_KIND_SPEND_IN_MONTH}
IN_PERIOD = {"watch_kind": peer_pb.WATCH_KIND_SPEND}
OF_USER = {"group_key": "user_id"}
OF_PRODUCT = {"product_id": "prd_assistant"}


async def _cap(ledger: RunningLedger, credits: int, **more: object) -> admin.SpendCap:
    request = admin.SetSpendCapRequest(
        request_id=ledger.request_id(),
        customer="acme",
        credit_type_id=AI,
        limit_micros=credits * CREDIT,
        **more,  # type: ignore[arg-type]
    )
    return (await ledger.admin.SetSpendCap(request)).spend_cap


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
async def test_what_a_user_spends_in_a_week_is_told_and_monday_resolves_it_though_nobody_asks(
    watched: RunningLedger, alert: RecordingAlert, customer_id: str
) -> None:
    await watched.debit(50, user="ann")  # on Sunday
    watched.clock.advance_to(MONDAY)
    await watched.watch(100, customer_id=customer_id, **IN_WEEK, **OF_USER)
    first = [("", False, 0)] if customer_id else []
    await watched.debit(60, user="ann")
    watched.clock.advance_to(MONDAY + timedelta(days=3))
    await watched.debit(39, user="ann")
    assert await told(watched, alert) == first

    await watched.debit(1, user="ann")
    assert (await told(watched, alert))[len(first) :] == [("ann", True, 100 * CREDIT)]
    watched.clock.advance_to(NEXT_MONDAY - TICK)
    assert len(await told(watched, alert)) == len(first) + 1
    watched.clock.advance_to(NEXT_MONDAY)
    assert (await told(watched, alert))[len(first) + 1 :] == [("ann", False, 0)]
    assert alert.heard[-1].observe_time == timestamp(NEXT_MONDAY)


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
@pytest.mark.parametrize("subject", [{}, OF_PRODUCT], ids=["customer", "product"])
@pytest.mark.parametrize("window", [IN_PERIOD, IN_MONTH], ids=["period", "month"])
async def test_what_a_customer_spends_and_on_a_product_is_told_without_a_group_value(
    watched: RunningLedger,
    alert: RecordingAlert,
    customer_id: str,
    subject: dict[str, str],
    window: dict[str, int],
) -> None:
    await watched.watch(100, customer_id=customer_id, **window, **subject)
    first = [("", False, 0)] if customer_id else []
    assert await told(watched, alert) == first

    await watched.debit(60, user="ann")
    await watched.debit(39, user="bob")
    assert await told(watched, alert) == first
    await watched.debit(1)
    assert (await told(watched, alert))[len(first) :] == [("", True, 100 * CREDIT)]

    watched.clock.advance_to(JULY)
    assert (await told(watched, alert))[len(first) + 1 :] == [("", False, 0)]


@pytest.mark.parametrize("customer_id", ["cus_acme", ""])
@pytest.mark.parametrize(
    ("subject", "group_value"),
    [(OF_USER, "ann"), ({}, ""), (OF_PRODUCT, "")],
    ids=["user", "customer", "product"],
)
async def test_what_was_spent_in_the_week_before_the_watch_counts(
    watched: RunningLedger,
    alert: RecordingAlert,
    customer_id: str,
    subject: dict[str, str],
    group_value: str,
) -> None:
    await watched.debit(100, user="ann")  # on Sunday
    watched.clock.advance_to(MONDAY)
    await watched.debit(60, user="ann")

    await watched.watch(61, customer_id=customer_id, alert_id="alr_above", **IN_WEEK, **subject)
    await watched.watch(60, customer_id=customer_id, **IN_WEEK, **subject)

    alarms = [one for one in await told(watched, alert) if one[1]]
    assert alarms == [(group_value, True, 60 * CREDIT)]


async def test_usage_of_another_product_does_not_count(watched: RunningLedger, alert: RecordingAlert) -> None:
    await watched.watch(10, **IN_PERIOD, product_id="prd_other")

    await watched.debit(100)

    assert await told(watched, alert) == [("", False, 0)]


async def test_reported_usage_counts_in_the_week_of_its_timestamp(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    watched.clock.advance_to(MONDAY)
    await watched.watch(50, **IN_WEEK)

    await report(watched, 5, MONDAY - TICK, "txn_sunday")
    assert await told(watched, alert) == [("", False, 0)]
    await report(watched, 5, MONDAY, "txn_monday")
    assert (await told(watched, alert))[1:] == [("", True, 60 * CREDIT)]


async def test_a_week_begins_on_monday_in_the_customers_time_zone(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    await watched.admin.SetTimeZone(
        admin.SetTimeZoneRequest(
            request_id=watched.request_id(), customer="acme", time_zone="America/New_York"
        )
    )
    await watched.watch(100, **IN_WEEK)
    watched.clock.advance_to(MONDAY)  # Sunday evening in New York
    await watched.debit(100)
    assert (await told(watched, alert))[1:] == [("", True, 100 * CREDIT)]

    watched.clock.advance_to(MONDAY + timedelta(hours=4) - TICK)
    assert len(await told(watched, alert)) == 2
    watched.clock.advance_to(MONDAY + timedelta(hours=4))
    assert (await told(watched, alert))[2:] == [("", False, 0)]


async def test_a_cap_that_is_lifted_or_set_anew_takes_nothing_from_a_watch(
    watched: RunningLedger, alert: RecordingAlert
) -> None:
    watched.clock.advance_to(MONDAY)
    await watched.watch(100, **IN_WEEK)
    scope = {"scope": pb.CAP_SCOPE_CUSTOMER}
    await watched.debit(60)
    cap = await _cap(watched, 1_000, window=admin.CAP_WINDOW_MONTH, **scope)
    await watched.admin.RemoveSpendCap(
        admin.RemoveSpendCapRequest(
            request_id=watched.request_id(), customer="acme", spend_cap_id=cap.spend_cap_id
        )
    )

    await watched.debit(39)
    assert await told(watched, alert) == [("", False, 0)]
    await watched.debit(1)
    assert (await told(watched, alert))[1:] == [("", True, 100 * CREDIT)]
    await watched.assert_adds_up()


async def test_a_watch_takes_nothing_from_a_cap(watched: RunningLedger) -> None:
    watched.clock.advance_to(MONDAY)
    await _cap(watched, 100, window=admin.CAP_WINDOW_WEEK, scope=pb.CAP_SCOPE_CUSTOMER)
    await watched.debit(60)

    await watched.watch(50, **IN_MONTH)
    await watched.watch(50, version=2, is_active=False, **IN_MONTH)

    denied = await watched.debit(41)
    assert denied.denial_reason == pb.DENIAL_REASON_SPEND_CAP_REACHED
    assert denied.reached_cap.used_micros == 60 * CREDIT
    assert (await watched.debit(40)).decision == pb.DECISION_ALLOWED


async def test_a_product_is_of_spends_without_a_group_key_only(watched: RunningLedger) -> None:
    with bad_fields("product_id"):
        await watched.watch(50, **IN_WEEK, **OF_USER, **OF_PRODUCT)
    with bad_fields("product_id"):
        await watched.watch(50, **OF_PRODUCT)
    with bad_fields("group_value"):
        await watched.watch(50, **IN_WEEK, group_value="ann")
