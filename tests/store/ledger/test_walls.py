# SPDX-License-Identifier: Apache-2.0
"""The schema says again what the domain asserts: what must not be cannot be written."""

import asyncpg
import pytest

from tests.support.ledger_sql import Sql
from tests.support.ledger_store import Books

A_GRANT = (
    "INSERT INTO ledger.grants SELECT customer_id, 'grt_2', credit_type_id, kind, product_id, priority, effective_time,"
    " expire_time, create_time, granted_micros, captured_micros, held_micros, expired_micros, voided_micros,"
    " cost_basis_micros, scope_product_ids, {} FROM ledger.grants LIMIT 1"
)

A_DEBT_ENTRY = (
    "INSERT INTO ledger.debt_entries SELECT customer_id, 'dbt_1', {}, {}, NULL, now() FROM ledger.grants"
)

WALLS = {
    "grants": [
        *(
            f"UPDATE ledger.grants SET {figure}_micros = -1"
            for figure in ("granted", "captured", "held", "expired", "voided", "cost_basis")
        ),
        "UPDATE ledger.grants SET captured_micros = granted_micros + 1, held_micros = 0",
        "UPDATE ledger.grants SET held_micros = granted_micros - captured_micros + 1",
        "UPDATE ledger.grants SET expired_micros = granted_micros",
        "UPDATE ledger.grants SET voided_micros = granted_micros",
        "UPDATE ledger.grants SET granted_micros = captured_micros + held_micros - 1",
        "UPDATE ledger.grants SET kind = 'GIFT'",
        "UPDATE ledger.grants SET void_time = now()",
        "UPDATE ledger.grants SET void_time = now(), void_reason = 'by mistake'",
        "UPDATE ledger.grants SET priority = 0",
        "UPDATE ledger.grants SET expire_time = effective_time",
        A_GRANT.format("schedule_id, period_start, NULL, false"),
        "; ".join(
            A_GRANT.replace("grt_2", one).format("NULL, NULL, 'top_1', false") for one in ("grt_2", "grt_3")
        ),
        A_GRANT.replace("grt_2", "' || grant_id || '").format("NULL, NULL, NULL, false"),
    ],
    "debts": [
        "UPDATE ledger.grants SET to_void_micros = -1",
        *(
            A_DEBT_ENTRY.format(f"'{kind}', grant_id, credit_type_id, {refund_id}, 'USD'", amounts)
            for kind, refund_id, amounts in (
                ("GIFT", "'rfd_1'", "1, 1, 0, 0, 0"),
                ("REFUND", "NULL", "1, 1, 0, 0, 0"),
                ("REFUND", "'rfd_1'", "-1, 1, 0, 0, 0"),
                ("REFUND", "'rfd_1'", "1, 1, 1, 0, 0"),
                ("RECOVERY", "NULL", "-1, 0, 1, 1, 0"),
                ("REVERSAL", "'rfd_1'", "-1, -3, -1, -1, 2"),
                ("REVERSAL", "'rfd_1'", "0, 1, 0, 0, -1"),
            )
        ),
    ],
    "holds": [
        "UPDATE ledger.holds SET state = 'LOST'",
        "UPDATE ledger.holds SET captured_micros = -1",
        "UPDATE ledger.holds SET expire_time = create_time",
        "UPDATE ledger.holds SET draw_micros = '{1,2}'",
    ],
    "entries": [
        "UPDATE ledger.entries SET sequence = 1",
        "UPDATE ledger.entries SET sequence = 0 WHERE sequence = 1",
        "UPDATE ledger.entries SET kind = 'GIFT'",
        "UPDATE ledger.entries SET amount_micros = -1 WHERE kind = 'GRANT'",
        "UPDATE ledger.entries SET amount_micros = 1 WHERE kind = 'CAPTURE'",
        "UPDATE ledger.entries SET amount_micros = 0 WHERE kind = 'CAPTURE'",
        "UPDATE ledger.entries SET amount_micros = 1 WHERE kind = 'SHORTFALL'",
        "UPDATE ledger.entries SET shortfall_micros = -1",
        "UPDATE ledger.entries SET grant_id = NULL WHERE kind = 'CAPTURE'",
        "UPDATE ledger.entries SET grant_id = 'grt_1' WHERE kind = 'SHORTFALL'",
    ],
    "pools": [
        "UPDATE ledger.pools SET version = 0",
        "UPDATE ledger.pools SET sequence = -1",
        "UPDATE ledger.pools SET shortfall_micros = -1",
        "INSERT INTO ledger.pools VALUES ('cus_nobody', 'crt_ai', 1, 0, 0)",
    ],
    "spends and caps": [
        "UPDATE ledger.spends SET held_micros = -1",
        "INSERT INTO ledger.shadow_modes VALUES ('cus_nobody', '', true, now())",
        "INSERT INTO ledger.shadow_denials VALUES"
        " ('cus_acme', '2025-06-01', 'crt_ai', 'r', '', '', '', '', 0, 1, now(), now())",
        "INSERT INTO ledger.shadow_denials VALUES"
        " ('cus_acme', '2025-06-01', 'crt_ai', 'r', '', '', '', '', 1, 1, now(), now() - interval '1 day')",
        "INSERT INTO ledger.concurrency_caps VALUES ('cus_nobody', 'ccp_1', 'crt_ai', 'k', '', 1, now())",
        "INSERT INTO ledger.concurrency_caps VALUES ('cus_acme', 'ccp_1', 'crt_ai', 'k', '', -1, now())",
        "INSERT INTO ledger.concurrency_caps VALUES ('cus_acme', 'ccp_1', 'crt_ai', 'k', '', 1, now()),"
        " ('cus_acme', 'ccp_2', 'crt_ai', 'k', '', 2, now())",
        "UPDATE ledger.spends SET period_spent_micros = -1",
        "UPDATE ledger.spends SET day_spent_micros = -1",
        "INSERT INTO ledger.spend_caps VALUES ('cus_nobody', 'crt_ai', 'k', '', 'cap_1', 1, 'DAY', now())",
        "INSERT INTO ledger.spend_caps VALUES ('cus_acme', 'crt_ai', 'k', '', 'cap_1', -1, 'DAY', now())",
        "INSERT INTO ledger.spend_caps VALUES ('cus_acme', 'crt_ai', 'k', '', 'cap_1', 1, 'WEEK', now())",
    ],
    "what was told": [
        "UPDATE ledger.customers SET version = 0",
        "UPDATE ledger.products SET version = 0",
        "UPDATE ledger.products SET aggregation = 'MAX'",
        "UPDATE ledger.products SET sum_property = 'units'",
        "UPDATE ledger.rates SET price_micros = -1",
        "UPDATE ledger.rates SET per_micros = 0",
        "UPDATE ledger.rates SET end_time = effective_time",
        "UPDATE ledger.rates SET rate_card_id = 'rcd_unknown'",
        "UPDATE ledger.products SET aggregation = 'MEAN'",
        "UPDATE ledger.products SET aggregation = 'UNIQUE', sum_property = NULL, aggregated_property = NULL",
        "UPDATE ledger.rates SET rate_type = 'TIERED'",
        "UPDATE ledger.rates SET rate_type = 'GRADUATED', tiers = NULL",
        "UPDATE ledger.rates SET tiers = '[]'",
        "UPDATE ledger.rates SET corrects_rate_id = rate_id",
        "INSERT INTO ledger.rates SELECT * FROM ledger.rates",
        "UPDATE ledger.contracts SET version = 0",
        "INSERT INTO ledger.contracts VALUES ('cus_nobody', 'con_1', 1, 'rcd_1', now())",
        "UPDATE ledger.subscriptions SET initial_quantity = -1",
        "INSERT INTO ledger.seat_changes VALUES ('cus_acme', 'sub_1', 'chg_1', 1, now(), 0)",
        "INSERT INTO ledger.seat_changes VALUES ('cus_acme', 'sub_1', 'chg_1', 0, now(), 1)",
        "INSERT INTO ledger.seat_changes VALUES ('cus_acme', 'sub_2', 'chg_1', 1, now(), 1)",
        "INSERT INTO ledger.seat_changes VALUES ('cus_acme', 'sub_1', 'chg_1', 1, now(), 1),"
        " ('cus_acme', 'sub_1', 'chg_2', 1, now(), 1)",
        "UPDATE ledger.grant_schedules SET unit_amount_micros = 0",
        "UPDATE ledger.grant_schedules SET frequency = 'HOURLY'",
        "UPDATE ledger.grant_schedules SET period_proration = 'SOME'",
        "UPDATE ledger.grant_schedules SET commit_duration = 0",
        "UPDATE ledger.grant_schedules SET priority = 0",
        "UPDATE ledger.grant_schedules SET contract_id = 'con_2'",
        "UPDATE ledger.grant_schedules SET subscription_id = 'sub_2'",
        "INSERT INTO ledger.watches VALUES ('alr_1', 0, true, 'SPEND', NULL, 'crt_ai', 1, '', '')",
        "INSERT INTO ledger.watches VALUES ('alr_1', 1, true, 'OTHER', NULL, 'crt_ai', 1, '', '')",
        "INSERT INTO ledger.watches VALUES ('alr_1', 1, true, 'SPEND', NULL, 'crt_ai', -1, '', '')",
        "INSERT INTO ledger.watch_states VALUES ('cus_acme', 'crt_ai', 'alr_1', '', true, 0, 1)",
        "INSERT INTO ledger.watch_states VALUES ('cus_acme', 'crt_none', 'alr_1', '', true, 1, 1)",
    ],
    "plumbing": [
        "INSERT INTO ledger.outbox VALUES ('cus_acme', 'ntc_1', 'OTHER', '{}', now(), 0, NULL, now())",
        "INSERT INTO ledger.requests SELECT * FROM ledger.requests",
        "INSERT INTO ledger.epochs VALUES (false, 1)",
        "INSERT INTO ledger.epochs VALUES (true, 1)",
        "INSERT INTO ledger.sandbox_clock VALUES (false, now())",
    ],
}


@pytest.mark.parametrize("statements", WALLS.values(), ids=WALLS)
async def test_what_must_not_be_is_refused(books: Books, sql: Sql, statements: list[str]) -> None:
    await books.authorize(100)
    short = await books.authorize(50)
    assert short.hold_id is not None
    await books.capture(short.hold_id, 400)
    before = await sql.everything()
    assert {line.split(",")[3] for line in before["entries"]} >= {"GRANT", "CAPTURE", "SHORTFALL"}

    taken = [statement for statement in statements if await _is_taken(sql, statement)]

    assert taken == []
    assert await sql.everything() == before


async def _is_taken(sql: Sql, statement: str) -> bool:
    try:
        await sql.execute(statement)
    except asyncpg.IntegrityConstraintViolationError:
        return False
    except asyncpg.InternalServerError as error:
        # Rows that Citus copies to a worker are refused without the code of the violation.
        if "violates" not in str(error):
            raise
        return False
    return True
