# SPDX-License-Identifier: Apache-2.0
"""After an upgrade of a Ledger with usage, rerate jobs wait until no previous version serves any more."""

from datetime import UTC, datetime, timedelta

import pytest

from purser.ledger.v1 import usage_pb2 as usage
from tests.support.ledger import RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, record
from tests.support.rerating import flat, job_of, price, rerate

BEFORE, AFTER = "0021", "0022"
A_METER = """
    INSERT INTO ledger.meters (customer_id, credit_type_id, root_rate_id, period_start, product_id, rate_id,
        quantity_micros, cost_micros, largest_micros)
    VALUES ('cus_x', 'crt_ai', 'rat_x', '2025-06-01', 'prd_x', 'rat_x', 1, 1, 0)
"""


@pytest.mark.parametrize(("statements", "waits"), [([A_METER], True), ([], False)])
async def test_jobs_begin_ten_minutes_after_the_migration_if_there_are_meters(
    databases: Databases, statements: list[str], waits: bool
) -> None:
    await databases.remake_schema("ledger")
    await databases.migrate("ledger", to=BEFORE)
    began = datetime.now(UTC)
    async with Sql.connected(databases.url("ledger")) as sql:
        for statement in statements:
            await sql.execute(statement)

        await databases.migrate("ledger", to=AFTER)

        due_times = [row["due_time"] for row in await sql.rows("SELECT due_time FROM ledger.chores")]
        unrated = await sql.rows("SELECT unrated_micros FROM ledger.meters")
    assert len(due_times) == waits
    assert all(began <= due_time - timedelta(minutes=10) <= datetime.now(UTC) for due_time in due_times)
    assert [row["unrated_micros"] for row in unrated] == [0] * len(statements)


async def test_a_job_waits_for_its_turn_and_is_done_then(databases: Databases) -> None:
    async with running_ledger(databases) as ledger, Sql.connected(databases.admin_url) as sql:
        await ledger.sell_assistant()
        await ledger.sign_acme()
        await price(ledger, flat(2), version=2)
        await record(ledger, an_event("e1", "10"))
        await price(ledger, flat(2), flat(1), version=3)
        await sql.execute("INSERT INTO ledger.chores VALUES ('rerate', now() + interval '1 minute')")
        job = await rerate(ledger)

        await ledger.flush()
        waiting = await _state(ledger, job)
        await sql.execute("UPDATE ledger.chores SET due_time = now() WHERE chore = 'rerate'")
        await ledger.flush()

        assert waiting == usage.RERATE_JOB_STATE_RUNNING
        assert await _state(ledger, job) == usage.RERATE_JOB_STATE_DONE


async def _state(ledger: RunningLedger, job: usage.RerateJob) -> "usage.RerateJobState.ValueType":
    return (await job_of(ledger, job)).state
