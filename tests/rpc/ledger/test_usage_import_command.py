# SPDX-License-Identifier: Apache-2.0
"""`purser usage import`: every line is recorded once or named with what is wrong with it."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import pytest
from grpc.aio import AioRpcError

from meshkit.rpc.client import open_channel
from purser.ledger.v1.usage_pb2_grpc import UsageServiceStub
from purser_cli.importing.importer import Importer, ImportFailed
from purser_cli.importing.journal import Counts, Journal, Progress
from tests.support.cutting_proxy import CuttingProxy
from tests.support.ledger import JUNE, NOBODY, RunningLedger, running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.usage_import import (
    UNITS_MICROS,
    an_event,
    import_file,
    importing,
    rejected_lines,
    write_events,
    write_lines,
)

METERED = "SELECT coalesce(sum(quantity_micros), 0)::bigint FROM ledger.meters"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage.jsonl"


class Waits:
    """A monotonic clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        return sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def import_here(
    path: Path, address: str, *, waits: Waits | None = None, patience_seconds: float = 60.0
) -> tuple[Progress, list[str]]:
    """Import a file in this process; returns the final progress, and what it reported while calls failed.

    waits: None: it waits for real, because a connection must come back.
    """
    troubles: list[str] = []
    async with open_channel(address) as channel:
        importer = Importer(
            UsageServiceStub(channel),
            patience_seconds=patience_seconds,
            heard=lambda _, trouble: troubles.append(trouble) if trouble else None,
            now=waits.now if waits else time.monotonic,
            sleep=waits.sleep if waits else asyncio.sleep,
        )
        with path.open("rb") as file:
            return await importer.run(file, Journal(path, file)), troubles


async def test_every_line_is_recorded_and_counted(ledger: RunningLedger, sql: Sql, path: Path) -> None:
    write_lines(
        path,
        [
            *(an_event(number, at=JUNE) for number in range(2_500)),
            "",
            an_event("login", at=JUNE, event_type="login"),
            an_event("before", at=JUNE - timedelta(seconds=1)),
            an_event("unknown", at=JUNE, customer="globex"),
            an_event(7, at=JUNE),
        ],
    )

    finished = await import_file(path, ledger.address)

    assert (finished.status, finished.errors) == (0, "")
    assert finished.counts == {
        "accepted": 2_500,
        "recorded before": 1,
        "of these with another content": 0,
        "no metric matches": 1,
        "no contract at their time": 1,
        "of unknown customers": 1,
        "rejected": 0,
        "all": 2_504,
    }
    assert await sql.value(METERED) == 2_500 * UNITS_MICROS
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    await ledger.assert_adds_up()


async def test_bad_lines_are_listed_in_order_and_stop_nothing(
    ledger: RunningLedger, sql: Sql, path: Path
) -> None:
    write_lines(
        path,
        [
            an_event("first", at=JUNE),
            "not json",
            an_event("zoneless", at=JUNE, timestamp="2025-06-01T00:00:00"),
            "",
            an_event("many", at=JUNE, properties={"units": "many"}),
            an_event("late", at=JUNE - timedelta(days=35)),
            an_event("key", at=JUNE, user="ann"),
            an_event("first", at=JUNE, properties={"units": 7}),
            "x" * 300_000,
            an_event("", at=JUNE, transaction_id=""),
            an_event("last", at=JUNE),
        ],
    )

    finished = await import_file(path, ledger.address)

    assert finished.status == 1
    assert (finished.counts["accepted"], finished.counts["rejected"], finished.counts["recorded before"]) == (
        2,
        7,
        1,
    )
    lines = rejected_lines(path)
    assert [(one["line"], one["reason"], one["field"]) for one in lines] == [
        (2, "MALFORMED_JSON", ""),
        (3, "INVALID_FIELD", "timestamp"),
        (5, "PROPERTY_NOT_A_NUMBER", "properties[units]"),
        (6, "TOO_OLD", "timestamp"),
        (7, "UNKNOWN_KEY", "user"),
        (8, "DIFFERS", "transaction_id"),
        (9, "LINE_TOO_LONG", ""),
        (10, "INVALID_FIELD", "transaction_id"),
    ]
    assert all(one["detail"] for one in lines)
    sent = path.read_text().splitlines()
    assert [one["content"] for one in lines if one["line"] != 9] == [
        sent[one["line"] - 1] for one in lines if one["line"] != 9
    ]
    assert str(path.with_name("usage.rejected.jsonl")) in finished.output
    assert await sql.value(METERED) == 2 * UNITS_MICROS
    await ledger.assert_adds_up()


async def test_a_file_of_many_bad_events_is_imported_to_its_end(
    ledger: RunningLedger, sql: Sql, path: Path
) -> None:
    """Such streams are answered early, so the importer goes on in the middle of what it has sent."""
    write_lines(
        path,
        [
            an_event(n, at=JUNE, properties={"units": "many"}) if n % 5 else an_event(n, at=JUNE)
            for n in range(6_000)
        ],
    )

    progress, troubles = await import_here(path, ledger.address, waits=Waits())

    assert (progress.counts, troubles) == (Counts(accepted=1_200, rejected=4_800), [])
    assert [one["line"] for one in rejected_lines(path)] == [n + 1 for n in range(6_000) if n % 5]
    assert await sql.value(METERED) == 1_200 * UNITS_MICROS


async def test_a_corrected_file_is_imported_again_and_only_what_was_rejected_is_new(
    ledger: RunningLedger, path: Path
) -> None:
    write_lines(path, [an_event(1, at=JUNE), an_event(2, at=JUNE, properties={"units": "many"})])
    assert (await import_file(path, ledger.address)).status == 1
    write_events(path, 3, at=JUNE)

    # The file names them tx-0, tx-1 and tx-2.
    again = await import_file(path, ledger.address)

    assert (again.status, again.counts["accepted"], again.counts["recorded before"]) == (0, 2, 1)
    assert rejected_lines(path) == []


async def test_an_empty_file_is_imported(ledger: RunningLedger, path: Path) -> None:
    path.touch()

    finished = await import_file(path, ledger.address)

    assert (finished.status, finished.counts["all"]) == (0, 0)


async def test_a_file_that_is_being_imported_is_refused(ledger: RunningLedger, path: Path, sql: Sql) -> None:
    write_events(path, 2_000, at=JUNE)
    await ledger.debit(1)
    async with importing(path, ledger.address) as first:
        async with sql.transaction():
            await sql.lock("pools")
            await sql.until_somebody_waits()
            second = await import_file(path, ledger.address)
        finished = await first.ended()

    # Where the second one took longer than the lock may be waited for, the first one has sent some lines again.
    recorded = finished.counts["accepted"] + finished.counts["recorded before"]
    assert (second.status, finished.status, recorded) == (2, 0, 2_000)
    assert "another process imports" in second.errors


async def test_without_a_ledger_it_tries_for_its_patience_and_then_says_so(path: Path) -> None:
    write_events(path, 3, at=JUNE)
    waits = Waits()

    with pytest.raises(ImportFailed, match="no success for 10 s"):
        await import_here(path, NOBODY, waits=waits, patience_seconds=10)

    assert waits.slept == [0.1, 0.2, 0.4, 0.8, 1.6, 3.0, 3.0]
    finished = await import_file(path, NOBODY, "--patience", "0")
    assert (finished.status, finished.output) == (2, "")
    assert "did not answer" in finished.errors


async def test_a_missing_file_and_an_unknown_option_are_usage_errors(tmp_path: Path) -> None:
    assert (await import_file(tmp_path / "nowhere.jsonl", NOBODY)).status == 2
    path = write_events(tmp_path / "usage.jsonl", 1, at=JUNE)
    assert (await import_file(path, NOBODY, "--colour", "red")).status == 2


async def test_a_response_that_is_lost_costs_nothing(ledger: RunningLedger, sql: Sql, path: Path) -> None:
    write_events(path, 5_000, at=JUNE)
    async with CuttingProxy.before(ledger.address) as proxy:
        proxy.cut_next_answers(2)
        progress, troubles = await import_here(path, proxy.address)

        assert proxy.cuts == 2

    assert progress.counts.accepted + progress.counts.duplicate == progress.counts.lines == 5_000
    assert progress.counts.duplicate >= 1_000
    assert len(troubles) >= 2
    assert await sql.value(METERED) == 5_000 * UNITS_MICROS
    await ledger.assert_adds_up()


async def test_an_import_goes_on_when_the_database_was_away(
    databases: Databases, sql: Sql, path: Path
) -> None:
    write_events(path, 4_000, at=JUNE)
    async with CuttingProxy.before(databases.address) as wire:
        async with running_ledger(databases.at(wire.address)) as ledger:
            await ledger.sell_assistant()
            await ledger.sign_acme()
            running = asyncio.create_task(import_here(path, ledger.address))
            await sql.until("SELECT count(*) > 1500 FROM ledger.usage_events")
            await wire.go_away()
            failed = asyncio.create_task(ledger.debit(1))
            await asyncio.wait([failed])
            await wire.come_back()
            progress, troubles = await running

            assert isinstance(failed.exception(), AioRpcError)
            assert progress.counts.accepted + progress.counts.duplicate == progress.counts.lines == 4_000
            assert troubles
            assert await sql.value(METERED) == 4_000 * UNITS_MICROS
            await ledger.assert_adds_up()
