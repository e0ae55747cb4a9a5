# SPDX-License-Identifier: Apache-2.0
"""An import whose command or Ledger is killed in the middle records each event once."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.local.ports import free_port
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1.ledger_admin_pb2_grpc import LedgerAdminServiceStub
from tests.support.ledger import JUNE, running_ledger
from tests.support.ledger_process import LedgerProcess, fresh_channel, ledger_process
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.usage_import import (
    UNITS_MICROS,
    Finished,
    import_file,
    importing,
    rejected_lines,
    stored_counts,
    write_events,
)

LINES = 4_000
# The first call of an import has 1,000 lines, so it is then in the middle of a later one.
IN_A_LATER_CALL = "SELECT count(*) > 1500 FROM ledger.usage_events"


@pytest.fixture
async def ledger(databases: Databases) -> AsyncIterator[LedgerProcess]:
    """A Ledger of its own process, at an address that it keeps; acme has a contract without seats."""
    async with running_ledger(databases) as running:
        await running.sell_assistant()
        await running.tell_customer("cus_acme", "acme")
        await running.apply_contract(start=JUNE, subscriptions=[], schedules=[])
    address = f"127.0.0.1:{free_port()}"
    async with ledger_process(databases.url("ledger"), address=address) as process:
        yield process


@pytest.fixture
async def sql(databases: Databases) -> AsyncIterator[Sql]:
    async with Sql.connected(databases.admin_url) as connection:
        yield connection


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_events(tmp_path / "usage.jsonl", LINES, at=datetime.now(UTC))


async def _assert_recorded_once(ledger: LedgerProcess, sql: Sql) -> None:
    assert await sql.count("usage_events") == LINES
    assert await sql.value("SELECT sum(quantity_micros)::bigint FROM ledger.meters") == LINES * UNITS_MICROS
    async with fresh_channel(ledger.address) as channel:
        found = await LedgerAdminServiceStub(channel).VerifyLedger(apb.VerifyLedgerRequest())
    assert found.is_consistent, found.discrepancies


def _assert_complete(finished: Finished) -> None:
    assert (finished.status, finished.counts["rejected"], finished.counts["all"]) == (0, 0, LINES)


async def test_an_importer_that_is_killed_goes_on_when_it_is_started_again(
    ledger: LedgerProcess, sql: Sql, path: Path
) -> None:
    async with importing(path, ledger.address) as command:
        await sql.until(IN_A_LATER_CALL)
        command.kill()
        assert (await command.ended()).status == -9
    before = stored_counts(path)

    finished = await import_file(path, ledger.address)

    assert 1_000 <= before.accepted < LINES
    _assert_complete(finished)
    # What was acknowledged was not sent again; of what was not, some was recorded before.
    assert finished.counts["accepted"] + finished.counts["recorded before"] == LINES
    assert 0 < finished.counts["recorded before"] <= LINES - before.accepted
    await _assert_recorded_once(ledger, sql)


async def test_an_importer_without_its_journal_records_each_line_once(
    ledger: LedgerProcess, sql: Sql, path: Path
) -> None:
    async with importing(path, ledger.address) as command:
        await sql.until(IN_A_LATER_CALL)
        command.kill()
        await command.ended()
    path.with_name("usage.progress.json").unlink()

    finished = await import_file(path, ledger.address)

    _assert_complete(finished)
    assert finished.counts["recorded before"] > 1_500
    await _assert_recorded_once(ledger, sql)


async def test_an_import_goes_on_by_itself_when_the_ledger_is_killed_and_back(
    ledger: LedgerProcess, sql: Sql, path: Path
) -> None:
    async with importing(path, ledger.address) as command:
        await sql.until(IN_A_LATER_CALL)
        ledger.kill()
        await ledger.ended()
        assert not command.has_ended
        await ledger.start()
        await ledger.until_said("service_started")
        finished = await command.ended()

    _assert_complete(finished)
    await _assert_recorded_once(ledger, sql)
    assert rejected_lines(path) == []


async def test_an_import_that_gave_up_goes_on_when_the_ledger_is_back(
    ledger: LedgerProcess, sql: Sql, path: Path
) -> None:
    async with importing(path, ledger.address, "--patience", "0.2") as command:
        await sql.until(IN_A_LATER_CALL)
        ledger.kill()
        await ledger.ended()
        gave_up = await command.ended()
    await ledger.start()
    await ledger.until_said("service_started")

    finished = await import_file(path, ledger.address)

    assert (gave_up.status, gave_up.output) == (2, "")
    assert "did not answer" in gave_up.errors
    _assert_complete(finished)
    await _assert_recorded_once(ledger, sql)
