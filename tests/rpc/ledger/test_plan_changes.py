# SPDX-License-Identifier: Apache-2.0
"""ApplyPlanChange: one contract ends, another begins, and the answer says how much of the old credits was unused."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, AUGUST, CREDIT, JULY, JUNE, RunningLedger, a_schedule
from tests.support.ledger_plans import CHANGE, JUNE_PAID, KEEP, ROLL, VOID, change_plan, plan_a, plan_b


def _unused(answer: peer_pb.ApplyPlanChangeResponse) -> dict[str, Fraction]:
    return {one.subscription_id: Fraction(one.numerator, one.denominator) for one in answer.unused}


async def _balance(ledger: RunningLedger) -> int:
    return (await ledger.pool()).available_micros // CREDIT


async def test_unspent_credits_of_the_old_plan_are_voided_and_those_of_the_new_one_granted(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(CHANGE)

    answer = await change_plan(ledger)

    (ended,) = answer.ended
    assert (ended.granted_micros, ended.voided_micros, ended.rolled_micros, ended.to_come_micros) == (
        400 * CREDIT,
        400 * CREDIT,
        0,
        0,
    )
    assert _unused(answer) == {"sub_1": Fraction(1)}
    assert [(one.grant_schedule_id, one.amount_micros) for one in answer.begun] == [("sch_2", 800 * CREDIT)]
    assert answer.apply_time == timestamp(CHANGE)
    assert await _balance(ledger) == 800
    await ledger.assert_adds_up()


@pytest.mark.parametrize(
    ("spent", "unused"), [(400, Fraction(0)), (100, Fraction(3, 4)), (399, Fraction(1, 400))]
)
async def test_what_was_spent_does_not_come_back(ledger: RunningLedger, spent: int, unused: Fraction) -> None:
    await ledger.debit(spent)
    ledger.clock.advance_to(CHANGE)

    answer = await change_plan(ledger)

    assert _unused(answer) == {"sub_1": unused}
    assert answer.ended[0].voided_micros == (400 - spent) * CREDIT
    assert await _balance(ledger) == 800


async def test_what_a_hold_reserves_counts_as_used_and_is_voided_when_it_returns(
    ledger: RunningLedger,
) -> None:
    hold = await ledger.authorize(100)
    other = await ledger.authorize(50)
    ledger.clock.advance_to(CHANGE)
    hold_at_change = await ledger.authorize(40)

    answer = await change_plan(ledger)
    assert _unused(answer) == {"sub_1": Fraction(360, 400)}  # the first two holds have expired
    await ledger.release(hold_at_change.hold_id)

    assert await _balance(ledger) == 800
    assert hold.decision == other.decision == pb.DECISION_ALLOWED
    await ledger.assert_adds_up()


async def test_a_hold_of_before_the_change_can_still_be_captured(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(CHANGE)
    hold = await ledger.authorize(40)
    await change_plan(ledger)

    captured = await ledger.capture(hold.hold_id, 30)

    assert captured.shortfall_micros == 0
    assert await _balance(ledger) == 800  # the 30 were the old plan's, and the 10 are voided
    await ledger.assert_adds_up()


async def test_kept_credits_stay_until_their_period_ends_and_are_not_unused(ledger: RunningLedger) -> None:
    await ledger.debit(100)
    ledger.clock.advance_to(CHANGE)

    answer = await change_plan(ledger, KEEP)

    assert _unused(answer) == {"sub_1": Fraction(0)}
    assert await _balance(ledger) == 1_100
    ledger.clock.advance_to(JULY)
    assert await _balance(ledger) == 800
    await ledger.assert_adds_up()


async def test_rolled_credits_become_a_grant_that_expires_when_they_would_have(ledger: RunningLedger) -> None:
    await ledger.debit(100)
    ledger.clock.advance_to(CHANGE)

    answer = await change_plan(ledger, ROLL)

    assert (answer.ended[0].voided_micros, answer.ended[0].rolled_micros) == (0, 300 * CREDIT)
    assert _unused(answer) == {"sub_1": Fraction(0)}
    assert await _balance(ledger) == 1_100
    rolled = [one for one in await ledger.grants() if one.granted_micros == 300 * CREDIT]
    assert [one.expire_time for one in rolled] == [timestamp(JULY)]
    ledger.clock.advance_to(JULY)
    assert await _balance(ledger) == 800
    await ledger.assert_adds_up()


async def test_of_a_paid_year_the_months_to_come_are_unused_too(ledger: RunningLedger) -> None:
    year = peer_pb.PaidPeriod(
        subscription_id="sub_1",
        start_time=timestamp(JUNE),
        end_time=timestamp(JUNE.replace(year=2026)),
        seats=4,
    )
    await ledger.debit(400)  # all of June; in July 100 of 400
    ledger.clock.advance_to(JULY)
    await ledger.debit(100)
    change = datetime(2025, 7, 16, tzinfo=UTC)
    ledger.clock.advance_to(change)

    answer = await change_plan(ledger, ended=plan_a(until=change), begun=plan_b(start=change), paid=(year,))

    (ended,) = answer.ended
    assert (ended.granted_micros, ended.voided_micros, ended.to_come_micros) == (
        800 * CREDIT,
        300 * CREDIT,
        4_000 * CREDIT,
    )
    assert _unused(answer) == {"sub_1": Fraction(4_300, 4_800)}


@pytest.mark.parametrize(("spent", "voided"), [(0, 400), (100, 300)])
async def test_credits_of_a_period_that_nobody_paid_for_are_not_unused(
    ledger: RunningLedger, spent: int, voided: int
) -> None:
    """The notice arrives when the old plan has granted July, which the new plan is billed for."""
    await ledger.debit(400)  # all of June
    ledger.clock.advance_to(JULY.replace(day=2))
    if spent:
        await ledger.debit(spent)

    answer = await change_plan(ledger)

    (ended,) = answer.ended
    assert (ended.granted_micros, ended.voided_micros) == (400 * CREDIT, voided * CREDIT)
    assert _unused(answer) == {"sub_1": Fraction(0)}


async def test_of_a_paid_year_a_month_that_began_before_the_notice_arrived_is_unused_as_far_as_it_is(
    ledger: RunningLedger,
) -> None:
    year = peer_pb.PaidPeriod(
        subscription_id="sub_1",
        start_time=timestamp(JUNE),
        end_time=timestamp(JUNE.replace(year=2026)),
        seats=4,
    )
    await ledger.debit(400)
    ledger.clock.advance_to(JULY.replace(day=2))
    await ledger.debit(100)

    answer = await change_plan(ledger, paid=(year,))

    # Of 12 months with 400 each, June's and 100 of July's are used.
    assert _unused(answer) == {"sub_1": Fraction(4_300, 4_800)}


async def test_the_least_of_a_subscriptions_schedules_counts(ledger: RunningLedger) -> None:
    more = a_schedule(grant_schedule_id="sch_x", credit_type_id="crt_images", unit_amount_micros=CREDIT)
    await ledger.apply_contract(start=JUNE, version=2, schedules=[a_schedule(), more])
    await ledger.debit(100)
    ledger.clock.advance_to(CHANGE)

    answer = await change_plan(ledger, ended=plan_a(version=3, schedules=(a_schedule(), more)))

    assert _unused(answer) == {"sub_1": Fraction(3, 4)}
    assert {one.grant_schedule_id: one.voided_micros for one in answer.ended} == {
        "sch_1": 300 * CREDIT,
        "sch_x": 4 * CREDIT,
    }


async def test_a_repeated_notice_gets_the_first_answer_and_takes_nothing_twice(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(CHANGE)
    first = await change_plan(ledger)
    await ledger.debit(500)
    ledger.clock.advance_to(CHANGE.replace(day=20))

    assert await change_plan(ledger) == first
    assert await _balance(ledger) == 300
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await change_plan(ledger, KEEP)


async def test_usage_before_the_notice_arrives_is_the_old_plans(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(CHANGE.replace(day=17))
    await ledger.debit(400)

    answer = await change_plan(ledger)

    assert _unused(answer) == {"sub_1": Fraction(0)}
    assert await _balance(ledger) == 800


async def test_credits_that_were_bought_stay(ledger: RunningLedger) -> None:
    await ledger.top_up(1_000)
    ledger.clock.advance_to(CHANGE)

    await change_plan(ledger)

    assert await _balance(ledger) == 1_800


async def test_a_change_that_does_not_fit_together_is_refused_and_changes_nothing(
    ledger: RunningLedger,
) -> None:
    with bad_fields("ended.end_time"):
        await change_plan(ledger, ended=plan_a(end_time=None))
    with bad_fields("begun.start_time"):
        await change_plan(ledger, begun=plan_b(start=JULY))
    with bad_fields("begun.customer_id"):
        await change_plan(ledger, begun=plan_b(customer_id="cus_other"))
    with bad_fields("included_credits"):
        await change_plan(ledger, peer_pb.INCLUDED_CREDITS_UNSPECIFIED)
    backwards = peer_pb.PaidPeriod(
        subscription_id="", start_time=timestamp(JULY), end_time=timestamp(JULY), seats=-1
    )
    with bad_fields("paid_periods[0].subscription_id", "paid_periods[0].end_time", "paid_periods[0].seats"):
        await change_plan(ledger, paid=(backwards,))
    eleven_years = peer_pb.PaidPeriod(
        subscription_id="sub_1",
        start_time=timestamp(JUNE),
        end_time=timestamp(JUNE.replace(year=2036)),
    )
    with bad_fields("paid_periods[0].end_time"):
        await change_plan(ledger, paid=(eleven_years,))
    assert await _balance(ledger) == 400


@pytest.mark.parametrize("is_unwanted", [False, True])
async def test_a_contract_can_end_without_another_one(ledger: RunningLedger, *, is_unwanted: bool) -> None:
    await ledger.debit(100)
    ledger.clock.advance_to(JUNE.replace(hour=23) if is_unwanted else CHANGE)
    request = peer_pb.ApplyPlanChangeRequest(
        request_id="ntc_1",
        customer_id="cus_acme",
        ended=plan_a(until=JUNE if is_unwanted else CHANGE),
        included_credits=VOID,
        paid_periods=(JUNE_PAID,),
    )

    answer = await ledger.peer.ApplyPlanChange(request)

    assert _unused(answer) == {"sub_1": Fraction(3, 4)}
    assert not answer.begun
    assert await _balance(ledger) == 0
    assert await ledger.peer.ApplyPlanChange(request) == answer
    ledger.clock.advance_to(AUGUST)
    assert await _balance(ledger) == 0
    await ledger.assert_adds_up()


async def test_an_unknown_customer_changes_no_plan(ledger: RunningLedger) -> None:
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await ledger.peer.ApplyPlanChange(
            peer_pb.ApplyPlanChangeRequest(
                request_id="ntc_1",
                customer_id="cus_x",
                ended=plan_a(customer_id="cus_x"),
                begun=plan_b(customer_id="cus_x"),
                included_credits=VOID,
            )
        )


async def test_a_plan_with_another_credit_type_ends_one_pools_credits_and_begins_anothers(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(CHANGE)
    images = a_schedule(
        grant_schedule_id="sch_2",
        subscription_id="sub_2",
        credit_type_id="crt_images",
        anchor_time=timestamp(CHANGE),
    )

    preview = await ledger.peer.PreviewPlanChange(
        peer_pb.PreviewPlanChangeRequest(
            customer_id="cus_acme",
            ended=plan_a(),
            begun=plan_b(grant_schedules=[images]),
            included_credits=VOID,
        )
    )
    answer = await change_plan(ledger, begun=plan_b(grant_schedules=[images]), paid=())

    assert list(preview.begun) == list(answer.begun)
    assert [(one.credit_type_id, one.amount_micros) for one in answer.begun] == [("crt_images", 400 * CREDIT)]
    assert [one.credit_type_id for one in answer.ended] == [AI]
    assert await _balance(ledger) == 0


async def test_a_preview_says_what_the_change_then_does_and_changes_nothing(ledger: RunningLedger) -> None:
    await ledger.debit(100)
    ledger.clock.advance_to(CHANGE)
    preview = await ledger.peer.PreviewPlanChange(
        peer_pb.PreviewPlanChangeRequest(
            customer_id="cus_acme",
            ended=plan_a(),
            begun=plan_b(),
            included_credits=VOID,
            paid_periods=[JUNE_PAID],
        )
    )
    assert await _balance(ledger) == 300

    answer = await change_plan(ledger)

    assert list(preview.ended) == list(answer.ended)
    assert list(preview.unused) == list(answer.unused)
    assert list(preview.begun) == list(answer.begun)
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND"):
        await ledger.peer.PreviewPlanChange(
            peer_pb.PreviewPlanChangeRequest(
                customer_id="cus_x", ended=plan_a(), begun=plan_b(), included_credits=VOID
            )
        )


@pytest.mark.parametrize("included", [KEEP, VOID, ROLL])
@pytest.mark.parametrize("arrives", [JULY, JULY.replace(day=3)])
async def test_the_old_plan_grants_nothing_for_a_period_that_begins_at_thechange_plan(
    ledger: RunningLedger, included: "peer_pb.IncludedCredits", arrives: datetime
) -> None:
    ledger.clock.advance_to(arrives)

    answer = await change_plan(ledger, included, ended=plan_a(until=JULY), begun=plan_b(start=JULY), paid=())

    assert await _balance(ledger) == 800
    assert not answer.unused
    await ledger.assert_adds_up()


@pytest.mark.parametrize(("spent", "unused"), [(0, Fraction(1)), (300, Fraction(5, 8)), (800, Fraction(0))])
async def test_a_plan_that_is_changed_at_the_instant_it_began_counts_what_was_spent_of_it(
    ledger: RunningLedger, spent: int, unused: Fraction
) -> None:
    """Otherwise spending at once and changing again would cost nothing."""
    ledger.clock.advance_to(CHANGE)
    await change_plan(ledger)
    if spent:
        await ledger.debit(spent)
    paid = peer_pb.PaidPeriod(
        subscription_id="sub_2",
        start_time=timestamp(CHANGE),
        end_time=timestamp(CHANGE.replace(month=7)),
        seats=4,
    )
    third = a_schedule(grant_schedule_id="sch_3", subscription_id="sub_3", anchor_time=timestamp(CHANGE))

    answer = await change_plan(
        ledger,
        ended=plan_b(version=2, end_time=timestamp(CHANGE)),
        begun=plan_b(
            contract_id="con_3",
            subscriptions=[peer_pb.SubscriptionSeats(subscription_id="sub_3", initial_quantity=4)],
            grant_schedules=[third],
        ),
        paid=(paid,),
        request_id="ntc_2",
    )

    assert _unused(answer) == {"sub_2": unused}
    assert await _balance(ledger) == 400
    await ledger.assert_adds_up()


@pytest.mark.parametrize(("spent", "unused"), [(0, Fraction(1)), (100, Fraction(3, 4)), (400, Fraction(0))])
async def test_at_the_instant_at_which_a_paid_period_began_what_was_spent_of_it_counts(
    ledger: RunningLedger, spent: int, unused: Fraction
) -> None:
    ledger.clock.advance_to(JULY)
    if spent:
        await ledger.debit(spent)
    july = peer_pb.PaidPeriod(
        subscription_id="sub_1", start_time=timestamp(JULY), end_time=timestamp(AUGUST), seats=4
    )

    answer = await change_plan(ledger, ended=plan_a(until=JULY), begun=plan_b(start=JULY), paid=(july,))

    assert _unused(answer) == {"sub_1": unused}
    assert await _balance(ledger) == 800
    await ledger.assert_adds_up()
