# SPDX-License-Identifier: Apache-2.0
"""What holds of the old plan return after a change: it follows the rest that rolled, and is voided otherwise."""

from datetime import timedelta

import pytest

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from tests.support.ledger import CREDIT, JULY, RunningLedger, two_ledgers
from tests.support.ledger_plans import CHANGE, KEEP, ROLL, VOID, change_plan
from tests.support.postgres import Databases

# What the new plan brings. Beside it, the tests see what is left of the old plan's 400.
NEW = 800


async def _left(ledger: RunningLedger) -> int:
    return (await ledger.pool()).available_micros // CREDIT - NEW


async def _rolled(ledger: RunningLedger) -> pb.Grant:
    """Return the grant that the old plan's rest became."""
    included = [one for one in await ledger.grants() if one.grant_kind == pb.GRANT_KIND_INCLUDED]
    (rolled,) = [one for one in included if not one.grant_schedule_id]
    return rolled


@pytest.mark.parametrize(("included", "left"), [(ROLL, 400), (VOID, 0), (KEEP, 400)])
async def test_what_a_hold_releases_after_a_change_follows_the_rest_of_its_plan(
    ledger: RunningLedger, included: "peer_pb.IncludedCredits", left: int
) -> None:
    ledger.clock.advance_to(CHANGE)
    hold = await ledger.authorize(40)
    await change_plan(ledger, included)
    before = await _left(ledger)

    await ledger.release(hold.hold_id)

    assert before == max(0, left - 40)
    assert await _left(ledger) == left
    await ledger.assert_adds_up()


@pytest.mark.parametrize(("included", "left"), [(ROLL, 370), (VOID, 0)])
async def test_what_a_capture_after_a_change_does_not_use_follows_too(
    ledger: RunningLedger, included: "peer_pb.IncludedCredits", left: int
) -> None:
    ledger.clock.advance_to(CHANGE)
    hold = await ledger.authorize(40)
    await change_plan(ledger, included)

    captured = await ledger.capture(hold.hold_id, 30)

    assert (captured.released_micros, captured.shortfall_micros) == (10 * CREDIT, 0)
    assert await _left(ledger) == left
    await ledger.assert_adds_up()


@pytest.mark.parametrize(("included", "left"), [(ROLL, 400), (VOID, 0)])
async def test_a_hold_that_expires_after_a_change_returns_its_credits_at_that_instant(
    ledger: RunningLedger, included: "peer_pb.IncludedCredits", left: int
) -> None:
    ledger.clock.advance_to(CHANGE)
    await ledger.authorize(40, hold_ttl=timedelta(minutes=5))
    await change_plan(ledger, included)

    ledger.clock.advance(timedelta(minutes=5) - timedelta(microseconds=1))
    assert await _left(ledger) == max(0, left - 40)
    ledger.clock.advance(timedelta(microseconds=1))

    assert await _left(ledger) == left
    await ledger.assert_adds_up()


async def test_what_follows_can_be_spent_after_everything_that_rolled_is_spent(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(CHANGE)
    hold = await ledger.authorize(400)
    await change_plan(ledger, ROLL)
    rolled = await _rolled(ledger)
    assert (rolled.granted_micros, rolled.expire_time) == (0, timestamp(JULY))

    await ledger.capture(hold.hold_id, 100)
    await ledger.debit(300)

    rolled = await _rolled(ledger)
    assert (rolled.granted_micros, rolled.captured_micros) == (300 * CREDIT, 300 * CREDIT)
    assert await _left(ledger) == 0
    await ledger.assert_adds_up()


async def test_a_second_hold_returns_to_the_same_grant_after_the_first_ones_credits_are_spent(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(CHANGE)
    first, second = await ledger.authorize(150), await ledger.authorize(250)
    await change_plan(ledger, ROLL)
    await ledger.release(first.hold_id)
    await ledger.debit(150)

    await ledger.release(second.hold_id)

    assert (await _rolled(ledger)).granted_micros == 400 * CREDIT
    assert await _left(ledger) == 250
    await ledger.assert_adds_up()


async def test_holds_that_another_replica_has_cached_return_to_the_rest_that_rolled(
    databases: Databases,
) -> None:
    async with two_ledgers(databases) as (first, second):
        first.clock.advance_to(CHANGE)
        holds = [await first.authorize(10) for _ in range(3)]
        await change_plan(second, ROLL)

        for hold in holds:
            await first.release(hold.hold_id)

        assert await _left(second) == 400
        await second.assert_adds_up()


async def test_what_returns_after_the_rolled_grant_has_expired_is_lost(ledger: RunningLedger) -> None:
    late = JULY - timedelta(minutes=1)
    ledger.clock.advance_to(late)
    hold = await ledger.authorize(40, hold_ttl=timedelta(minutes=5))
    await change_plan(ledger, ROLL)
    ledger.clock.advance_to(JULY)

    await ledger.release(hold.hold_id)

    assert await _left(ledger) == 0
    await ledger.assert_adds_up()


async def test_what_returns_to_a_rolled_grant_that_an_operator_has_voided_is_voided(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(CHANGE)
    hold = await ledger.authorize(40)
    await change_plan(ledger, ROLL)
    await ledger.void((await _rolled(ledger)).grant_id)

    await ledger.release(hold.hold_id)

    assert await _left(ledger) == 0
    await ledger.assert_adds_up()


async def test_what_was_held_when_an_operator_voided_the_old_grant_does_not_follow(
    ledger: RunningLedger,
) -> None:
    ledger.clock.advance_to(CHANGE)
    hold = await ledger.authorize(40)
    (old,) = await ledger.grants()
    await ledger.void(old.grant_id)
    await change_plan(ledger, ROLL)

    await ledger.release(hold.hold_id)

    assert await _left(ledger) == 0
    await ledger.assert_adds_up()
