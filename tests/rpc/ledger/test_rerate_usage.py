# SPDX-License-Identifier: Apache-2.0
"""RerateUsage: usage that was charged before its rate was corrected costs what the corrected rate says."""

from datetime import UTC, datetime, timedelta

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, record
from tests.support.rerating import (
    counts_of,
    credits_of,
    finish,
    flat,
    graduated,
    job_of,
    meter,
    price,
    rerate,
    rerated,
    worker,
)

UNIT = 1_000_000
DAY = timedelta(days=1)
NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)
# 0 to 1,000 units at 1 credit, to 10,000 at 0.5, above at 0.25.
FALLING = graduated((1_000, "1"), (10_000, "0.5"), (0, "0.25"))
Correction = tuple[int, int, int, str]


async def corrections(ledger: RunningLedger) -> list[Correction]:
    """Return amount and shortfall in credits, the sequence corrected and the user of the corrections, oldest first."""
    return [
        (
            one.amount_micros // CREDIT,
            one.shortfall_micros // CREDIT,
            one.corrects_sequence,
            one.group_values["user_id"],
        )
        for one in reversed(await ledger.entries(page_size=500))
        if one.entry_kind == admin.ENTRY_KIND_CORRECTION
    ]


async def spent_by(ledger: RunningLedger, user: str) -> int:
    """Return what a cap counts for a user, in whole credits."""
    await ledger.set_cap(300, user=user)
    asked = await ledger.authorize(5_000, user=user)
    return 300 - asked.affordable_credits_micros // CREDIT


async def void(ledger: RunningLedger, transaction_id: str) -> None:
    await ledger.usage.VoidUsage(
        usage.VoidUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            transaction_id=transaction_id,
            reason="reported twice",
            actor="ops@seatsco.example",
        )
    )


async def amend(ledger: RunningLedger, transaction_id: str, units: str, user: str = "ann") -> None:
    await ledger.usage.AmendUsage(
        usage.AmendUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            transaction_id=transaction_id,
            properties={"units": units, "user_id": user},
            reason="counted wrong",
            actor="ops@seatsco.example",
        )
    )


async def test_half_of_the_credits_come_back_to_the_grants_that_paid(ledger: RunningLedger, sql: Sql) -> None:
    await price(ledger, flat(2), version=2)
    first = await ledger.top_up(50, priority=1, cost_basis_micros=0, expire_time=timestamp(NOON + DAY))
    await record(ledger, an_event("e1", "20"), an_event("e2", "30", user="bob"), an_event("e3", "40"))
    await price(ledger, flat(2), flat(1), version=3)
    ledger.clock.advance_to(NOON)

    job = await rerated(ledger)

    assert credits_of(job) == [(90, 0, 90, 0)]
    assert counts_of(job) == (1, 1, 1, 4)
    assert (job.state, job.finish_time) == (usage.RERATE_JOB_STATE_DONE, timestamp(NOON))
    # 50 of the 100 credits of e1 and e2 were paid by the first grant: 40 for e1, 10 for e2.
    assert await corrections(ledger) == [(20, 0, 3, "ann"), (30, 0, 5, "bob"), (40, 0, 6, "ann")]
    newest = (await ledger.entries())[0]
    assert (newest.transaction_id, newest.effective_time, newest.create_time, newest.cause_id) == (
        "e3",
        timestamp(JUNE),
        timestamp(NOON),
        job.rerate_job_id,
    )
    grants = {one.grant_id: one.captured_micros // CREDIT for one in await ledger.grants()}
    assert (grants[first.grant_id], sum(grants.values())) == (30, 90)
    assert [await spent_by(ledger, user) for user in ("ann", "bob")] == [60, 30]
    assert await meter(sql) == ("rat_1", 90, 0)
    await ledger.assert_adds_up()


async def test_what_costs_more_is_a_shortfall_if_the_pool_is_empty(ledger: RunningLedger, sql: Sql) -> None:
    await price(ledger, flat(1), version=2)
    await record(ledger, an_event("e1", "200"), an_event("e2", "150"), an_event("e3", "40"))
    await price(ledger, flat(1), flat(2), version=3)

    job = await rerated(ledger)

    assert credits_of(job) == [(0, 390, 0, 390)]
    assert await corrections(ledger) == [
        (-10, 0, 0, "ann"),
        (0, 190, 0, "ann"),
        (0, 150, 0, "ann"),
        (0, 40, 0, "ann"),
    ]
    assert (await ledger.pool()).shortfall_micros == 380 * CREDIT
    assert await meter(sql) == ("rat_1", 780, 0)
    await ledger.assert_adds_up()


async def test_a_later_price_takes_what_an_earlier_job_charged_into_account(
    ledger: RunningLedger, sql: Sql
) -> None:
    """1, then 2, then 1 again: what was a shortfall is forgiven first, also of a debit, which has no id."""
    await price(ledger, flat(1), version=2)
    await ledger.debit(0, quantity_micros=300 * UNIT, user="ann")
    await record(ledger, an_event("e2", "50", user="bob"))
    await price(ledger, flat(1), flat(2), version=3)
    await rerated(ledger)
    assert (await ledger.pool()).shortfall_micros == 300 * CREDIT
    await ledger.assert_adds_up()
    before = len(await corrections(ledger))

    await price(ledger, flat(1), flat(2), flat(1), version=4)
    job = await rerated(ledger)

    assert credits_of(job) == [(350, 0, 350, 0)]
    assert [
        (amount, shortfall, user) for amount, shortfall, _, user in (await corrections(ledger))[before:]
    ] == [
        (0, -250, "ann"),
        (50, 0, "ann"),
        (0, -50, "bob"),
    ]
    assert (await ledger.pool()).shortfall_micros == 0
    assert await meter(sql) == ("rat_2", 350, 0)
    await ledger.assert_adds_up()


async def test_tiers_are_corrected_with_voided_and_amended_events_before(
    ledger: RunningLedger, sql: Sql
) -> None:
    """FALLING instead of 2 a unit, over 12,000 units: 6,000 credits."""
    await price(ledger, graduated((0, "2")), version=2)
    await ledger.top_up(100_000)
    await record(
        ledger,
        an_event("e1", "1000"),
        an_event("voided", "500", user="bob"),
        an_event("e2", "9000"),
        an_event("amended", "3000"),
        an_event("moved", "1"),
    )
    await void(ledger, "voided")
    await amend(ledger, "amended", "1000")
    await amend(ledger, "amended", "1500")
    await amend(ledger, "moved", "500", user="cid")
    await price(ledger, graduated((0, "2")), FALLING, version=3)

    job = await rerated(ledger)

    assert credits_of(job) == [(18_000, 0, 18_000, 0)]
    assert await meter(sql) == ("rat_1", 6_000, 0)
    await ledger.set_cap(10_000)
    spent = {
        user: 10_000 - (await ledger.authorize(50_000, user=user)).affordable_credits_micros // CREDIT
        for user in ("ann", "bob", "cid")
    }
    assert spent == {"ann": 1_000 + 4_500 + 375, "bob": 0, "cid": 125}
    await ledger.assert_adds_up()
    await void(ledger, "e1")
    await void(ledger, "amended")
    await ledger.assert_adds_up()
    assert await meter(sql) == ("rat_1", 1_000 + 4_250, 0)


@pytest.mark.parametrize(
    ("aggregation", "units"), [(peer_pb.AGGREGATION_MAX, 15), (peer_pb.AGGREGATION_UNIQUE, 2)]
)
async def test_max_and_unique_are_corrected_whatever_was_voided(
    ledger: RunningLedger, sql: Sql, aggregation: peer_pb.Aggregation, units: int
) -> None:
    """Of two events that report the same value one has a quantity: voiding both leaves it with a negative rest."""
    await ledger.tell_product(
        "prd_assistant", version=2, aggregation=aggregation, sum_property="", aggregated_property="units"
    )
    await price(ledger, flat(4), version=2)
    await record(ledger, an_event("ten", "10"), an_event("fifteen", "15", user="bob"))
    await record(ledger, an_event("same", "10"), an_event("seven", "7", user="cid"))
    await void(ledger, "ten")
    await void(ledger, "same")
    await price(ledger, flat(4), flat(1), version=3)

    await rerated(ledger)

    assert await meter(sql) == ("rat_1", units, 0)
    await ledger.assert_adds_up()
    for event in ("fifteen", "seven"):
        await void(ledger, event)
        await ledger.assert_adds_up()
    assert await meter(sql) == ("rat_1", 0, 0)


async def test_an_event_that_names_a_captured_hold_still_gets_what_the_capture_came_to(
    ledger: RunningLedger,
) -> None:
    await price(ledger, flat(2), version=2)
    hold = await ledger.authorize(0, quantity_micros=10 * UNIT, user="ann")
    await ledger.capture(hold.hold_id)
    event = an_event("e1", "10")
    event.hold_id = hold.hold_id

    for credits, version in ((3, 3), (1, 4)):
        await price(ledger, *map(flat, (2, 3, 1)[: version - 1]), version=version)
        await rerated(ledger)
        (result,) = await record(ledger, event)

        assert (result.is_duplicate, result.differs, result.credits_micros) == (True, False, 20 * CREDIT)
        assert (await ledger.pool()).available_micros == (400 - 10 * credits) * CREDIT
        await ledger.assert_adds_up()


async def test_a_correction_of_a_job_is_explained_by_its_rate_and_event(ledger: RunningLedger) -> None:
    await price(ledger, flat(2), version=2)
    await record(ledger, an_event("e1", "20"), an_event("e2", "10"))
    await price(ledger, flat(2), flat(1), version=3)
    await rerated(ledger)
    newest = (await ledger.entries())[0]

    explained = await ledger.usage.ExplainEntry(
        usage.ExplainEntryRequest(customer="acme", credit_type_id=AI, sequence=newest.sequence)
    )

    assert (explained.event.transaction_id, explained.rate.rate_id) == ("e2", "rat_1")
    assert (explained.quantity_micros, explained.credits_micros) == (0, -10 * CREDIT)
    assert (explained.meter.cost_before_micros, explained.meter.cost_after_micros) == (
        40 * CREDIT,
        30 * CREDIT,
    )


async def test_usage_goes_on_while_a_job_is_between_two_pages(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    await price(ledger, flat(2), version=2)
    await record(ledger, *(an_event(f"e{number}", "10") for number in range(5)))
    hold = await ledger.authorize(0, quantity_micros=20 * UNIT)
    await price(ledger, flat(2), flat(1), version=3)
    job = await rerate(ledger)

    async with worker(ledger, databases) as rerating:
        for _ in range(4):  # two to plan, one for the meter's rate, one page of two entries
            assert await rerating.step()
        assert await meter(sql) == ("rat_1", 80, 30)
        await ledger.assert_adds_up()
        (reported,) = await record(ledger, an_event("new", "7"))
        captured = await ledger.capture(hold.hold_id)
        debited = await ledger.debit(0, quantity_micros=3 * UNIT)
        await ledger.assert_adds_up()
        assert counts_of(await job_of(ledger, job)) == (1, 1, 0, 2)
        await finish(rerating)

    assert (reported.credits_micros, captured.captured_micros, debited.debited_micros) == (
        7 * CREDIT,
        20 * CREDIT,
        3 * CREDIT,
    )
    assert await meter(sql) == ("rat_1", 80, 0)
    assert counts_of(await job_of(ledger, job)) == (1, 1, 1, 5)
    await ledger.assert_adds_up()


@pytest.mark.parametrize("entries_max", [1, 2, 300])
async def test_what_returns_to_last_months_credits_pays_instead_of_a_top_up_whatever_the_pages(
    ledger: RunningLedger, databases: Databases, entries_max: int
) -> None:
    """Half of 600 credits come back. June's 400 included ones, which have expired, can pay for the other half."""
    await price(ledger, flat(2), version=2)
    top_up = await ledger.top_up(1_000, priority=100)
    await record(ledger, an_event("e1", "150"), an_event("e2", "90"))
    await ledger.debit(0, quantity_micros=60 * UNIT)
    await price(ledger, flat(2), flat(1), version=3)
    ledger.clock.advance_to(JULY + DAY)
    await rerate(ledger)

    async with worker(ledger, databases, entries_max=entries_max) as rerating:
        while await rerating.step():
            await ledger.assert_adds_up()

    captured = {one.grant_id: one.captured_micros // CREDIT for one in await ledger.grants()}
    assert captured.pop(top_up.grant_id) == 0
    assert sorted(captured.values()) == [0, 300]


async def test_a_second_correcting_rate_while_a_job_runs_is_for_the_next_job(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    await price(ledger, flat(2), version=2)
    await record(ledger, *(an_event(f"e{number}", "10") for number in range(4)))
    await price(ledger, flat(2), flat(1), version=3)
    first = await rerate(ledger)

    async with worker(ledger, databases) as rerating:
        for _ in range(4):
            await rerating.step()
        await price(ledger, flat(2), flat(1), flat(3), version=4)
        second = await rerate(ledger)
        assert (await record(ledger, an_event("new", "1")))[0].credits_micros == CREDIT
        while (await job_of(ledger, first)).state == usage.RERATE_JOB_STATE_RUNNING:
            await rerating.step()
        assert await meter(sql) == ("rat_1", 41, 0)
        await ledger.assert_adds_up()
        await finish(rerating)

    assert await meter(sql) == ("rat_2", 123, 0)
    assert credits_of(await job_of(ledger, second)) == [(0, 82, 0, 82)]
    await ledger.assert_adds_up()


async def test_a_preview_tells_what_a_job_would_do_and_does_nothing(ledger: RunningLedger, sql: Sql) -> None:
    await price(ledger, flat(2), version=2)
    await ledger.tell_customer("cus_other", "other")
    await ledger.apply_contract(start=JUNE, customer_id="cus_other", contract_id="con_2", schedules=[])
    await record(ledger, an_event("e1", "20"), an_event("e2", "5", customer="other"))
    await price(ledger, flat(2), flat(1), version=3)
    before = await sql.everything()

    one = await rerate(ledger, is_preview=True, customer="other")
    everyone = await rerate(ledger, is_preview=True, request_id="once")
    early = await rerate(ledger, is_preview=True, end_time=timestamp(JUNE), start_time=timestamp(JUNE - DAY))

    assert (credits_of(one), counts_of(one)) == ([(5, 0, 0, 0)], (1, 1, 0, 0))
    assert (credits_of(everyone), counts_of(everyone)) == ([(25, 0, 0, 0)], (2, 2, 0, 0))
    assert (credits_of(early), counts_of(early)) == ([], (0, 0, 0, 0))
    assert (everyone.rerate_job_id, one.customer_id) == ("", "cus_other")
    assert await sql.everything() == before
    done = await rerated(ledger, request_id="once")
    assert (credits_of(done), counts_of(done)) == ([(25, 0, 25, 0)], (2, 2, 2, 2))
    again = await rerated(ledger)
    assert (credits_of(again), counts_of(again)) == ([], (0, 0, 0, 0))


async def test_a_job_is_started_once_per_request_id_and_jobs_are_listed(ledger: RunningLedger) -> None:
    first = await rerate(ledger, request_id="once")
    await ledger.flush()

    again = await rerate(ledger, request_id="once")
    second = await rerate(ledger, customer="acme")

    assert (again.rerate_job_id, again.state) == (first.rerate_job_id, usage.RERATE_JOB_STATE_DONE)
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="once"):
        await rerate(ledger, request_id="once", reason="another one")
    page = await ledger.usage.ListRerateJobs(usage.ListRerateJobsRequest(page_size=1))
    rest = await ledger.usage.ListRerateJobs(
        usage.ListRerateJobsRequest(page_size=1, page_token=page.next_page_token)
    )
    assert [(one.rerate_job_id, one.customer_id) for one in (*page.jobs, *rest.jobs)] == [
        (second.rerate_job_id, "cus_acme"),
        (first.rerate_job_id, ""),
    ]
    assert rest.next_page_token == ""


async def test_what_cannot_be_asked_for_has_a_reason(ledger: RunningLedger, sql: Sql) -> None:
    before = await sql.everything()

    with fault(StatusCode.NOT_FOUND, "PRODUCT_NOT_FOUND", product_id="prd_x"):
        await rerate(ledger, product_id="prd_x")
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await rerate(ledger, customer="nobody")
    with fault(StatusCode.NOT_FOUND, "RERATE_JOB_NOT_FOUND", rerate_job_id="rrj_x"):
        await ledger.usage.GetRerateJob(usage.GetRerateJobRequest(rerate_job_id="rrj_x"))
    with bad_fields("start_time", "end_time", "request_id", "product_id", "reason", "actor"):
        await ledger.usage.RerateUsage(usage.RerateUsageRequest())
    with bad_fields("end_time"):
        await rerate(ledger, end_time=timestamp(JUNE))
    with bad_fields("rerate_job_id"):
        await ledger.usage.GetRerateJob(usage.GetRerateJobRequest())
    with bad_fields("page_token"):
        await ledger.usage.ListRerateJobs(usage.ListRerateJobsRequest(page_token="x"))
    assert await sql.everything() == before


async def test_usage_on_a_meter_that_a_job_corrects_can_be_corrected_when_the_job_is_done(
    ledger: RunningLedger, databases: Databases
) -> None:
    await price(ledger, flat(2), version=2)
    await record(ledger, *(an_event(f"e{number}", "10") for number in range(3)))
    await price(ledger, flat(2), flat(1), version=3)
    job = await rerate(ledger)

    async with worker(ledger, databases) as rerating:
        await void(ledger, "e0")  # not begun yet
        for _ in range(3):
            await rerating.step()
        for correct in (void(ledger, "e1"), amend(ledger, "e1", "5")):
            with fault(StatusCode.ABORTED, "RERATE_IN_PROGRESS", rerate_job_id=job.rerate_job_id):
                await correct
        await finish(rerating)

    await void(ledger, "e1")
    assert (await ledger.pool()).available_micros == 390 * CREDIT
    await ledger.assert_adds_up()


async def test_a_replica_goes_on_where_another_one_was_killed(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    """Each step is one transaction: after every number of steps another worker goes on."""
    await price(ledger, flat(2), version=2)
    await record(ledger, *(an_event(f"e{number}", str(number)) for number in range(9)))
    await price(ledger, flat(2), flat(1), version=3)
    job = await rerate(ledger)
    is_left = True
    while is_left:
        async with worker(ledger, databases) as rerating:
            is_left = await rerating.step()
        await ledger.assert_adds_up()

    assert await meter(sql) == ("rat_1", 36, 0)
    # The event of 0 units costs nothing at any price.
    assert [one[0] for one in await corrections(ledger)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert counts_of(await job_of(ledger, job)) == (1, 1, 1, 9)


async def test_the_recount_finds_a_meter_that_is_not_rated(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    await price(ledger, flat(2), version=2)
    await record(ledger, an_event("e1", "10"))
    await price(ledger, flat(2), flat(1), version=3)
    await rerate(ledger)
    async with worker(ledger, databases) as rerating:
        for _ in range(3):
            await rerating.step()
    await ledger.assert_adds_up()

    await sql.execute("UPDATE ledger.meters SET unrated_micros = unrated_micros + 1")
    wrong = await ledger.admin.VerifyLedger(admin.VerifyLedgerRequest(customer="acme"))
    await sql.execute("UPDATE ledger.meters SET unrated_micros = unrated_micros - 1")
    await sql.execute("DELETE FROM ledger.rerate_meters")
    forgotten = await ledger.admin.VerifyLedger(admin.VerifyLedgerRequest())

    figure = "unrated_micros of meter rat_0 from 2025-06-01 00:00:00+00"
    for found, stored, right in ((wrong, 10 * CREDIT + 1, 10 * CREDIT), (forgotten, 10 * CREDIT, 0)):
        (one,) = found.discrepancies
        assert (one.figure, one.credit_type_id) == (figure, AI)
        assert (one.stored_micros, one.recomputed_micros) == (stored, right)
