# SPDX-License-Identifier: Apache-2.0
"""Rerate jobs: previews, steps that any replica can take, and what may happen between two of them."""

from datetime import timedelta

from grpc import StatusCode

from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, record
from tests.support.rerating import (
    amend,
    corrections,
    counts_of,
    credits_of,
    finish,
    flat,
    job_of,
    meter,
    price,
    rerate,
    rerated,
    void,
    worker,
)

UNIT = 1_000_000
DAY = timedelta(days=1)


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


async def test_a_job_in_hand_is_finished_before_one_that_is_older_by_another_clock(
    ledger: RunningLedger, databases: Databases, sql: Sql
) -> None:
    await price(ledger, flat(2), version=2)
    await record(ledger, *(an_event(f"e{number}", "10") for number in range(3)))
    await price(ledger, flat(2), flat(1), version=3)
    async with worker(ledger, databases) as rerating:
        for steps in (1, 3):
            first = await rerate(ledger)
            for _ in range(steps):
                await rerating.step()
            older = await rerate(ledger)
            await sql.execute(
                "UPDATE ledger.rerate_jobs SET create_time = create_time - interval '1 second'"
                " WHERE rerate_job_id = $1",
                older.rerate_job_id,
            )
            await finish(rerating)

            for job, meters in ((first, 1), (older, 0)):
                done = await job_of(ledger, job)
                assert (done.state, done.meters_done) == (usage.RERATE_JOB_STATE_DONE, meters)
            await price(ledger, flat(2), flat(1), flat(3), version=4)
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


async def test_an_event_cannot_be_moved_to_a_meter_that_a_job_corrects(
    ledger: RunningLedger, databases: Databases
) -> None:
    """It was on that meter before: with what it adds now it would be counted twice."""
    await ledger.tell_product("prd_assistant", version=2, dimensions=("model",))
    small = a_rate(rate_id="rat_small", price_micros=CREDIT, dimension_values={"model": "small"})
    wrong = a_rate(rate_id="rat_0", price_micros=4 * CREDIT)
    await ledger.tell_card(wrong, small, version=2)
    await record(ledger, an_event("moved", "10"), an_event("stayed", "10"))
    await amend(ledger, "moved", "10", model="small")
    right = a_rate(
        rate_id="rat_1", price_micros=2 * CREDIT, corrects_rate_id="rat_0", create_time=timestamp(JUNE)
    )
    await ledger.tell_card(wrong, right, small, version=3)
    job = await rerate(ledger)

    async with worker(ledger, databases) as rerating:
        for _ in range(3):
            await rerating.step()
        with fault(StatusCode.ABORTED, "RERATE_IN_PROGRESS", rerate_job_id=job.rerate_job_id):
            await amend(ledger, "moved", "10")
        await ledger.assert_adds_up()
        await finish(rerating)

    await amend(ledger, "moved", "10")
    assert (await ledger.pool()).available_micros == (400 - 40) * CREDIT
    await ledger.assert_adds_up()


async def test_a_meter_that_would_cost_more_than_int64_keeps_its_rate_and_holds_up_no_later_job(
    ledger: RunningLedger, sql: Sql
) -> None:
    await price(ledger, flat(0), version=2)
    await ledger.debit(0, quantity_micros=INT64_MAX)
    await price(ledger, flat(0), flat(12), version=3)

    first = await rerated(ledger)
    second = await rerated(ledger)

    assert [job.state for job in (first, second)] == [usage.RERATE_JOB_STATE_DONE] * 2
    assert await meter(sql) == ("rat_0", 0, 0)
    await ledger.assert_adds_up()


async def test_a_meter_that_would_cost_just_less_is_rerated(ledger: RunningLedger, sql: Sql) -> None:
    await price(ledger, flat(0), version=2)
    await ledger.debit(0, quantity_micros=INT64_MAX - 1)
    await price(ledger, flat(0), flat(1), version=3)

    job = await rerated(ledger)

    assert job.state == usage.RERATE_JOB_STATE_DONE
    assert await meter(sql) == ("rat_1", (INT64_MAX - 1) // CREDIT, 0)


async def test_what_a_job_expects_stays_at_the_most_that_int64_holds(ledger: RunningLedger, sql: Sql) -> None:
    await price(ledger, flat(0), version=2)
    await ledger.debit(0, quantity_micros=UNIT)
    await price(ledger, flat(0), flat(1), version=3)
    job = await rerate(ledger)
    await sql.execute(
        "INSERT INTO ledger.rerate_credits (rerate_job_id, credit_type_id, expected_returned_micros,"
        f" expected_charged_micros, returned_micros, charged_micros) VALUES ($1, $2, 0, {INT64_MAX}, 0, {INT64_MAX})",
        job.rerate_job_id,
        AI,
    )

    await ledger.flush()

    done = await job_of(ledger, job)
    assert done.state == usage.RERATE_JOB_STATE_DONE
    assert [(one.expected_charged_micros, one.charged_micros) for one in done.credits] == [
        (INT64_MAX, INT64_MAX)
    ]
