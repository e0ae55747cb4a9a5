# SPDX-License-Identifier: Apache-2.0
"""The versions and sequences of what peers tell: none may be so far from the known one that it blocks what follows."""

from collections.abc import Awaitable, Callable

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from meshkit.distance import DISTANCE_MAX
from meshkit.quantity import INT64_MAX
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import fault
from tests.support.ledger import JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql

AHEAD, BEHIND = "NOTICE_TOO_FAR_AHEAD", "NOTICE_TOO_FAR_BEHIND"


async def _watch(ledger: RunningLedger, version: int) -> int:
    return (await ledger.watch(100, version=version)).version


# What tells the Ledger a version of something, and where its copy is.
TOLD: dict[str, tuple[Callable[[RunningLedger, int], Awaitable[int]], str]] = {
    "customer": (
        lambda ledger, version: ledger.tell_customer("cus_acme", "acme", version=version),
        "customers",
    ),
    "product": (lambda ledger, version: ledger.tell_product("prd_assistant", version=version), "products"),
    "rate card": (lambda ledger, version: ledger.tell_card(a_rate(), version=version), "rate_cards"),
    "contract": (lambda ledger, version: ledger.apply_contract(start=JUNE, version=version), "contracts"),
    "watch": (_watch, "watches"),
}
every_kind = pytest.mark.parametrize(("tell", "table"), TOLD.values(), ids=TOLD)


@every_kind
async def test_a_version_may_be_a_million_above_the_known_one_and_no_more(
    ledger: RunningLedger, tell: Callable[[RunningLedger, int], Awaitable[int]], table: str
) -> None:
    assert await tell(ledger, 1) == 1
    highest = 1 + DISTANCE_MAX

    for version in (highest + 1, INT64_MAX):
        with fault(StatusCode.FAILED_PRECONDITION, AHEAD, field="version", known="1", given=str(version)):
            await tell(ledger, version)

    assert await tell(ledger, 2) == 2
    assert await tell(ledger, highest) == highest


async def test_the_first_version_of_something_is_at_most_a_million(ledger: RunningLedger) -> None:
    for version in (DISTANCE_MAX + 1, INT64_MAX):
        with fault(StatusCode.FAILED_PRECONDITION, AHEAD, known="0", given=str(version)):
            await ledger.tell_customer("cus_new", version=version)

    assert await ledger.tell_customer("cus_new", version=DISTANCE_MAX) == DISTANCE_MAX


@every_kind
async def test_a_known_version_that_cannot_be_the_owners_is_no_reason_to_ignore_it_silently(
    ledger: RunningLedger, sql: Sql, tell: Callable[[RunningLedger, int], Awaitable[int]], table: str
) -> None:
    await tell(ledger, 1)

    await sql.execute(f"UPDATE ledger.{table} SET version = {2 + DISTANCE_MAX}")
    assert await tell(ledger, 2) == 2 + DISTANCE_MAX
    with fault(StatusCode.FAILED_PRECONDITION, BEHIND, field="version", given="1"):
        await tell(ledger, 1)
    await sql.execute(f"UPDATE ledger.{table} SET version = {INT64_MAX}")
    with fault(StatusCode.FAILED_PRECONDITION, BEHIND, known=str(INT64_MAX), given="2"):
        await tell(ledger, 2)


async def test_nobody_is_locked_out_by_a_version_that_no_resumption_reaches(ledger: RunningLedger) -> None:
    with fault(StatusCode.FAILED_PRECONDITION, AHEAD):
        await ledger.tell_customer("cus_acme", "acme", version=INT64_MAX, is_suspended=True)

    assert (await ledger.authorize(1)).decision == pb.DECISION_ALLOWED


async def test_a_seat_changes_sequence_may_be_a_million_above_the_highest_known_one(
    ledger: RunningLedger,
) -> None:
    with fault(StatusCode.FAILED_PRECONDITION, AHEAD, field="sequence", known="0"):
        await ledger.change_seats(1, JUNE, sequence=DISTANCE_MAX + 1)
    await ledger.change_seats(1, JUNE, sequence=DISTANCE_MAX)
    with fault(StatusCode.FAILED_PRECONDITION, AHEAD, known=str(DISTANCE_MAX)):
        await ledger.change_seats(1, JUNE, sequence=2 * DISTANCE_MAX + 1)
    await ledger.change_seats(1, JUNE, sequence=2 * DISTANCE_MAX)

    # A high one blocks no low one: each counts.
    await ledger.change_seats(1, JUNE, sequence=1)
    assert sum(one.granted_micros for one in await ledger.grants()) == 700_000_000
    await ledger.assert_adds_up()


async def test_the_change_that_has_a_sequence_already_is_named(ledger: RunningLedger) -> None:
    await ledger.change_seats(1, JUNE, sequence=1)

    with pytest.raises(AioRpcError, match=r"sequence is the sequence of another change of .*'chg_1'"):
        await ledger.change_seats(1, JUNE, sequence=1, seat_change_id="chg_other")
