# SPDX-License-Identifier: Apache-2.0
"""A database on all nodes of a Citus cluster, and the Ledger's tables spread over them.

For tests, measurements and trials: on a cluster in use, the statements are run by its administrators (README.md).
"""

from collections.abc import Sequence
from pathlib import Path

import asyncpg
from sqlalchemy.engine import URL, make_url

from deploy.local import database
from deploy.local.fault import Fault
from meshkit.database_url import role_of
from meshkit.db import migrate

DISTRIBUTE = Path(__file__).parent / "distribute.sql"
HOW_TO_GET_CITUS = (
    "set PURSER_CITUS_URL to a coordinator, such as postgresql://postgres@127.0.0.1:9700/purser;"
    " deploy/citus/README.md says how one gets Citus for a trial"
)
_NODES = (
    "SELECT nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' AND isactive ORDER BY groupid"
)


async def nodes_of(coordinator_url: str) -> list[URL]:
    """Return the URLs of a cluster's nodes, the coordinator first. Raises Fault if it is not a Citus coordinator."""
    address = make_url(coordinator_url)
    connection = await database.connect(coordinator_url)
    try:
        rows = await connection.fetch(_NODES)
    except asyncpg.UndefinedTableError:
        raise Fault(f"the database of PURSER_CITUS_URL has no Citus: {HOW_TO_GET_CITUS}") from None
    finally:
        await connection.close()
    workers = [
        address.set(host=row["nodename"], port=row["nodeport"])
        for row in rows
        if (row["nodename"], row["nodeport"]) != (address.host, address.port)
    ]
    if not workers:
        raise Fault("the coordinator of PURSER_CITUS_URL has no workers: SELECT citus_add_node('HOST', PORT)")
    return [address, *workers]


async def make_database(coordinator_url: str, name: str) -> None:
    """Create a database with Citus on every node of a cluster, and make it known to the coordinator."""
    await join(await nodes_of(coordinator_url), name)


async def join(nodes: Sequence[URL], name: str) -> None:
    """Create a database with Citus on these servers, the coordinator first, and make them one cluster in it."""
    for node in nodes:
        await _execute(node, [f"CREATE DATABASE \"{name}\" ENCODING 'UTF8' TEMPLATE template0"])
        await _execute(node.set(database=name), ["CREATE EXTENSION citus"])
    coordinator, *workers = nodes
    await _execute(
        coordinator.set(database=name),
        [
            f"SELECT citus_set_coordinator_host('{coordinator.host}', {coordinator.port})",
            *(f"SELECT citus_add_node('{worker.host}', {worker.port})" for worker in workers),
        ],
    )


async def prepare(
    coordinator_url: str, name: str, *, state_folder: Path, role_prefix: str, shards: int
) -> database.ServiceUrls:
    """Create a database, migrate the Ledger's schema in it and spread its tables. See deploy.local.database.prepare."""
    await make_database(coordinator_url, name)
    urls = await database.prepare(
        coordinator_url, state_folder=state_folder, database=name, role_prefix=role_prefix
    )
    await migrate(urls.owner["ledger"], service="ledger", runtime_role=role_of(urls.runtime["ledger"]))
    await distribute(urls.owner["ledger"], shards=shards)
    return urls


async def drop_database(coordinator_url: str, name: str) -> None:
    """Drop a database from every node of a cluster, with all data."""
    for node in await nodes_of(coordinator_url):
        await _execute(node, [f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'])


async def distribute(owner_url: str, *, shards: int) -> None:
    """Spread the Ledger's tables over the workers, as its owner, who has migrated them. shards: of each table."""
    connection = await database.connect(owner_url)
    try:
        await connection.execute(f"SET citus.shard_count = {shards}")
        await connection.execute(DISTRIBUTE.read_text(encoding="utf-8"))
    finally:
        await connection.close()


async def _execute(url: URL, statements: Sequence[str]) -> None:
    connection = await database.connect(url.render_as_string(hide_password=False))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
