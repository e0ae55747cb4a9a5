# SPDX-License-Identifier: Apache-2.0
"""The benches on a scale too small to measure speed: their counts are right to the last call."""

import json
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from purser.ledger.v1.ledger_admin_pb2 import VerifyLedgerRequest
from tests.perf import lane_cpu, results
from tests.perf.bench import Bench, Scale
from tests.perf.database import databases_of
from tests.perf.goals import PROMISES, Figure, Goal, NotMeasured, Promise, Spread
from tests.perf.load import Generator, Kind, Load, Run
from tests.perf.load_entries import ENTRIES_WITHOUT_KEYS_MIN, History, load
from tests.perf.picture import HEIGHT, WIDTH, draw
from tests.perf.races import Race, Told
from tests.perf.run import MEASUREMENTS, run
from tests.perf.world import CALL_MICROS, customer, used_micros
from tests.support.ledger import running_ledger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases, PostgresServer

TINY = Scale(
    rounds=1, seconds=0.3, warm_seconds=0.1, spread=20, batch_items=5, races=1, race_calls=40, lines=2_000
)
KEYS = (
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'ledger' AND tablename = 'entries' ORDER BY indexname"
)


async def _measured(
    server: PostgresServer, folder: Path, wanted: Collection[str], scale: Scale = TINY
) -> results.Results:
    databases = await databases_of(
        server.admin_url, server.template, server.template_urls, copy_prefix=server.copy_prefix
    )
    measured: results.Results = {}

    def heard(name: str, figure: Figure) -> None:
        measured[name] = results.told(name, figure, results.environment(databases.settings, scale))

    await run(databases, folder, wanted, scale, begin=lambda names: None, heard=heard)
    return measured


async def test_the_cpu_time_of_an_authorize_is_told_by_file(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    databases = await databases_of(
        postgres_server.admin_url,
        postgres_server.template,
        postgres_server.template_urls,
        copy_prefix=postgres_server.copy_prefix,
    )

    table = await lane_cpu.measure(databases, tmp_path, TINY)

    files, microseconds = (list(column.cells) for column in table.columns)
    assert "services/ledger/operations/gate/batch.py" in files
    assert all(float(str(one)) > 0 for one in microseconds)


async def test_the_callers_responses_equal_what_is_stored(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    measured = await _measured(postgres_server, tmp_path, ("P1", "P4", "P7", "P13", "P28"))

    file = tmp_path / "results" / "latest.json"
    results.keep(measured, file)
    assert list(json.loads(file.read_text())) == ["P1", "P4", "P7", "P13", "P28"]
    for name, result in results.kept(file).items():
        assert list(result) == ["value", "goal", "met", "detail"]
        if name == "P7" and "not_measured" in result["detail"]:
            assert "UNIMPLEMENTED" in result["detail"]["not_measured"]
            continue
        assert "not_measured" not in result["detail"], result["detail"]
        assert isinstance(result["met"], bool)
        assert all(isinstance(value, int | float) for value in _values(result))
        assert result["detail"]["environment"]["postgresql"]["fsync"] == "off"
        assert result["detail"]["audit"]["is_consistent"]
        if name != "P13":
            _assert_exact(result["detail"]["audit"])
    assert measured["P13"]["value"] == {"credits overspent": 0, "false denials": 0}
    assert not any(one.get("refused") for one in measured["P28"]["detail"]["series"].values())
    assert all(race["is_spent_exactly"] for race in measured["P13"]["detail"]["races"])
    assert list(results.table(measured).columns[0].cells) == [
        "P1",
        "",
        "P4",
        "",
        "P7",
        "",
        "",
        "",
        "P13",
        "",
        "",
        "",
        "P28",
        "",
    ]
    draw(measured, tmp_path / "bench.png")
    with Image.open(tmp_path / "bench.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (WIDTH, HEIGHT))


async def test_an_import_is_measured_with_its_memory_and_counted_to_the_last_line(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    measured = (await _measured(postgres_server, tmp_path, ("P17",)))["P17"]

    assert "not_measured" not in measured["detail"], measured["detail"]
    assert measured["detail"]["audit"]["told_micros"] == 2_000 * CALL_MICROS
    assert measured["detail"]["audit"]["is_exact"]
    assert measured["detail"]["audit"]["is_consistent"]
    assert measured["detail"]["lines_per_second"] > 0
    assert all(memory_mb > 10 for memory_mb in measured["value"].values())


async def test_reads_of_usage_are_measured_on_a_history_that_adds_up(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    scale = replace(TINY, entries=20_000)

    measured = (await _measured(postgres_server, tmp_path, ("P18",), scale))["P18"]

    assert "not_measured" not in measured["detail"], measured["detail"]
    assert measured["detail"]["audit"] == {"is_consistent": True, "entries": 20_000, "pools": 181}
    # A month of days, a page and one row more, or as many as were asked for.
    assert measured["detail"]["rows"] == {
        "by day": 30,
        "by user and day": 51,
        "top spenders": 10,
        "50 events": 50,
        "an entry": 1,
        "50 uses of a grant": 51,
    }
    assert all(milliseconds > 0 for milliseconds in measured["value"].values())


async def test_webhooks_are_measured_and_none_is_missing_beside_endpoints_that_hang(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    scale = replace(TINY, events=4, endpoints=10, deliveries=50)

    measured = (await _measured(postgres_server, tmp_path, ("P22",), scale))["P22"]

    assert "not_measured" not in measured["detail"], measured["detail"]
    assert measured["detail"]["audit"]["is_consistent"]
    assert measured["detail"]["idle"]["count"] == 4
    assert measured["detail"]["loaded"]["count"] >= 4
    assert measured["detail"]["loaded"]["debits_per_second"] > 0
    # 5 customers; then 9 of 10 endpoints answer.
    assert measured["detail"]["all_answer"]["count"] == 50
    assert measured["detail"]["some_hang"]["count"] == 45
    assert all(value > 0 for value in measured["value"].values())


async def test_calls_decided_in_process_are_measured_and_each_is_stored(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    measured = (await _measured(postgres_server, tmp_path, ("P27",), replace(TINY, burst=500)))["P27"]

    assert "not_measured" not in measured["detail"], measured["detail"]
    _assert_exact(measured["detail"]["audit"])
    assert measured["detail"]["audit"]["is_consistent"]
    assert measured["detail"]["audit"]["open_holds"] == 0
    assert all(value > 0 for value in measured["value"].values())


def _assert_exact(audit: dict[str, Any]) -> None:
    assert audit["told_micros"] == audit["stored_micros"] > 0
    assert audit["unknown_micros"] == audit["refused_calls"] == 0


def _values(result: dict[str, Any]) -> list[Any]:
    value = result["value"]
    return list(value.values()) if isinstance(value, dict) else [value]


def test_no_picture_is_drawn_without_measurements(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured):
        draw({"P1": Figure.not_measured("P1", "away").as_json("P1")}, tmp_path / "bench.png")

    assert not list(tmp_path.iterdir())


async def test_a_missing_rpc_is_reported_as_not_measured(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    databases = await databases_of(
        postgres_server.admin_url, postgres_server.template, {}, copy_prefix=postgres_server.copy_prefix
    )

    async with Generator(warm_seconds=0.0, seconds=0.1) as generator:
        bench = Bench(scale=TINY, databases=databases, generator=generator, folder=tmp_path)
        async with bench.echoes() as (echo,):
            load = Load(
                kind=Kind.DEBIT_BATCH, in_flight=3, addresses=(echo.address,), customers=(customer(1),)
            )
            with pytest.raises(NotMeasured, match="UNIMPLEMENTED"):
                await generator.run(load)

    result = Figure.not_measured("P7", "UNIMPLEMENTED").as_json("P7")
    assert (result["met"], result["value"]) == (None, {"hot": None, "1,000 customers": None})
    assert "not measured" in str(next(iter(results.table({"P7": result}).columns[-1].cells)))


async def test_a_loaded_history_adds_up_and_leaves_the_keys_as_they_were(databases: Databases) -> None:
    url = databases.admin_url
    history = History(customers=30, entries=ENTRIES_WITHOUT_KEYS_MIN + 7, grants=3)

    async with Sql.connected(url) as sql:
        keys = await sql.rows(KEYS)
        await load(url, history)
        await load(url, History(customers=1, entries=40, first=31, grants=40, expires=True))
        assert await sql.rows(KEYS) == keys
    async with running_ledger(databases) as ledger:
        found = await ledger.admin.VerifyLedger(VerifyLedgerRequest())

    assert found.is_consistent, found.discrepancies
    assert (found.pools, found.grants, found.entries) == (31, 130, history.entries + 40)


async def test_credits_used_are_those_of_the_customers_named(databases: Databases) -> None:
    url = databases.url("ledger")
    await load(url, History(customers=2, entries=7, grants=2))

    assert await used_micros(url) == 3 * CALL_MICROS
    assert await used_micros(url, [customer(1)]) == 2 * CALL_MICROS


def test_every_goal_is_measured_once() -> None:
    measured = [name for names in MEASUREMENTS for name in names]

    assert sorted(measured) == sorted(PROMISES)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([Told(1.0, 2.0, False)], 1),
        ([Told(0.4, 2.0, False)], 0),
        ([Told(1.0, 2.0, True), Told(1.0, 2.0, True), Told(1.0, 2.0, False)], 0),
        ([Told(1.0, 2.0, True), Told(2.1, 3.0, True), Told(1.0, 2.0, False)], 1),
    ],
    ids=["credits were there", "asked before they came", "others had them", "others had them only later"],
)
def test_a_denial_is_false_when_the_credits_were_certainly_available(told: list[Told], found: int) -> None:
    assert Race(grants=[(0.5, 2)], told=told).false_denials() == found


def test_a_call_of_unknown_outcome_may_have_had_the_credits() -> None:
    race = Race(grants=[(0.5, 1)], told=[Told(1.0, 2.0, False)], unknown=[0.9])

    assert race.false_denials() == 0


@pytest.mark.parametrize(
    ("goal", "value", "is_met"),
    [
        (Goal(0.7, "× echo", at_least=True), 0.7, True),
        (Goal(0.7, "× echo", at_least=True), 0.699, False),
        (Goal(0, ""), 0, True),
        (Goal(0, ""), 1, False),
    ],
)
def test_a_goal_is_met_at_its_limit(goal: Goal, value: float, is_met: bool) -> None:
    assert goal.is_met(value) is is_met


def test_a_figure_with_wrong_sums_is_not_met_however_fast() -> None:
    assert PROMISES["P1"] == Promise(PROMISES["P1"].title, (Goal(0.7, "× echo", at_least=True),))
    fast = {"": Spread.of([2.0])}

    assert Figure(fast).is_met("P1") is True
    assert Figure(fast, holds=False).is_met("P1") is False


def test_a_quantile_is_the_latency_that_so_many_calls_did_not_exceed() -> None:
    of_hundred = _run([float(number) for number in range(1, 101)])

    assert (of_hundred.p50_ms, of_hundred.p99_ms) == (50.0, 99.0)
    assert (_run([3.0]).p50_ms, _run([3.0]).p99_ms) == (3.0, 3.0)


def _run(latencies: list[float]) -> Run:
    return Run(seconds=1.0, latencies_ms=latencies, answered=len(latencies), refused=0, faults={})
