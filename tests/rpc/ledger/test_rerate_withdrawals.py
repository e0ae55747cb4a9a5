# SPDX-License-Identifier: Apache-2.0
"""A rate was withdrawn in time, but its withdrawal arrives late: the usage is priced again without being asked."""

from datetime import UTC, datetime, timedelta

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.ledger import AI, CREDIT, JULY, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.reported import an_event, record
from tests.support.rerating import counts_of, credits_of, flat, meter, price, rerated

DAY = timedelta(days=1)
MAY = datetime(2025, 5, 1, tzinfo=UTC)
NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)


async def jobs(ledger: RunningLedger) -> list[usage.RerateJob]:
    """Return all jobs, newest first."""
    return list((await ledger.usage.ListRerateJobs(usage.ListRerateJobsRequest())).jobs)


def a_line(
    *rates: tuple[str, int, datetime, datetime | None, bool], credit_type_id: str = AI
) -> list[peer_pb.UsageRate]:
    """Return rates of one line: id, credits a unit, start, end, and whether it is withdrawn."""
    return [
        a_rate(
            rate_id=rate_id,
            price_micros=credits * CREDIT,
            start=start,
            end=end,
            is_withdrawn=is_withdrawn,
            credit_type_id=credit_type_id,
        )
        for rate_id, credits, start, end, is_withdrawn in rates
    ]


async def test_a_withdrawal_that_comes_after_the_rate_began_prices_its_usage_again_by_itself(
    ledger: RunningLedger, sql: Sql
) -> None:
    """10 a unit from noon, withdrawn in time: until the Ledger knows that, it charges 10 instead of 2."""
    before, wrong = ("rat_before", 2, MAY, NOON, False), ("rat_wrong", 10, NOON, None, False)
    await ledger.tell_card(*a_line(before, wrong), version=2)
    ledger.clock.advance_to(NOON)
    await record(ledger, an_event("e1", "5", at=NOON - DAY), an_event("e2", "20", at=NOON))

    card = a_line(("rat_before", 2, MAY, None, False), ("rat_wrong", 10, NOON, None, True))
    await ledger.tell_card(*card, version=3)
    await ledger.tell_card(*card, version=3)
    (waiting,) = await jobs(ledger)
    (new,) = await record(ledger, an_event("e3", "1", at=NOON))
    await ledger.flush()

    (job,) = await jobs(ledger)
    assert (waiting.rerate_job_id, waiting.state) == (job.rerate_job_id, usage.RERATE_JOB_STATE_RUNNING)
    assert (job.state, job.actor, job.customer_id) == (usage.RERATE_JOB_STATE_DONE, "catalog", "")
    assert "rat_wrong" in job.reason
    assert (credits_of(job), new.credits_micros) == ([(160, 0, 160, 0)], 2 * CREDIT)
    rows = await sql.rows("SELECT root_rate_id, rate_id, cost_micros FROM ledger.meters ORDER BY 1")
    assert [(row["root_rate_id"], row["rate_id"], row["cost_micros"] // CREDIT) for row in rows] == [
        ("rat_before", "rat_before", 12),
        ("rat_wrong", "rat_before", 40),
    ]
    await ledger.assert_adds_up()
    # What replaces a withdrawn rate may be corrected too.
    corrected = a_rate(
        rate_id="rat_right",
        price_micros=CREDIT,
        start=MAY,
        corrects_rate_id="rat_before",
        create_time=timestamp(NOON),
    )
    await ledger.tell_card(*card, corrected, version=4)
    assert credits_of(await rerated(ledger)) == [(26, 0, 26, 0)]
    await ledger.assert_adds_up()


async def test_a_withdrawal_without_usage_and_a_correcting_rate_start_no_job(
    ledger: RunningLedger, sql: Sql
) -> None:
    unused = ("rat_unused", 10, JULY, None, False)
    before = ("rat_0", 2, MAY, JULY, False)
    await ledger.tell_card(*a_line(before, unused), version=2)
    await record(ledger, an_event("e1", "5"))

    await ledger.tell_card(*a_line(before), version=3)
    await price(ledger, flat(2), flat(1), version=4, start=MAY)
    await ledger.flush()

    assert await jobs(ledger) == []
    assert await meter(sql) == ("rat_0", 10, 0)


async def test_usage_of_a_withdrawn_rate_keeps_its_price_if_nothing_prices_it_instead(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.tell_card(*a_line(("rat_only", 10, MAY, None, False)), version=2)
    await record(ledger, an_event("e1", "5"))

    others = a_line(("rat_other", 1, MAY, None, False), credit_type_id="crt_other")
    await ledger.tell_card(*a_line(("rat_only", 10, MAY, None, True)), *others, version=3)
    await ledger.flush()

    (job,) = await jobs(ledger)
    assert (counts_of(job), credits_of(job)) == ((0, 0, 0, 0), [])
    assert await meter(sql) == ("rat_only", 50, 0)
    await ledger.assert_adds_up()


async def test_usage_dated_ahead_is_priced_again_if_its_rate_is_withdrawn_before_it_begins(
    ledger: RunningLedger, sql: Sql
) -> None:
    ledger.clock.advance_to(JULY - DAY)
    coming, before = ("rat_coming", 10, JULY, None, False), ("rat_before", 2, MAY, JULY, False)
    await ledger.tell_card(*a_line(before, coming), version=2)
    await record(ledger, an_event("e1", "5", at=JULY))

    withdrawn = ("rat_coming", 10, JULY, None, True)
    await ledger.tell_card(*a_line(("rat_before", 2, MAY, None, False), withdrawn), version=3)
    await ledger.flush()

    assert await meter(sql) == ("rat_before", 10, 0)
    await ledger.assert_adds_up()
