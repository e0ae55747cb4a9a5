# SPDX-License-Identifier: Apache-2.0
"""What nobody may ask for any more is dropped, in small steps and by one replica; what somebody may is kept."""

import asyncio
from datetime import datetime, timedelta

import asyncpg
import pytest

from meshkit.clock import ManualClock
from meshkit.faults import TransactionConflict
from services.ledger.domain.errors import HoldAlreadyResolved, HoldNotFound
from services.ledger.domain.gate.commands import Capture
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.retention import GENERATION, SEAM, SLOTS, generation_start
from services.ledger.operations.retention import EVERY, Retention
from tests.support.ledger_sql import Sql
from tests.support.ledger_store import ACME, JUNE, Books, ask
from tests.support.postgres import Databases

TICK = timedelta(microseconds=1)
MILLISECOND = timedelta(milliseconds=1)
MIDNIGHT = generation_start(579)
A_HEARD_NOTICE = (
    "INSERT INTO ledger.outbox (customer_id, notice_id, kind, payload, create_time, due_time, sent_time)"
    " VALUES ('cus_acme', $1, 'CROSSING', '{}', $2, $2, $2)"
)


def _forgetting(books: Books, at: datetime) -> Retention:
    """Both its clocks stand at `at`."""
    return Retention(store=books.store, clock=ManualClock(at), wall=ManualClock(at))


async def _forget(books: Books, sql: Sql, at: datetime) -> int:
    """Forget at `at`, whether or not it is due; returns how many rows."""
    await sql.execute("DELETE FROM ledger.chores")
    return await _forgetting(books, at).run()


async def _capture_again(books: Books, hold_id: HoldId, request_id: str) -> None:
    command = Capture(request_id=request_id, fingerprint=b"body", customer=ACME, hold_id=hold_id, actual=None)
    await ask(books.gate, command)


async def test_an_ended_hold_is_known_for_70_days_and_then_dropped(books: Books, sql: Sql) -> None:
    hold_id = (await books.authorize(10)).hold_id
    assert hold_id is not None
    await books.capture(hold_id, 10)

    kept = await _forget(books, sql, JUNE + timedelta(days=70))
    with pytest.raises(HoldAlreadyResolved):
        await _capture_again(books, hold_id, "again-1")
    dropped = await _forget(books, sql, JUNE + timedelta(days=70) + MILLISECOND)
    with pytest.raises(HoldNotFound):
        await _capture_again(books, hold_id, "again-2")

    assert (kept, dropped) == (0, 1)
    assert await sql.count("holds") == 0


async def test_a_report_of_shadow_mode_is_kept_for_400_days(books: Books, sql: Sql) -> None:
    await sql.execute(
        "INSERT INTO ledger.shadow_denials SELECT 'cus_acme', date '2025-06-01' + n, 'crt_ai', 'SPEND_CAP_REACHED',"
        " 'cap_1', 'prd_1', 'user_id', 'ann', 1, 1, now(), now() FROM generate_series(0, 24) n"
    )
    midnight = JUNE.replace(hour=0, minute=0, second=0, microsecond=0)

    kept = await _forget(books, sql, midnight + timedelta(days=401) - MILLISECOND)
    dropped = await _forget(books, sql, midnight + timedelta(days=421))

    assert (kept, dropped) == (0, 21)
    assert await sql.count("shadow_denials") == 4


async def test_a_recount_does_not_miss_a_hold_that_was_dropped(books: Books, sql: Sql) -> None:
    old, young = [(await books.authorize(10)).hold_id for _ in range(2)]
    for hold_id in (old, young):
        assert hold_id is not None
        await books.capture(hold_id, 10)
    await sql.execute("UPDATE ledger.holds SET hold_id = 'hld_0' WHERE hold_id = $1", old)
    await sql.execute("UPDATE ledger.entries SET hold_id = 'hld_0' WHERE hold_id = $1", old)

    assert await _forget(books, sql, JUNE + timedelta(days=36)) == 1
    assert (await books.store.verify(ACME)).discrepancies == ()
    await sql.execute("DELETE FROM ledger.holds")

    (missing,) = (await books.store.verify(ACME)).discrepancies
    assert missing.figure == f"captured_micros of hold {young}"


async def test_a_hold_is_kept_while_it_is_held_and_for_35_days_after_its_time_was_up(
    books: Books, sql: Sql
) -> None:
    await books.authorize(10)
    at = JUNE + timedelta(days=80)
    await sql.execute("UPDATE ledger.holds SET expire_time = $1", at)

    assert await _forget(books, sql, at + timedelta(days=99)) == 0
    await sql.execute("UPDATE ledger.holds SET state = 'EXPIRED'")
    assert await _forget(books, sql, at + timedelta(days=35)) == 0
    assert await _forget(books, sql, at + timedelta(days=35) + TICK) == 1


async def test_leases_are_dropped_by_their_age_and_younger_holds_are_not(books: Books, sql: Sql) -> None:
    old, young, hold = [(await books.authorize(1)).hold_id for _ in range(3)]
    await sql.execute("UPDATE ledger.holds SET state = 'RELEASED'")
    await sql.execute("UPDATE ledger.holds SET hold_id = 'lse_0' WHERE hold_id = $1", old)
    await sql.execute("UPDATE ledger.holds SET hold_id = 'lse_z' WHERE hold_id = $1", young)

    assert await _forget(books, sql, JUNE + timedelta(days=36)) == 1
    left = await sql.rows("SELECT hold_id FROM ledger.holds")
    assert {row["hold_id"] for row in left} == {"lse_z", hold}


async def test_holds_are_dropped_in_steps_the_oldest_first(books: Books, sql: Sql) -> None:
    held = [(await books.authorize(1)).hold_id for _ in range(25)]
    await sql.execute("UPDATE ledger.holds SET state = 'RELEASED'")

    steps = [
        await books.store.run(
            lambda tx: tx.retention.drop_holds(
                [ACME], made_before=HoldId("hld_g"), expired_before=JUNE + timedelta(days=1), rows_max=10
            )
        )
        for _ in range(2)
    ]

    assert steps == [10, 10]
    left = await sql.rows("SELECT hold_id FROM ledger.holds ORDER BY hold_id")
    assert [row["hold_id"] for row in left] == held[20:]


async def test_a_heard_notice_is_dropped_after_seven_days_and_a_pending_one_never(
    books: Books, sql: Sql
) -> None:
    for number, sent in enumerate((JUNE, JUNE + TICK, None)):
        await sql.execute(A_HEARD_NOTICE, f"ntc_{number}", JUNE)
        await sql.execute(
            "UPDATE ledger.outbox SET sent_time = $2 WHERE notice_id = $1", f"ntc_{number}", sent
        )

    assert await _forget(books, sql, JUNE + timedelta(days=7)) == 0
    assert await _forget(books, sql, JUNE + timedelta(days=7) + TICK) == 1
    assert await _forget(books, sql, JUNE + timedelta(days=99)) == 1
    assert await sql.value("SELECT notice_id FROM ledger.outbox") == "ntc_2"


async def _fill_slots(sql: Sql) -> None:
    await sql.execute("DELETE FROM ledger.requests")
    await sql.execute("UPDATE ledger.request_slots SET generation = 0")
    await sql.execute(
        "INSERT INTO ledger.requests SELECT 'cus_acme', 'the-one', '', '{}', $1, generate_series(0, 2)", JUNE
    )


async def _filled(sql: Sql) -> set[int]:
    return {row["slot"] for row in await sql.rows("SELECT slot FROM ledger.requests")}


@pytest.mark.parametrize(
    ("at", "emptied"),
    [
        (MIDNIGHT - TICK, set()),
        (MIDNIGHT, {580 % SLOTS}),
        (MIDNIGHT + GENERATION - 2 * SEAM - TICK, {580 % SLOTS}),
        (MIDNIGHT + GENERATION - 2 * SEAM, set()),
        (MIDNIGHT + GENERATION, {581 % SLOTS}),
    ],
)
async def test_the_slot_of_the_generation_to_come_is_emptied_in_time_or_not_at_all(
    books: Books, sql: Sql, at: datetime, emptied: set[int]
) -> None:
    await _fill_slots(sql)

    await _forget(books, sql, at)

    assert {0, 1, 2} - await _filled(sql) == emptied


async def test_a_slot_is_emptied_once_for_a_generation(books: Books, sql: Sql) -> None:
    await _fill_slots(sql)
    await _forget(books, sql, MIDNIGHT)
    await sql.execute(
        "INSERT INTO ledger.requests SELECT customer_id, request_id, body_hash, answer, create_time, $1"
        " FROM ledger.requests LIMIT 1",
        580 % SLOTS,
    )

    await _forget(books, sql, MIDNIGHT + EVERY)

    assert await _filled(sql) == {0, 1, 2}


async def test_a_slot_in_use_is_left_for_the_next_time_and_nobody_waits_for_it(
    books: Books, sql: Sql
) -> None:
    await _fill_slots(sql)
    async with sql.transaction():
        await sql.execute("SELECT count(*) FROM ledger.requests")
        emptying = asyncio.create_task(_forgetting(books, MIDNIGHT).run())
        await sql.until_somebody_waits()
        # Reads all slots, and is queued behind whoever wants to empty one: until he gives up.
        assert (await books.debit(1)).reason is None
        with pytest.raises(TransactionConflict):
            await emptying

    assert await _filled(sql) == {0, 1, 2}
    await _forget(books, sql, MIDNIGHT)
    assert await _filled(sql) == {0, 2}


async def test_one_replica_of_many_forgets_once_an_hour(books: Books, sql: Sql) -> None:
    async def four_at_once(at: datetime) -> list[int]:
        return sorted(await asyncio.gather(*(_forgetting(books, at).run() for _ in range(4))))

    at = JUNE + timedelta(days=90)
    await sql.execute(A_HEARD_NOTICE, "ntc_1", JUNE)
    assert await four_at_once(at) == [0, 0, 0, 1]

    await sql.execute(A_HEARD_NOTICE, "ntc_2", JUNE)
    assert await four_at_once(at + EVERY - TICK) == [0, 0, 0, 0]
    assert await four_at_once(at + EVERY) == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.entries SET amount_micros = amount_micros",
        "DELETE FROM ledger.entries",
        "TRUNCATE ledger.entries",
    ],
)
async def test_the_services_own_role_may_neither_change_nor_delete_entries(
    books: Books, databases: Databases, sql: Sql, statement: str
) -> None:
    before = await sql.rows("SELECT * FROM ledger.entries")
    async with Sql.connected(databases.url("ledger")) as service:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await service.execute(statement)

    assert await sql.rows("SELECT * FROM ledger.entries") == before != []
