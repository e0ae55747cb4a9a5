# SPDX-License-Identifier: Apache-2.0
"""Every type of alert on the running mesh: what Acme does, and the states of the alert that Alert shows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.seatsco import ASSISTANT
from meshkit.quantity import MICROS
from meshkit.rpc.fields import timestamp
from purser.alert.v1 import alert_pb2 as alert
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.alert import RunningAlert, running_alert
from tests.support.ledger import AI, JULY, RunningLedger, running_ledger
from tests.support.mesh import JUNE, Acme, SwitchedMesh, acme_at, advance, until
from tests.support.postgres import Databases

PERCENT = MICROS
WATCH_KINDS = {
    alert.ALERT_TYPE_LOW_SEAT_BALANCE: peer_pb.WATCH_KIND_LOW_SEAT_BALANCE,
    alert.ALERT_TYPE_OVERAGE: peer_pb.WATCH_KIND_OVERAGE,
}
AUGUST = datetime(2025, 8, 1, tzinfo=UTC)
OK, IN_ALARM = alert.ALERT_STATE_OK, alert.ALERT_STATE_IN_ALARM
Watched = list[tuple[str, "alert.AlertState.ValueType", int]]


@pytest.fixture
async def acme(databases: Databases) -> AsyncIterator[Acme]:
    async with SwitchedMesh(databases) as mesh:
        await mesh.start()
        async with acme_at(mesh.addresses) as customer:
            yield customer


async def watch(acme: Acme, alert_type: "alert.AlertType.ValueType", **fields: object) -> alert.Alert:
    """Create an alert on Acme; `fields` overrides."""
    asked: dict[str, object] = {
        "request_id": acme.request_id(),
        "name": "Watched",
        "alert_type": alert_type,
        "customer_id": acme.contract.customer_id,
        "credit_type_id": acme.offer.ai_credits,
    }
    made = await acme.stubs.alert.CreateAlert(
        alert.CreateAlertRequest(**(asked | fields))  # type: ignore[arg-type]
    )
    return made.alert


async def states(acme: Acme, watched: alert.Alert) -> Watched:
    """Return whose value stands where, and its millionths."""
    asked = alert.GetAlertStateRequest(alert_id=watched.alert_id)
    statuses = (await acme.stubs.alert.GetAlertState(asked)).statuses
    return [(one.group_value, one.state, one.value_micros) for one in statuses]


async def until_states(acme: Acme, watched: alert.Alert, *expected: tuple[str, int, int]) -> None:
    await until(lambda: states(acme, watched), lambda found: found == list(expected))


def for_all(is_for_all: bool) -> dict[str, object]:
    return {"customer_id": ""} if is_for_all else {}


@pytest.mark.parametrize("is_for_all", [False, True])
async def test_a_low_percentage_begins_at_it_and_ends_above_its_rearm_level(
    acme: Acme, is_for_all: bool
) -> None:
    granted = await acme.available()
    at_20_percent = granted // MICROS * 4 // 5
    assert at_20_percent * MICROS * 5 == granted * 4
    low = await watch(
        acme,
        alert.ALERT_TYPE_LOW_PERCENTAGE,
        threshold_micros=20 * PERCENT,
        **for_all(is_for_all),
    )
    first = [] if is_for_all else [("", OK, 100 * PERCENT)]
    await until_states(acme, low, *first)

    await acme.debit(at_20_percent - 1)
    assert await states(acme, low) == first
    await acme.debit(1)
    await until_states(acme, low, ("", IN_ALARM, 20 * PERCENT))


@pytest.mark.parametrize("is_for_all", [False, True])
async def test_what_is_spent_in_a_week_and_on_a_product_in_a_month_counts_from_before_the_alert(
    acme: Acme, is_for_all: bool
) -> None:
    await acme.debit(50)
    fields = for_all(is_for_all) | {"threshold_micros": 80 * MICROS}
    product = {"product_id": acme.offer.usage[ASSISTANT], "window": alert.SPEND_WINDOW_MONTH}
    of_week = await watch(acme, alert.ALERT_TYPE_SPEND, window=alert.SPEND_WINDOW_WEEK, **fields)
    of_product = await watch(acme, alert.ALERT_TYPE_SPEND, name="On the assistant", **product, **fields)
    first = [] if is_for_all else [("", OK, 50 * MICROS)]
    await until_states(acme, of_week, *first)

    await acme.debit(29)
    assert await states(acme, of_week) == first
    await acme.debit(1)
    await until_states(acme, of_week, ("", IN_ALARM, 80 * MICROS))
    await until_states(acme, of_product, ("", IN_ALARM, 80 * MICROS))

    await advance(acme.stubs, JULY)
    await until_states(acme, of_week, ("", OK, 0))
    await until_states(acme, of_product, ("", OK, 0))


@pytest.mark.parametrize("is_for_all", [False, True])
async def test_a_shortfall_that_starts_is_an_alarm_until_the_next_usage_period(
    acme: Acme, is_for_all: bool
) -> None:
    started = await watch(acme, alert.ALERT_TYPE_SHORTFALL, **for_all(is_for_all))
    held = await acme.authorize(1)
    await acme.debit(await acme.available() // MICROS)
    first = [] if is_for_all else [("", OK, 0)]
    await until_states(acme, started, *first)

    over = ledger.CaptureRequest(
        request_id=acme.request_id(),
        customer="acme",
        hold_id=held.hold_id,
        credits_micros=held.held_micros + 1,
    )
    captured = await acme.stubs.gate.Capture(over)
    assert captured.shortfall_micros == 1
    await until_states(acme, started, ("", IN_ALARM, 1))

    await advance(acme.stubs, AUGUST)
    await until_states(acme, started, ("", OK, 0))


async def test_a_grant_that_expires_soon_has_its_own_state(acme: Acme) -> None:
    soon = await watch(
        acme, alert.ALERT_TYPE_GRANT_EXPIRING, threshold_micros=10 * MICROS, expires_within_days=3
    )
    bought = await acme.stubs.ledger_admin.IssueGrant(
        admin.IssueGrantRequest(
            request_id=acme.request_id(),
            customer="acme",
            credit_type_id=acme.offer.ai_credits,
            grant_kind=ledger.GRANT_KIND_PROMOTIONAL,
            amount_micros=10 * MICROS,
            expire_time=timestamp(JUNE + timedelta(days=10)),
        )
    )
    grant_id = bought.grant.grant_id

    await advance(acme.stubs, JUNE + timedelta(days=7) - timedelta(seconds=1))
    assert await states(acme, soon) == [("", OK, 0)]
    await advance(acme.stubs, JUNE + timedelta(days=7))
    await until_states(acme, soon, ("", OK, 0), (grant_id, IN_ALARM, 10 * MICROS))
    await advance(acme.stubs, JUNE + timedelta(days=10))
    await until_states(acme, soon, ("", OK, 0), (grant_id, OK, 0))


@asynccontextmanager
async def alert_and_ledger(databases: Databases) -> AsyncIterator[tuple[RunningAlert, RunningLedger]]:
    """A real Alert, and a real Ledger that sends its crossings there."""
    async with (
        running_alert(databases) as alerts,
        running_ledger(databases, alert_address=alerts.address) as one,
    ):
        await one.sell_assistant()
        yield alerts, one


async def watch_at(
    ledger: RunningLedger, alerts: RunningAlert, request: alert.CreateAlertRequest
) -> alert.Alert:
    """Create an alert, and give the Ledger the threshold as Alert does."""
    made = (await alerts.stub.CreateAlert(request)).alert
    await ledger.watch(
        0,
        alert_id=made.alert_id,
        watch_kind=WATCH_KINDS[made.alert_type],
        threshold_micros=made.threshold_micros,
        rearm_micros=made.rearm_micros,
        group_key=made.group_key,
        group_value=made.group_value,
    )
    return made


async def shown(alerts: RunningAlert, ledger: RunningLedger, made: alert.Alert) -> Watched:
    await ledger.flush()
    asked = alert.GetAlertStateRequest(alert_id=made.alert_id)
    statuses = (await alerts.stub.GetAlertState(asked)).statuses
    return [(one.group_value, one.state, one.value_micros) for one in statuses]


async def test_each_named_seat_has_its_own_state(databases: Databases) -> None:
    async with alert_and_ledger(databases) as (alerts, running):
        await running.sign_named_seats()
        await running.assign("ann", "bob", sequence=1)
        request = alert.CreateAlertRequest(
            request_id="seats",
            name="Seats run low",
            alert_type=alert.ALERT_TYPE_LOW_SEAT_BALANCE,
            customer_id="cus_acme",
            credit_type_id=AI,
            threshold_micros=20 * MICROS,
            group_key="user_id",
        )
        seats = await watch_at(running, alerts, request)
        await running.debit(79, user="ann")
        await running.debit(80, user="bob")
        assert await shown(alerts, running, seats) == [("", OK, 0), ("bob", IN_ALARM, 20 * MICROS)]

        await running.debit(1, user="ann")
        running.clock.advance_to(JULY)
        resolved = [("", OK, 0), ("ann", OK, 100 * MICROS), ("bob", OK, 100 * MICROS)]
        assert await shown(alerts, running, seats) == resolved


async def test_overage_that_starts_is_an_alarm_until_the_next_usage_period(databases: Databases) -> None:
    async with alert_and_ledger(databases) as (alerts, running):
        limit = peer_pb.OverageLimit(credit_type_id=AI)
        await running.tell_customer("cus_acme", "acme")
        await running.apply_contract(start=JUNE, overage=peer_pb.OveragePolicy(limits=[limit]))
        request = alert.CreateAlertRequest(
            request_id="overage",
            name="Overage starts",
            alert_type=alert.ALERT_TYPE_OVERAGE,
            customer_id="cus_acme",
            credit_type_id=AI,
        )
        started = await watch_at(running, alerts, request)
        await running.debit(400)
        assert await shown(alerts, running, started) == [("", OK, 0)]

        await running.debit(0, credits_micros=1)
        assert await shown(alerts, running, started) == [("", IN_ALARM, 1)]
        running.clock.advance_to(JULY)
        assert await shown(alerts, running, started) == [("", OK, 0)]
