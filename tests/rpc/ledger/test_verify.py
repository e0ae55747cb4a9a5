# SPDX-License-Identifier: Apache-2.0
"""VerifyLedger finds every stored figure that is not what entries and open holds say, and nothing else."""

import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_admin_pb2 as admin
from tests.support.faults import bad_fields, fault
from tests.support.ledger import AI, CREDIT, JULY, JUNE, RunningLedger
from tests.support.ledger_sql import Sql


@pytest.fixture
async def busy(ledger: RunningLedger) -> RunningLedger:
    """Every kind of entry: granted, adjusted, captured, expired, voided, short; a hold of every state."""
    ledger.clock.advance_to(JULY)
    await ledger.change_seats(1, JULY, sequence=1)
    await ledger.top_up(100, source_id="order_1")
    await ledger.debit(50, user="ann")
    for end in ("capture", "release", "let die"):
        hold = await ledger.authorize(20, user="ann", hold_ttl=Duration(seconds=60))
        if end == "capture":
            await ledger.capture(hold.hold_id, 10)
        if end == "release":
            await ledger.release(hold.hold_id)
    ledger.clock.advance_to(JULY.replace(minute=2))
    hold = await ledger.authorize(1, user="bob")
    await ledger.capture(hold.hold_id, 600)
    await ledger.void((await ledger.top_up(5)).grant_id)
    await ledger.top_up(100, source_id="order_2")
    await ledger.authorize(30, user="ann")
    await ledger.debit(0, quantity_micros=1_000_000)
    await ledger.add_up()
    return ledger


def rolled(figure: str, *, user: str) -> list[str]:
    """Return one figure of all rollups that count one use by a user."""
    return [
        f"{figure}_micros of {table} {of}"
        for table in ("usage_by_hour", "usage_by_period")
        for of in (" ", f"user_id {user}")
    ]


async def _verify(ledger: RunningLedger, customer: str = "") -> admin.VerifyLedgerResponse:
    return await ledger.admin.VerifyLedger(admin.VerifyLedgerRequest(customer=customer))


async def test_a_ledger_that_nobody_spoiled_is_consistent_and_was_read_whole(busy: RunningLedger) -> None:
    found = await _verify(busy)

    entries = await busy.entries(page_size=500)
    assert found == admin.VerifyLedgerResponse(
        is_consistent=True, pools=1, grants=len(await busy.grants()), entries=len(entries), holds=1
    )
    assert {one.entry_kind for one in entries} == {
        admin.ENTRY_KIND_GRANT,
        admin.ENTRY_KIND_SEAT_ADJUSTMENT,
        admin.ENTRY_KIND_CAPTURE,
        admin.ENTRY_KIND_EXPIRY,
        admin.ENTRY_KIND_VOID,
        admin.ENTRY_KIND_SHORTFALL,
    }


@pytest.mark.parametrize(
    ("statement", "figures"),
    [
        (
            "UPDATE ledger.grants SET granted_micros = granted_micros + 7",
            ["granted_micros", "remaining_micros"],
        ),
        (
            "UPDATE ledger.grants SET captured_micros = captured_micros + 7",
            ["captured_micros", "remaining_micros"],
        ),
        (
            "UPDATE ledger.grants SET expired_micros = expired_micros + 7",
            ["expired_micros", "remaining_micros"],
        ),
        ("UPDATE ledger.grants SET voided_micros = voided_micros + 7", ["remaining_micros", "voided_micros"]),
        ("UPDATE ledger.grants SET held_micros = held_micros + 7", ["held_micros"]),
    ],
)
async def test_a_figure_of_a_grant_that_was_spoiled_is_found(
    busy: RunningLedger, sql: Sql, statement: str, figures: list[str]
) -> None:
    top_up = (await busy.pool()).grants[-1].grant_id
    await sql.execute(f"{statement} WHERE grant_id = $1", top_up)

    found = await _verify(busy)

    assert not found.is_consistent
    assert sorted(one.figure for one in found.discrepancies) == figures
    for one in found.discrepancies:
        of_pool = one.figure == "remaining_micros"
        assert (one.customer_id, one.credit_type_id) == ("cus_acme", AI)
        assert one.grant_id == ("" if of_pool else top_up)
        assert abs(one.stored_micros - one.recomputed_micros) == 7


@pytest.mark.parametrize(
    ("statement", "figures"),
    [
        ("UPDATE ledger.pools SET sequence = sequence + 7", ["entry_count", "sequence"]),
        ("UPDATE ledger.pools SET shortfall_micros = shortfall_micros + 7", ["shortfall_micros"]),
        (
            "UPDATE ledger.spends SET held_micros = held_micros + 7 WHERE group_value = 'bob'",
            ["held_micros of user_id bob"],
        ),
        (
            "UPDATE ledger.spends SET period_spent_micros = period_spent_micros + 7 WHERE group_value = 'bob'",
            ["period_spent_micros of user_id bob"],
        ),
        (
            "UPDATE ledger.spends SET day_spent_micros = day_spent_micros + 7 WHERE group_value = 'bob'",
            ["day_spent_micros of user_id bob"],
        ),
        (
            "UPDATE ledger.meters SET quantity_micros = quantity_micros + 7",
            ["quantity_micros of meter"],
        ),
        ("UPDATE ledger.meters SET cost_micros = cost_micros + 7", ["cost_micros of meter"]),
        (
            "UPDATE ledger.usage_by_hour SET quantity_micros = 7 WHERE group_value = 'bob'",
            ["quantity_micros of usage_by_hour user_id bob"],
        ),
        (
            "UPDATE ledger.usage_by_period SET uses = 7 WHERE group_value = 'bob'",
            ["uses of usage_by_period user_id bob"],
        ),
        (
            "DELETE FROM ledger.usage_by_period WHERE group_value = 'bob'",
            [
                f"{figure} of usage_by_period user_id bob"
                for figure in ("credits_micros", "shortfall_micros", "uses")
            ],
        ),
        (
            "UPDATE ledger.usage_by_hour SET group_value = 'eve' WHERE group_value = 'bob'",
            [
                f"{figure} of usage_by_hour user_id {user}"
                for figure in ("credits_micros", "shortfall_micros", "uses")
                for user in ("bob", "eve")
            ],
        ),
        ("DELETE FROM ledger.meters", ["cost_micros of meter", "quantity_micros of meter"]),
        ("DELETE FROM ledger.spends WHERE group_value = 'ann'", ["held_micros of user_id ann"]),
        (
            "UPDATE ledger.holds SET captured_micros = 7 WHERE state = 'CAPTURED' AND captured_micros = 10000000",
            ["captured_micros of hold"],
        ),
        (
            "DELETE FROM ledger.entries WHERE sequence = 2",
            ["entry_count", "expired_micros", "remaining_micros"],
        ),
        (
            "UPDATE ledger.entries SET amount_micros = amount_micros - 7"
            " WHERE group_values ->> 'user_id' = 'ann' AND hold_id IS NULL",
            [
                "captured_micros",
                *rolled("credits", user="ann"),
                "day_spent_micros of user_id ann",
                "period_spent_micros of user_id ann",
                "remaining_micros",
            ],
        ),
        (
            "UPDATE ledger.entries SET shortfall_micros = shortfall_micros + 7 WHERE kind = 'SHORTFALL'",
            [
                *rolled("credits", user="bob"),
                "day_spent_micros of user_id bob",
                "period_spent_micros of user_id bob",
                "shortfall_micros",
                *rolled("shortfall", user="bob"),
            ],
        ),
        (
            "UPDATE ledger.holds SET draw_micros = ARRAY[draw_micros[1] + 7] WHERE state = 'HELD'",
            ["held_micros", "held_micros of user_id ann"],
        ),
        (
            "UPDATE ledger.holds SET draw_grant_ids = '{grt_none}' WHERE state = 'HELD'",
            ["held_micros", "held_micros"],
        ),
    ],
)
async def test_whatever_else_was_spoiled_is_found(
    busy: RunningLedger, sql: Sql, statement: str, figures: list[str]
) -> None:
    assert await sql.execute(statement) in ("UPDATE 1", "DELETE 1")

    found = await _verify(busy)

    assert not found.is_consistent
    figures_found = [one.figure.partition(" hld_")[0].partition(" rat_")[0] for one in found.discrepancies]
    figures_found = [figure.partition(" prd_")[0] for figure in figures_found]
    assert sorted(figures_found) == figures


async def _return_7(sql: Sql, kind: str, figure: str) -> str:
    """Return 7 micros of a voided or expired grant to its rest, in the grant and its entry alike; returns the grant."""
    grant_id: str = await sql.value(
        "UPDATE ledger.entries SET amount_micros = amount_micros + 7 WHERE kind = $1 RETURNING grant_id", kind
    )
    await sql.execute(f"UPDATE ledger.grants SET {figure} = {figure} - 7 WHERE grant_id = $1", grant_id)
    return grant_id


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize(("kind", "figure"), [("VOID", "voided_micros"), ("EXPIRY", "expired_micros")])
async def test_a_rest_of_a_grant_that_has_ended_is_found_although_it_adds_up(
    busy: RunningLedger, sql: Sql, kind: str, figure: str, is_closed: bool
) -> None:
    grant_id = await _return_7(sql, kind, figure)
    await sql.execute("UPDATE ledger.grants SET is_closed = $2 WHERE grant_id = $1", grant_id, is_closed)

    assert list((await _verify(busy)).discrepancies) == [
        admin.Discrepancy(
            customer_id="cus_acme",
            credit_type_id=AI,
            grant_id=grant_id,
            figure="rest_micros",
            stored_micros=7,
        )
    ]


async def test_a_grant_whose_expiry_nobody_has_written_yet_is_consistent(ledger: RunningLedger) -> None:
    ledger.clock.advance_to(JULY)
    await ledger.debit(1)
    await ledger.top_up(5, effective_time=timestamp(JUNE), expire_time=timestamp(JULY))

    assert (await _verify(ledger)).is_consistent


# Each row: what is spent of the 100 credits that a seat brought after the void, before 7 micros more come back.
@pytest.mark.parametrize(("spent", "found"), [(0, [(100 * CREDIT + 7, 100 * CREDIT)]), (7, [])])
async def test_a_voided_grant_of_seats_has_at_most_what_seats_brought_since(
    ledger: RunningLedger, sql: Sql, spent: int, found: list[tuple[int, int]]
) -> None:
    (included,) = await ledger.grants()
    await ledger.void(included.grant_id)
    await ledger.change_seats(1, JUNE, sequence=1)
    if spent:
        await ledger.debit(0, credits_micros=spent)
    await _return_7(sql, "VOID", "voided_micros")

    discrepancies = (await _verify(ledger)).discrepancies

    assert [(one.stored_micros, one.recomputed_micros) for one in discrepancies] == found


@pytest.mark.parametrize(
    ("statement", "figure"),
    [
        (
            "INSERT INTO ledger.entries SELECT customer_id, 'crt_lost', sequence, kind, grant_id, amount_micros,"
            " shortfall_micros, effective_time, create_time, cause_id FROM ledger.entries WHERE sequence = 1",
            "entry_count",
        ),
        (
            "UPDATE ledger.grants SET credit_type_id = 'crt_lost' WHERE source_id = 'order_2'",
            "remaining_micros",
        ),
        (
            "UPDATE ledger.spends SET credit_type_id = 'crt_lost' WHERE group_value = 'ann'",
            "held_micros of user_id ann",
        ),
    ],
)
async def test_what_has_lost_its_pool_is_found(
    busy: RunningLedger, sql: Sql, statement: str, figure: str
) -> None:
    await sql.execute(statement)

    found = await _verify(busy)

    assert (figure, "crt_lost") in {(one.figure, one.credit_type_id) for one in found.discrepancies}


async def test_one_customer_is_recounted_by_itself(busy: RunningLedger, sql: Sql) -> None:
    await busy.tell_customer("cus_globex", "globex")
    await busy.top_up(5, customer="globex")
    await sql.execute("UPDATE ledger.pools SET shortfall_micros = 7 WHERE customer_id = 'cus_globex'")

    acme, globex, everybody = [await _verify(busy, name) for name in ("acme", "globex", "")]

    assert [one.is_consistent for one in (acme, globex, everybody)] == [True, False, False]
    assert [one.pools for one in (acme, globex, everybody)] == [1, 1, 2]
    assert list(globex.discrepancies) == [
        admin.Discrepancy(
            customer_id="cus_globex", credit_type_id=AI, figure="shortfall_micros", stored_micros=7
        )
    ]
    with fault(StatusCode.NOT_FOUND, "CUSTOMER_NOT_FOUND", customer="nobody"):
        await _verify(busy, "nobody")
    with bad_fields("customer"):
        await _verify(busy, " ")


async def test_at_most_a_thousand_discrepancies_are_told(ledger: RunningLedger, sql: Sql) -> None:
    await sql.execute(
        "INSERT INTO ledger.grants SELECT customer_id, 'grt_' || n, credit_type_id, kind, product_id, priority,"
        " effective_time, expire_time, create_time, 5, 0, 0, 0, 0, 0, '{}', NULL, NULL, NULL, false"
        " FROM ledger.grants, generate_series(1, 1100) AS n"
    )

    assert len((await _verify(ledger)).discrepancies) == 1_000
    assert (await ledger.pool()).available_micros == 400 * CREDIT + 5_500


async def test_a_meter_whose_rate_is_missing_is_recounted_without_it(busy: RunningLedger, sql: Sql) -> None:
    await sql.execute("DELETE FROM ledger.rates")
    assert (await _verify(busy)).is_consistent

    await sql.execute("UPDATE ledger.meters SET cost_micros = cost_micros + 7")
    found = await _verify(busy)

    assert [one.figure.partition(" of ")[0] for one in found.discrepancies] == ["cost_micros"]
