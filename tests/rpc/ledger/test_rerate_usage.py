# SPDX-License-Identifier: Apache-2.0
"""RerateUsage: usage that was charged before its rate was corrected costs what the corrected rate says."""

from datetime import UTC, datetime, timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from tests.support.call_lines import THOUSAND, authorize_lines, capture_lines, debit_lines, tokens
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, record
from tests.support.rerating import (
    amend,
    corrections,
    counts_of,
    credits_of,
    flat,
    graduated,
    meter,
    price,
    rerate,
    rerated,
    void,
    worker,
)

UNIT = 1_000_000
DAY = timedelta(days=1)
NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)
# 0 to 1,000 units at 1 credit, to 10,000 at 0.5, above at 0.25.
FALLING = graduated((1_000, "1"), (10_000, "0.5"), (0, "0.25"))


async def spent_by(ledger: RunningLedger, user: str) -> int:
    """Return what a cap counts for a user, in whole credits."""
    await ledger.set_cap(300, user=user)
    asked = await ledger.authorize(5_000, user=user)
    return 300 - asked.affordable_credits_micros // CREDIT


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


async def test_lines_of_one_call_are_priced_again_each_by_its_rate(ledger: RunningLedger, sql: Sql) -> None:
    """One rate prices input and cached tokens, so both count on one meter; output has its own rate, which stays."""
    await ledger.tell_product("prd_tokens", dimensions=("token_kind",))
    rates = [
        a_rate("prd_tokens", rate_id="rat_other", price_micros=2 * CREDIT, per_micros=THOUSAND),
        a_rate(
            "prd_tokens",
            rate_id="rat_output",
            price_micros=4 * CREDIT,
            per_micros=THOUSAND,
            dimension_values={"token_kind": "output"},
        ),
    ]
    await ledger.tell_card(*rates, version=2)
    lines = [tokens("input", 10_000), tokens("cached", 20_000), tokens("output", 5_000)]
    hold = await authorize_lines(ledger, *lines, user="ann")
    await capture_lines(ledger, hold.hold_id, *lines)
    await debit_lines(ledger, *lines, user="bob")
    assert (await ledger.pool()).available_micros == (400 - 2 * (20 + 40 + 20)) * CREDIT

    right = a_rate(
        "prd_tokens",
        rate_id="rat_right",
        price_micros=3 * CREDIT,
        per_micros=THOUSAND,
        corrects_rate_id="rat_other",
        create_time=timestamp(NOON),
    )
    await ledger.tell_card(*rates, right, version=3)
    dearer = await rerated(ledger, product_id="prd_tokens")
    cheaper = a_rate(
        "prd_tokens",
        rate_id="rat_cheaper",
        price_micros=CREDIT,
        per_micros=THOUSAND,
        corrects_rate_id="rat_other",
        create_time=timestamp(NOON + DAY),
    )
    await ledger.assert_adds_up()
    await ledger.tell_card(*rates, right, cheaper, version=4)
    back = await rerated(ledger, product_id="prd_tokens")

    assert (credits_of(dearer), credits_of(back)) == ([(0, 60, 0, 60)], [(120, 0, 120, 0)])
    assert (await ledger.pool()).available_micros == (400 - 2 * (10 + 20 + 20)) * CREDIT
    by_kind = await sql.rows(
        "SELECT dimension_values ->> 'token_kind' AS kind, sum(-amount_micros)::bigint AS spent FROM ledger.entries"
        " WHERE product_id = 'prd_tokens' GROUP BY 1 ORDER BY 1"
    )
    assert [(row["kind"], row["spent"] // CREDIT) for row in by_kind] == [
        ("cached", 40),
        ("input", 20),
        ("output", 40),
    ]
    await ledger.usage.VoidUsage(
        usage.VoidUsageRequest(
            request_id=ledger.request_id(),
            customer="acme",
            hold_id=hold.hold_id,
            reason="reported twice",
            actor="ops@seatsco.example",
        )
    )
    assert (await ledger.pool()).available_micros == (400 - (10 + 20 + 20)) * CREDIT
    await ledger.assert_adds_up()
