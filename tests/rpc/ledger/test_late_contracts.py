# SPDX-License-Identifier: Apache-2.0
"""Events that had no contract when they were recorded are charged by RerateUsage, once a contract was backdated."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.ledger import CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, report
from tests.support.rerating import credits_of, finish, flat, job_of, price, rerate, rerated, void, worker

DAY = timedelta(days=1)
MAY = datetime(2025, 5, 1, tzinfo=UTC)
MID_MAY = datetime(2025, 5, 15, tzinfo=UTC)
NO_CONTRACT, ACCEPTED = usage.EVENT_STATUS_NO_CONTRACT, usage.EVENT_STATUS_ACCEPTED


@pytest.fixture
async def early(ledger: RunningLedger) -> RunningLedger:
    """Acme has used 10 + 20 + 30 units before its contract began, at 2 a unit by its rate card."""
    await price(ledger, flat(2), version=2)
    results = await report(
        ledger,
        *(
            an_event(f"e{number}", str(units), at=MID_MAY + number * DAY, user=user)
            for number, (units, user) in enumerate(((10, "ann"), (20, "bob"), (30, "ann")))
        ),
    )
    assert {one.event_status for one in results} == {NO_CONTRACT}
    return ledger


async def backdate(ledger: RunningLedger, start: datetime = MAY, end: datetime | None = JUNE) -> None:
    """Sign a second contract that began earlier."""
    await ledger.apply_contract(start=start, end=end, contract_id="con_0", schedules=[])


async def rerated_may(ledger: RunningLedger, **more: object) -> usage.RerateJob:
    return await rerated(ledger, **({"start_time": timestamp(MAY), "end_time": timestamp(JULY)} | more))


async def events(ledger: RunningLedger) -> dict[str, tuple[int, int, int]]:
    """Return status, credits and number of entries of each event."""
    answer = await ledger.usage.ListUsageEvents(usage.ListUsageEventsRequest(customer="acme"))
    return {
        one.event.transaction_id: (
            one.result.event_status,
            one.result.credits_micros // CREDIT,
            len(one.payments),
        )
        for one in answer.events
    }


async def test_events_are_charged_once_their_contract_was_backdated(early: RunningLedger) -> None:
    await backdate(early, start=MID_MAY + DAY)

    job = await rerated_may(early)

    assert (job.events_charged, credits_of(job)) == (2, [(0, 0, 0, 100)])
    assert await events(early) == {
        "e0": (NO_CONTRACT, 0, 0),
        "e1": (ACCEPTED, 40, 1),
        "e2": (ACCEPTED, 60, 1),
    }
    assert (await early.pool()).available_micros == 300 * CREDIT
    (again,) = await report(early, an_event("e1", "20", at=MID_MAY + DAY, user="bob"))
    assert (again.event_status, again.is_duplicate, again.differs, again.credits_micros) == (
        ACCEPTED,
        True,
        False,
        40 * CREDIT,
    )
    await early.assert_adds_up()
    assert (await rerated_may(early)).events_charged == 0
    await void(early, "e2")
    assert (await early.pool()).available_micros == 360 * CREDIT
    await early.assert_adds_up()


async def test_events_out_of_the_span_of_other_customers_or_products_are_not_charged(
    early: RunningLedger,
) -> None:
    await early.tell_product("prd_images", event_type="image")
    await early.tell_customer("cus_other", "other")
    await report(early, an_event("o1", "5", at=MID_MAY, customer="other"))
    await backdate(early)
    await early.apply_contract(start=MAY, customer_id="cus_other", contract_id="con_2", schedules=[])

    images = await rerated_may(early, product_id="prd_images")
    other = await rerated_may(early, customer="other")
    early_may = await rerated_may(early, customer="acme", end_time=timestamp(MID_MAY + DAY))
    rest = await rerated_may(early, start_time=timestamp(MID_MAY + DAY))

    charged = [one.events_charged for one in (images, other, early_may, rest)]
    assert charged == [0, 1, 1, 2]
    await early.assert_adds_up()


async def test_all_products_that_an_event_matches_charge_it_and_what_has_no_rate_is_left(
    early: RunningLedger,
) -> None:
    await early.tell_product("prd_second", group_keys=(), dimensions=("model",))
    large = a_rate(
        "prd_second", price_micros=CREDIT, rate_id="rat_large", dimension_values={"model": "large"}
    )
    first = a_rate(rate_id="rat_0", price_micros=2 * CREDIT)
    await early.tell_card(first, large, version=3)
    await report(early, an_event("large", "1", at=MID_MAY, model="large"))
    await backdate(early)

    second = await rerated_may(early, product_id="prd_second")

    # The others have no value of the dimension, so they would be rejected.
    assert (second.events_charged, credits_of(second)) == (1, [(0, 0, 0, 3)])
    found = await events(early)
    assert (found["large"], found["e0"]) == ((ACCEPTED, 3, 2), (NO_CONTRACT, 0, 0))
    await early.assert_adds_up()


async def test_voided_and_amended_events_are_not_charged_by_a_job(early: RunningLedger) -> None:
    await void(early, "e0")
    await backdate(early)
    await early.usage.AmendUsage(
        usage.AmendUsageRequest(
            request_id=early.request_id(),
            customer="acme",
            transaction_id="e1",
            properties={"units": "1", "user_id": "bob"},
            reason="counted wrong",
            actor="ops@seatsco.example",
        )
    )

    job = await rerated_may(early)

    assert (job.events_charged, credits_of(job)) == (1, [(0, 0, 0, 60)])
    assert (await early.pool()).available_micros == (400 - 2 - 60) * CREDIT
    await early.assert_adds_up()


async def test_another_worker_goes_on_with_the_events_and_charges_none_twice(
    early: RunningLedger, databases: Databases, sql: Sql
) -> None:
    await backdate(early)
    job = await rerate(early, start_time=timestamp(MAY))
    is_left = True
    while is_left:
        async with worker(early, databases, entries_max=1) as rerating:
            is_left = await rerating.step()
        await early.assert_adds_up()

    done = await job_of(early, job)
    assert (done.events_charged, credits_of(done)) == (3, [(0, 0, 0, 120)])
    assert await sql.value("SELECT count(*) FROM ledger.entries WHERE transaction_id IS NOT NULL") == 3


async def test_a_void_that_waits_while_a_job_charges_its_event_takes_it_back(
    early: RunningLedger, databases: Databases, sql: Sql
) -> None:
    """When the void began, the event was charged to no pool: it looks again."""
    await backdate(early)
    job = await rerate(early, start_time=timestamp(MAY))
    async with (
        worker(early, databases, entries_max=10) as rerating,
        asyncio.TaskGroup() as tasks,
        Sql.connected(databases.admin_url) as watching,
    ):
        async with sql.transaction():
            await sql.rows(
                "SELECT FROM ledger.usage_events WHERE customer_id = 'cus_acme' AND transaction_id = 'e0' FOR UPDATE"
            )
            tasks.create_task(finish(rerating))
            await watching.until_somebody_waits()
            tasks.create_task(void(early, "e0"))
            await watching.until_waiting(2)

    assert (await job_of(early, job)).events_charged == 3
    assert (await early.pool()).available_micros == 300 * CREDIT
    assert (await events(early))["e0"] == (ACCEPTED, 20, 2)
    await early.assert_adds_up()
