# SPDX-License-Identifier: Apache-2.0
"""The file of the import's crash test, and the comparison of its lines with what is stored."""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from tests.simulation.crash_requests import CUSTOMERS, EVENT_TYPE, USERS

CREDITS_PER_UNIT = 12
FINDINGS_MAX = 1_000

Lines = dict[tuple[str, str], int]  # units × 10^6 by customer and transaction_id

_EVENTS = "SELECT customer_id, transaction_id, status FROM ledger.usage_events"
_ENTRIES = """
    SELECT customer_id, transaction_id, count(*) FILTER (WHERE quantity_micros > 0) AS times,
        sum(quantity_micros)::bigint AS quantity, sum(shortfall_micros - amount_micros)::bigint AS cost
    FROM ledger.entries WHERE product_id IS NOT NULL GROUP BY 1, 2
"""
_METERS = """
    SELECT customer_id, sum(quantity_micros)::bigint AS quantity, sum(cost_micros)::bigint AS cost
    FROM ledger.meters GROUP BY 1
"""


def write_file(path: Path, events: int, dice: random.Random) -> Lines:
    """Write events of random customers, users, units and times of the last hours; returns what they report."""
    lines: Lines = {}
    now = datetime.now(UTC)
    with path.open("w") as file:
        for number in range(events):
            customer, micros = dice.choice(CUSTOMERS), dice.randint(1, 400_000)
            lines[customer, f"tx-{number}"] = micros
            event = {
                "transaction_id": f"tx-{number}",
                "customer": customer,
                "event_type": EVENT_TYPE,
                "timestamp": (now - timedelta(seconds=dice.uniform(0, 43_200))).isoformat(),
                "properties": {"units": f"0.{micros:06d}", "user_id": f"user-{dice.randrange(USERS)}"},
            }
            file.write(f"{json.dumps(event)}\n")
    return lines


async def differences(url: str, lines: Lines) -> list[str]:
    """Read what is stored, and return one line for each difference from the file."""
    connection = await asyncpg.connect(url)
    try:
        events, entries, meters = [await connection.fetch(one) for one in (_EVENTS, _ENTRIES, _METERS)]
    finally:
        await connection.close()
    found = [*_of_events(lines, events), *_of_entries(lines, entries), *_of_meters(lines, meters)]
    return found[:FINDINGS_MAX]


def _of_events(lines: Lines, rows: list[Any]) -> Iterator[str]:
    stored = {(row["customer_id"], row["transaction_id"]) for row in rows}
    yield from (f"{name} is not stored" for name in sorted(lines.keys() - stored))
    yield from (f"{name} is stored, but not in the file" for name in sorted(stored - lines.keys()))
    yield from (f"{dict(row)}" for row in rows if row["status"] != "ACCEPTED")


def _of_entries(lines: Lines, rows: list[Any]) -> Iterator[str]:
    seen = {
        (row["customer_id"], row["transaction_id"]): (row["times"], row["quantity"], row["cost"])
        for row in rows
    }
    for name in sorted(lines.keys() | seen.keys(), key=str):
        wanted = (1, lines[name], lines[name] * CREDITS_PER_UNIT) if name in lines else None
        if seen.get(name) != wanted:
            yield f"{name} was counted as {seen.get(name)} instead of {wanted}: times, units and cost"


def _of_meters(lines: Lines, rows: list[Any]) -> Iterator[str]:
    wanted: dict[str, int] = defaultdict(int)
    for (customer, _), micros in lines.items():
        wanted[customer] += micros
    seen = {row["customer_id"]: (row["quantity"], row["cost"]) for row in rows}
    for customer in sorted(wanted.keys() | seen.keys()):
        if seen.get(customer) != (wanted[customer], wanted[customer] * CREDITS_PER_UNIT):
            yield f"the meters of {customer} have {seen.get(customer)} instead of {wanted[customer]:,} units × 10^6"
