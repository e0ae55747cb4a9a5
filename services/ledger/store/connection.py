# SPDX-License-Identifier: Apache-2.0
"""Connections to the Ledger's database: asyncpg without SQLAlchemy, which costs less time per call."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import asyncpg
from pydantic import TypeAdapter

from meshkit.connections import Connections
from meshkit.db import CONNECT_SECONDS_MAX, SESSION_SETTINGS
from meshkit.poolers import PoolerUnusable
from meshkit.quantity import INT64_MAX
from services.ledger.domain.usage.event import EventResult
from services.ledger.store.citus import LedgerConnection, detect_citus
from services.ledger.store.formats import EVENT_RESULT, RESPONSES

Connection: TypeAlias = Any  # asyncpg.Connection, or a pool's proxy for one; asyncpg has no types
Pool: TypeAlias = Any  # asyncpg.Pool

ACQUIRE_SECONDS_MAX = 5.0

_JSONB_VERSION = b"\x01"
# Group values, and what a Format has encoded: anything else is stored in its Format.
_PLAIN: Mapping[type, TypeAdapter[Any]] = {
    dict: TypeAdapter(dict[str, Any]),
    list: TypeAdapter(list[dict[str, Any]]),
}


def at_most_int64(total: str) -> str:
    """Return the SQL of a numeric total that is cut to what a bigint can hold."""
    return f"least({total}, {INT64_MAX})::bigint"


async def open_pool(database: str | Connections, *, size: int) -> Pool:
    """Return a pool of at most `size` connections. It connects on first use, so the database may be down now.

    database: what opens them, or a URL. Acquiring a connection raises PoolerUnusable if a pooler stands before Citus.
    """
    connections = database if isinstance(database, Connections) else Connections(database)

    async def prepare(connection: Connection) -> None:
        await detect_citus(connection)
        if connection.is_citus and connections.is_pooled:
            raise PoolerUnusable(
                "the pooler keeps no settings of sessions, and Citus needs some",
                "connect the Ledger to the coordinator itself",
            )
        await _set_json_codec(connection)

    return await asyncpg.create_pool(
        min_size=0,
        max_size=size,
        connect=connections.connect,
        connection_class=LedgerConnection,
        timeout=CONNECT_SECONDS_MAX,
        server_settings={
            **SESSION_SETTINGS,
            "application_name": "ledger",
            "jit": "off",
            "plan_cache_mode": "force_generic_plan",
        },
        init=prepare,
        reset=_skip_reset,
    )


async def _skip_reset(connection: Connection) -> None:
    """Skip the round trip of asyncpg's reset: no statement here changes a session beyond its transaction."""


async def _set_json_codec(connection: Connection) -> None:
    """Encode plain data, a response or an event's result as jsonb. Composites need the binary form."""
    await connection.set_type_codec(
        "jsonb", encoder=_jsonb_of, decoder=_from_jsonb, schema="pg_catalog", format="binary"
    )


def _jsonb_of(value: object) -> bytes:
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return _JSONB_VERSION + plain.dump_json(value)
    if isinstance(value, EventResult):
        return _JSONB_VERSION + EVENT_RESULT.to_text(value)
    return _JSONB_VERSION + RESPONSES.of(type(value)).to_text(value)


def _from_jsonb(binary: bytes) -> object:
    return json.loads(binary[1:])
