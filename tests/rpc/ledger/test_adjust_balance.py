# SPDX-License-Identifier: Apache-2.0
"""AdjustBalance: an operator adds credits, or takes available ones away, all or nothing."""

from datetime import UTC, datetime

from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql

NOON = datetime(2025, 6, 10, 12, tzinfo=UTC)


async def adjust(ledger: RunningLedger, credits: int, **more: object) -> admin.AdjustBalanceResponse:
    """Adjust acme's balance by whole credits; `more` overrides fields."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "customer": "acme",
        "credit_type_id": AI,
        "amount_micros": credits * CREDIT,
        "reason": "goodwill",
        "actor": "ops@seatsco.example",
    }
    return await ledger.admin.AdjustBalance(
        admin.AdjustBalanceRequest(**(asked | more))  # type: ignore[arg-type]
    )


async def test_added_credits_are_a_grant_that_can_be_drawn_and_expires(ledger: RunningLedger) -> None:
    added = await adjust(ledger, 50, expire_time=timestamp(NOON))

    grant = (await ledger.grants())[-1]
    assert (grant.grant_id, grant.grant_kind, grant.priority) == (
        added.grant_id,
        pb.GRANT_KIND_PROMOTIONAL,
        100,
    )
    assert (await ledger.pool()).available_micros == 450 * CREDIT
    ledger.clock.advance_to(NOON)
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_credits_are_taken_in_burn_down_order(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.top_up(100)

    taken = await adjust(ledger, -450, request_id="take")

    assert (taken.adjusted_micros, taken.grant_id) == (-450 * CREDIT, "")
    assert [grant.voided_micros for grant in await ledger.grants()] == [400 * CREDIT, 50 * CREDIT]
    newest = await ledger.entries()
    assert [(one.entry_kind, one.amount_micros, one.cause_id) for one in newest[:2]] == [
        (admin.ENTRY_KIND_VOID, -50 * CREDIT, "take"),
        (admin.ENTRY_KIND_VOID, -400 * CREDIT, "take"),
    ]
    (stored,) = await sql.rows("SELECT amount_micros, reason, actor FROM ledger.balance_adjustments")
    assert stored == {
        "amount_micros": -450 * CREDIT,
        "reason": "goodwill",
        "actor": "ops@seatsco.example",
    }
    await ledger.assert_adds_up()


async def test_more_than_is_available_is_not_taken_and_held_credits_stay(
    ledger: RunningLedger, sql: Sql
) -> None:
    hold = await ledger.authorize(100)
    before = await sql.everything()

    with fault(StatusCode.FAILED_PRECONDITION, "ADJUSTMENT_TOO_LARGE", available_micros=str(300 * CREDIT)):
        await adjust(ledger, 0, amount_micros=-300 * CREDIT - 1)
    assert await sql.everything() == before
    await adjust(ledger, -300)

    assert (await ledger.capture(hold.hold_id)).captured_micros == 100 * CREDIT
    await ledger.assert_adds_up()


async def test_seats_added_after_credits_were_taken_still_bring_theirs(ledger: RunningLedger) -> None:
    await adjust(ledger, -400)

    await ledger.change_seats(1, JUNE, sequence=1)

    assert (await ledger.pool()).available_micros == 100 * CREDIT
    await ledger.assert_adds_up()


async def test_a_repeated_adjustment_is_made_once(ledger: RunningLedger) -> None:
    first = await adjust(ledger, 50, request_id="once")

    assert await adjust(ledger, 50, request_id="once") == first
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED", request_id="once"):
        await adjust(ledger, 51, request_id="once")
    assert len(await ledger.grants()) == 2


async def test_a_bad_adjustment_names_its_fields(ledger: RunningLedger) -> None:
    with bad_fields("amount_micros", "request_id", "customer", "credit_type_id", "reason", "actor"):
        await ledger.admin.AdjustBalance(admin.AdjustBalanceRequest())
    with bad_fields("expire_time"):
        await adjust(ledger, -1, expire_time=timestamp(JULY))
    with bad_fields("expire_time"):
        await adjust(ledger, 1, expire_time=timestamp(JUNE))
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await adjust(ledger, 1, customer="nobody")
    with fault(StatusCode.FAILED_PRECONDITION, "ADJUSTMENT_TOO_LARGE", available_micros="0"):
        await adjust(ledger, -1, credit_type_id="crt_other")
