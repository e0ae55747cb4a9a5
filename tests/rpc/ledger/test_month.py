# SPDX-License-Identifier: Apache-2.0
"""Acme's summer, on the Ledger alone: the goldens of seats, months, top-ups and caps through the public rpcs."""

from datetime import UTC, datetime, timedelta

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, RunningLedger


async def test_four_seats_bring_400_credits_in_june(ledger: RunningLedger) -> None:
    pool = await ledger.pool()

    assert pool.available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_a_seat_added_on_3_july_brings_its_share_of_july(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY)
    ledger.clock.advance_to(datetime(2025, 7, 3, tzinfo=UTC))

    added = await ledger.change_seats(1, datetime(2025, 7, 3, tzinfo=UTC), sequence=1)

    assert [one.amount_micros for one in added.credits] == [93_548_387]
    assert (await ledger.pool()).available_micros == 493_548_387
    await ledger.assert_adds_up()


async def test_a_seat_removed_and_added_again_brings_nothing_until_august(ledger: RunningLedger) -> None:
    for sequence, (delta, day) in enumerate([(1, 3), (-1, 10), (1, 20)], start=1):
        ledger.clock.advance_to(datetime(2025, 7, day, tzinfo=UTC))
        await ledger.change_seats(delta, datetime(2025, 7, day, tzinfo=UTC), sequence=sequence)

    assert (await ledger.pool()).available_micros == 493_548_387
    ledger.clock.advance_to(AUGUST)
    assert (await ledger.pool()).available_micros == 500 * CREDIT
    await ledger.assert_adds_up()


async def test_included_credits_burn_before_a_top_up_and_only_they_end_with_the_month(
    ledger: RunningLedger,
) -> None:
    await ledger.top_up(1_000)

    await ledger.debit(450)

    pool = await ledger.pool()
    assert [(grant.grant_kind, grant.available_micros) for grant in pool.grants] == [
        (pb.GRANT_KIND_INCLUDED, 0),
        (pb.GRANT_KIND_TOP_UP, 950 * CREDIT),
    ]
    ledger.clock.advance_to(JULY)
    assert [grant.available_micros for grant in (await ledger.pool()).grants] == [400 * CREDIT, 950 * CREDIT]
    await ledger.assert_adds_up()


async def test_the_first_microsecond_of_the_month_has_its_credits_and_the_one_before_has_not(
    ledger: RunningLedger,
) -> None:
    await ledger.debit(400)
    ledger.clock.advance_to(JULY - timedelta(microseconds=1))
    denied = await ledger.authorize(1)
    ledger.clock.advance_to(JULY)
    allowed = await ledger.authorize(400)

    assert (denied.decision, denied.denial_reason) == (
        pb.DECISION_DENIED,
        pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
    )
    assert allowed.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_user_at_the_cap_is_denied_while_others_go_on(ledger: RunningLedger) -> None:
    await ledger.admin.SetSpendCap(
        admin.SetSpendCapRequest(
            request_id=ledger.request_id(),
            customer="acme",
            credit_type_id=AI,
            group_key="user_id",
            group_value="user_1234",
            limit_micros=100 * CREDIT,
        )
    )
    await ledger.debit(90, user="user_1234")

    over = await ledger.authorize(11, user="user_1234")
    within = await ledger.authorize(10, user="user_1234")
    other = await ledger.authorize(11, user="user_5678")

    assert (over.denial_reason, over.affordable_credits_micros) == (
        pb.DENIAL_REASON_SPEND_CAP_REACHED,
        10 * CREDIT,
    )
    assert within.decision == other.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()
