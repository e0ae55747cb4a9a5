# SPDX-License-Identifier: Apache-2.0
"""RepairCopy: a copy with a false version or sequence accepts again what its owner sends."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from grpc import StatusCode

from meshkit.quantity import INT64_MAX
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from tests.support.faults import bad_fields, fault
from tests.support.ledger import CREDIT, JUNE, RunningLedger, a_rate
from tests.support.ledger_sql import Sql
from tests.support.recording_alert import RecordingAlert

CUSTOMER = admin.COPY_KIND_CUSTOMER
SEATS = admin.COPY_KIND_SEAT_CHANGE
DAY = timedelta(days=1)


async def _repair(ledger: RunningLedger, kind: admin.CopyKind, copy_id: str, **more: object) -> int:
    """Repair a copy; returns the number that it had."""
    asked: dict[str, object] = {
        "request_id": ledger.request_id(),
        "copy_kind": kind,
        "copy_id": copy_id,
        "reason": "forged by a test",
        "actor": "ops@seatsco.example",
    }
    answer = await ledger.admin.RepairCopy(admin.RepairCopyRequest(**(asked | more)))  # type: ignore[arg-type]
    return answer.number_before


async def _watch(ledger: RunningLedger, version: int) -> int:
    return (await ledger.watch(100, version=version)).version


Tell = Callable[[RunningLedger, int], Awaitable[int]]
# Per kind: what tells the Ledger a version of it, its id, and where its copy is.
KINDS: dict[admin.CopyKind, tuple[Tell, str, str]] = {
    CUSTOMER: (
        lambda ledger, version: ledger.tell_customer("cus_acme", "acme", version=version),
        "cus_acme",
        "customers",
    ),
    admin.COPY_KIND_PRODUCT: (
        lambda ledger, version: ledger.tell_product("prd_assistant", version=version),
        "prd_assistant",
        "products",
    ),
    admin.COPY_KIND_RATE_CARD: (
        lambda ledger, version: ledger.tell_card(a_rate(), version=version),
        "rcd_main",
        "rate_cards",
    ),
    admin.COPY_KIND_CONTRACT: (
        lambda ledger, version: ledger.apply_contract(start=JUNE, version=version),
        "con_1",
        "contracts",
    ),
    admin.COPY_KIND_WATCH: (_watch, "alr_1", "watches"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_version_from_before_there_was_a_bound_is_set_back(
    ledger: RunningLedger, sql: Sql, kind: admin.CopyKind
) -> None:
    tell, copy_id, table = KINDS[kind]
    await tell(ledger, 1)
    await sql.execute(f"UPDATE ledger.{table} SET version = {INT64_MAX}")
    with fault(StatusCode.FAILED_PRECONDITION, "NOTICE_TOO_FAR_BEHIND"):
        await tell(ledger, 2)
    of = {"customer_id": "cus_acme"} if kind == admin.COPY_KIND_CONTRACT else {}

    assert await _repair(ledger, kind, copy_id, **of) == INT64_MAX

    assert await tell(ledger, 1) == 1
    assert await tell(ledger, 2) == 2
    assert await tell(ledger, 1) == 2
    await ledger.assert_adds_up()


async def test_who_was_locked_out_is_let_in_by_the_repair_and_the_next_notice(
    ledger: RunningLedger, sql: Sql
) -> None:
    await ledger.tell_customer("cus_acme", "acme", version=2, is_suspended=True)
    await sql.execute(f"UPDATE ledger.customers SET version = {INT64_MAX}")

    await _repair(ledger, CUSTOMER, "cus_acme")
    still = await ledger.authorize(1)
    await ledger.tell_customer("cus_acme", "acme", version=2)

    assert still.denial_reason == pb.DENIAL_REASON_CUSTOMER_SUSPENDED
    assert (await ledger.authorize(1)).decision == pb.DECISION_ALLOWED


async def test_only_the_contract_of_that_customer_is_set_back(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.tell_customer("cus_globex", "globex")
    await ledger.apply_contract(start=JUNE, customer_id="cus_globex", version=7)
    await ledger.apply_contract(start=JUNE, version=7)

    await _repair(ledger, admin.COPY_KIND_CONTRACT, "con_1", customer_id="cus_acme")

    rows = await sql.rows("SELECT customer_id, version FROM ledger.contracts ORDER BY 1")
    assert [tuple(row.values()) for row in rows] == [("cus_acme", 1), ("cus_globex", 7)]


async def test_a_repaired_watch_is_observed_anew(
    watched: RunningLedger, alert: RecordingAlert, sql: Sql
) -> None:
    await watched.watch(500)
    for table in ("watches", "watch_states"):
        await sql.execute(f"UPDATE ledger.{table} SET version = {INT64_MAX}")

    await _repair(watched, admin.COPY_KIND_WATCH, "alr_1")
    await watched.watch(500, version=2)
    await watched.flush()

    assert [(one.in_alarm, one.sequence) for one in alert.heard] == [(True, 1), (True, 2)]


async def test_a_false_seat_change_gives_up_its_sequence_and_its_seats(ledger: RunningLedger) -> None:
    await ledger.change_seats(10, JUNE + DAY, sequence=1, seat_change_id="chg_false")
    ledger.clock.advance(2 * DAY)
    false = (await ledger.pool()).available_micros
    with bad_fields("sequence"):
        await ledger.change_seats(2, JUNE + 2 * DAY, sequence=1)

    of = {"customer_id": "cus_acme", "subscription_id": "sub_1"}
    assert await _repair(ledger, SEATS, "chg_false", **of) == 1
    await ledger.change_seats(2, JUNE + 2 * DAY, sequence=1)

    # What was granted for it stays in this period; the next one counts without it.
    assert (await ledger.pool()).available_micros == false > 400 * CREDIT
    await ledger.assert_adds_up()
    ledger.clock.advance(30 * DAY)
    assert (await ledger.pool()).available_micros == 600 * CREDIT
    await ledger.assert_adds_up()


async def test_a_false_seat_change_to_come_never_counts(ledger: RunningLedger) -> None:
    await ledger.change_seats(10, JUNE + DAY, sequence=1, seat_change_id="chg_false")

    await _repair(ledger, SEATS, "chg_false", customer_id="cus_acme", subscription_id="sub_1")

    ledger.clock.advance(DAY)
    assert (await ledger.pool()).available_micros == 400 * CREDIT
    await ledger.assert_adds_up()


async def test_it_is_done_once_per_request_and_recorded(ledger: RunningLedger, sql: Sql) -> None:
    await ledger.tell_customer("cus_acme", "acme", version=9)

    twins = await asyncio.gather(
        *(_repair(ledger, CUSTOMER, "cus_acme", request_id="the-one") for _ in range(4))
    )
    await ledger.tell_customer("cus_acme", "acme", version=5)
    again = await _repair(ledger, CUSTOMER, "cus_acme", request_id="the-one")

    assert [*twins, again] == [9] * 5
    assert await ledger.tell_customer("cus_acme", "acme", version=4) == 5
    with fault(StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED"):
        await _repair(ledger, CUSTOMER, "cus_other", request_id="the-one")
    assert await sql.rows(
        "SELECT copy_kind, copy_id, number_before, reason, actor FROM ledger.copy_repairs"
    ) == [
        {
            "copy_kind": "CUSTOMER",
            "copy_id": "cus_acme",
            "number_before": 9,
            "reason": "forged by a test",
            "actor": "ops@seatsco.example",
        }
    ]


async def test_what_is_not_there_cannot_be_repaired(ledger: RunningLedger) -> None:
    await ledger.change_seats(1, JUNE, sequence=1)
    of = {"customer_id": "cus_acme", "subscription_id": "sub_1"}

    for kind in (CUSTOMER, admin.COPY_KIND_PRODUCT, admin.COPY_KIND_RATE_CARD, admin.COPY_KIND_WATCH):
        with fault(StatusCode.NOT_FOUND, "COPY_NOT_FOUND", copy_id="x_unknown"):
            await _repair(ledger, kind, "x_unknown")
    with fault(StatusCode.NOT_FOUND, "COPY_NOT_FOUND", copy_kind="CONTRACT"):
        await _repair(ledger, admin.COPY_KIND_CONTRACT, "con_1", customer_id="cus_other")
    for other in ({"copy_id": "chg_2"}, {"subscription_id": "sub_2"}, {"customer_id": "cus_other"}):
        with fault(StatusCode.NOT_FOUND, "COPY_NOT_FOUND", copy_kind="SEAT_CHANGE"):
            await _repair(ledger, SEATS, **{"copy_id": "chg_1", **of, **other})  # type: ignore[arg-type]
    assert await _repair(ledger, SEATS, "chg_1", **of) == 1


async def test_every_bad_field_is_named(ledger: RunningLedger) -> None:
    with bad_fields("request_id", "copy_kind", "copy_id", "reason", "actor"):
        await ledger.admin.RepairCopy(admin.RepairCopyRequest(customer_id="cus_acme"))
    with bad_fields("customer_id", "subscription_id"):
        await _repair(ledger, SEATS, "chg_1")
    with bad_fields("customer_id"):
        await _repair(ledger, admin.COPY_KIND_CONTRACT, "con_1")
    with bad_fields("subscription_id"):
        await _repair(
            ledger, admin.COPY_KIND_CONTRACT, "con_1", customer_id="cus_acme", subscription_id="sub_1"
        )
    with bad_fields("customer_id", "subscription_id"):
        await _repair(ledger, CUSTOMER, "cus_acme", customer_id="cus_acme", subscription_id="sub_1")
