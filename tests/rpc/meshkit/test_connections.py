# SPDX-License-Identifier: Apache-2.0
"""Which of several hosts is used, and what is said when none can be."""

from typing import Any

import pytest

from meshkit import connections as connections_module
from meshkit.connections import Connections, NoHostUsable
from meshkit.db import open_engine
from meshkit.poolers import PoolerUnusable
from tests.support.postgres import Databases
from tests.support.session_pooler import session_pooler
from tests.support.silent_proxy import Silence, SilentProxy

NOBODY = "127.0.0.1:1"


def _hosts(databases: Databases, *addresses: str, options: str = "") -> Connections:
    url = databases.url("ledger").replace(databases.address, ",".join(addresses))
    return Connections(f"{url}?{options}" if options else url)


async def _port_used(connections: Connections) -> Any:
    connection = await connections.connect(timeout=60)
    try:
        return connection._addr
    finally:
        connection.terminate()


async def test_the_next_host_is_used_if_the_first_refuses(databases: Databases) -> None:
    host, port = await _port_used(_hosts(databases, NOBODY, databases.address))

    assert f"{host}:{port}" == databases.address


async def test_the_next_host_is_used_if_the_first_does_not_answer_and_is_remembered(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "HOST_SECONDS_MAX", 0.5)
    async with SilentProxy.before(databases.address) as first:
        first.fall_silent(Silence.DROPS)
        connections = _hosts(databases, first.address, databases.address)

        host, port = await _port_used(connections)
        first.another_answers()
        again = await _port_used(connections)

    assert f"{host}:{port}" == databases.address
    assert again == (host, port)


async def test_a_host_that_refuses_writes_is_not_used_and_each_host_says_why(databases: Databases) -> None:
    read_only = _hosts(databases, NOBODY, databases.address, options="default_transaction_read_only=on")

    with pytest.raises(NoHostUsable) as refusal:
        await read_only.connect(timeout=60)

    first, second = str(refusal.value).split("; ")
    assert first.startswith(f"{NOBODY}: [Errno 111]")
    assert second == f"{databases.address}: a standby, or read-only"


async def test_a_single_host_is_used_as_its_url_says(databases: Databases) -> None:
    read_only = _hosts(databases, databases.address, options="default_transaction_read_only=on")

    assert await _port_used(read_only)


@pytest.mark.parametrize("refuses_settings", [True, False], ids=["refuses settings", "ignores settings"])
async def test_a_pooler_that_does_not_track_prepared_statements_is_refused_in_one_line(
    databases: Databases, refuses_settings: bool
) -> None:
    async with session_pooler(databases.address, refuses_settings=refuses_settings) as address:
        engine = open_engine(_hosts(databases, address), application_name="test")

        with pytest.raises(PoolerUnusable) as refusal:
            await engine.connect()
        await engine.dispose()

    assert str(refusal.value) == (
        f"the pooler at {address} does not track prepared statements; use PgBouncer 1.21 or newer with"
        " pool_mode = transaction and max_prepared_statements above 0, or connect to PostgreSQL itself"
    )


async def test_postgresql_itself_is_taken_for_no_pooler(databases: Databases) -> None:
    direct = _hosts(databases, databases.address)

    await _port_used(direct)

    assert not direct.is_pooled
