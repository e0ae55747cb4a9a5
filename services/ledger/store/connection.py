# SPDX-License-Identifier: Apache-2.0
"""Connections to the Ledger's database: raw asyncpg, for the gate counts its microseconds."""

import json
from typing import Any, TypeAlias

import asyncpg

from meshkit.db import CONNECT_SECONDS_MAX, SESSION_SETTINGS

Connection: TypeAlias = Any  # asyncpg.Connection, or a pool's proxy for one; asyncpg has no types
Pool: TypeAlias = Any  # asyncpg.Pool

ACQUIRE_SECONDS_MAX = 5.0


async def open_pool(url: str, *, size: int) -> Pool:
    """Return a pool of at most `size` connections; it connects when first used, so the database may be away."""
    return await asyncpg.create_pool(
        url.replace("postgresql+asyncpg://", "postgresql://", 1),
        min_size=0,
        max_size=size,
        timeout=CONNECT_SECONDS_MAX,
        server_settings={
            **SESSION_SETTINGS,
            "application_name": "ledger",
            "jit": "off",
            "plan_cache_mode": "force_generic_plan",
        },
        init=_speak_json,
        reset=_keep_as_it_is,
    )


async def _keep_as_it_is(connection: Connection) -> None:
    """Spare the round trip of asyncpg's reset: nothing here changes a session beyond its transaction."""


async def _speak_json(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
