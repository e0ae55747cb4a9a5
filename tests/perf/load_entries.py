# SPDX-License-Identifier: Apache-2.0
"""Fills an empty Ledger with a long history by COPY: `python -m tests.perf.load_entries --help`.

It writes customers, contracts, pools, grants and entries for which VerifyLedger finds no discrepancy. The entries have
the order in which they would have been written: in rounds over all customers, so those of one customer are far apart.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import asyncpg
import typer
from rich.console import Console

from meshkit.period import period_at
from tests.perf.world import (
    CALL_MICROS,
    CREDIT_TYPE,
    PLENTY_MICROS,
    PRODUCT,
    RATE,
    RATE_CARD,
    UNITS_MICROS,
    USERS,
    customer,
    yesterday,
)

HISTORY_DAYS = 90
BLOCK_ROWS = 2_000
INDEX_MEMORY = "512MB"
# With fewer entries than this, dropping and recreating the keys saves no time.
ENTRIES_WITHOUT_KEYS_MIN = 100_000

_KEYS = """
    SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
    WHERE conrelid = 'ledger.entries'::regclass AND contype IN ('p', 'u', 'f') ORDER BY contype DESC, conname
"""
_INDEXES = """
    SELECT x.indexrelid::regclass::text AS name, pg_get_indexdef(x.indexrelid) AS definition FROM pg_index x
    WHERE x.indrelid = 'ledger.entries'::regclass
      AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = x.indexrelid)
"""
_ENTRY_COLUMNS = (
    *("customer_id", "credit_type_id", "sequence", "kind", "grant_id", "amount_micros", "shortfall_micros"),
    *("effective_time", "create_time", "cause_id", "product_id", "group_values"),
)
# Of an entry about an event. Those of grants have none of it, and a quantity of 0.
_EVENT_COLUMNS = (
    *(
        "contract_id",
        "quantity_micros",
        "root_rate_id",
        "usage_period_start",
        "dimension_values",
        "transaction_id",
    ),
    *("meter_quantity_micros", "meter_cost_micros"),
)
_GRANT_COLUMNS = (
    *("customer_id", "credit_type_id", "grant_id", "kind", "priority", "effective_time", "expire_time"),
    *("create_time", "granted_micros", "captured_micros", "held_micros", "expired_micros", "voided_micros"),
    *("cost_basis_micros", "scope_product_ids", "is_closed"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What to load: `entries` in total, spread evenly over `customers`, the first of which has number `first`.

    grants: active grants per customer; all spending was from the first one. expires: each grant expires a day after the
    previous one, starting 30 days from now; otherwise never. The entries include one for each grant. has_events: the
    captures are of usage events, one unit each, which load_events.py adds.
    """

    customers: int
    entries: int
    first: int = 1
    grants: int = 2
    expires: bool = False
    has_events: bool = False
    start: datetime = field(default_factory=yesterday)

    def __post_init__(self) -> None:
        assert self.entries >= self.customers * self.grants, "every grant has an entry"

    def entries_of(self, number: int) -> int:
        """Return how many entries the number-th of these customers has."""
        return self.entries // self.customers + (number < self.entries % self.customers)


async def load(url: str, history: History, *, say: Callable[[str], None] = lambda line: None) -> None:
    """Load a history into the database at `url` (the Ledger's role, or a superuser), which contains none of it yet."""
    connection = await asyncpg.connect(url)
    try:
        began = time.monotonic()
        await _load_owners(connection, history)
        say(f"{history.customers:,} customers after {time.monotonic() - began:.0f} s")
        async with _without_keys(connection, history.entries >= ENTRIES_WITHOUT_KEYS_MIN, say):
            columns = (*_ENTRY_COLUMNS, *_EVENT_COLUMNS) if history.has_events else _ENTRY_COLUMNS
            await copy(connection, "entries", columns, _entries(history))
            say(f"{history.entries:,} entries after {time.monotonic() - began:.0f} s")
        await connection.execute("VACUUM ANALYZE ledger.entries")
        for table in ("customers", "contracts", "pools", "grants"):
            await connection.execute(f"VACUUM ANALYZE ledger.{table}")
        say(f"all of it, with its keys, after {time.monotonic() - began:.0f} s")
    finally:
        await connection.close()


async def _load_owners(connection: Any, history: History) -> None:
    numbers = range(history.customers)
    start, created = text(history.start), text(_beginning(history))
    ids = [f"{history.first + number:032x}" for number in numbers]
    await copy(
        connection,
        "customers",
        ("customer_id", "version", "is_suspended"),
        (f"cus_{one}\t1\tf\n" for one in ids),
    )
    await copy(
        connection,
        "contracts",
        ("customer_id", "contract_id", "version", "rate_card_id", "start_time"),
        (f"cus_{one}\tcon_{one}\t1\t{RATE_CARD}\t{start}\n" for one in ids),
    )
    due = text(_expiry(0)) if history.expires else r"\N"
    await copy(
        connection,
        "pools",
        ("customer_id", "credit_type_id", "version", "sequence", "shortfall_micros", "next_due_time"),
        (
            f"cus_{one}\t{CREDIT_TYPE}\t1\t{history.entries_of(number)}\t0\t{due}\n"
            for number, one in zip(numbers, ids, strict=True)
        ),
    )
    expiries = [text(_expiry(grant)) if history.expires else r"\N" for grant in range(history.grants)]
    await copy(
        connection,
        "grants",
        _GRANT_COLUMNS,
        (
            f"cus_{one}\t{CREDIT_TYPE}\t{grant_id(one, grant)}\tTOP_UP\t100\t{created}\t{expiries[grant]}"
            f"\t{created}\t{PLENTY_MICROS}\t{captured}\t0\t0\t0\t0\t{{}}\tf\n"
            for number, one in zip(numbers, ids, strict=True)
            for grant in range(history.grants)
            for captured in [0 if grant else (history.entries_of(number) - history.grants) * CALL_MICROS]
        ),
    )


def _entries(history: History) -> Iterator[str]:
    """Return first the entry of every grant, then captures, in rounds."""
    for one in rounds(history):
        at = text(one.at)
        if one.sequence <= history.grants:
            grant, no_event = one.sequence - 1, "\t\\N\t0" + "\t\\N" * 6 if history.has_events else ""
            for owner in one.owners:
                yield (
                    f"cus_{owner}\t{CREDIT_TYPE}\t{one.sequence}\tGRANT\t{grant_id(owner, grant)}\t{PLENTY_MICROS}\t0"
                    f"\t{at}\t{at}\tload-{grant}\t\\N\t\\N{no_event}\n"
                )
        else:
            group = json.dumps({"user_id": one.user})
            metered = f"{UNITS_MICROS}\t{RATE}\t{text(one.period_start)}\t{{}}"
            position = f"{one.position * UNITS_MICROS}\t{one.position * CALL_MICROS}"
            for number, owner in enumerate(one.owners):
                cause = one.transaction_id(number)
                event = f"\tcon_{owner}\t{metered}\t{cause}\t{position}" if history.has_events else ""
                yield (
                    f"cus_{owner}\t{CREDIT_TYPE}\t{one.sequence}\tCAPTURE\t{grant_id(owner, 0)}\t{-CALL_MICROS}\t0"
                    f"\t{at}\t{at}\t{cause}\t{PRODUCT}\t{group}{event}\n"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The entries with one sequence, at one instant. owners: the ids of the customers that have one.

    period_start: of the usage period. position: the captures in it so far, this one included.
    """

    sequence: int
    at: datetime
    owners: Sequence[str]
    user: str
    period_start: datetime
    position: int

    def transaction_id(self, number: int) -> str:
        """Return the cause of the number-th owner's capture."""
        return f"{self.sequence:016x}{number:016x}"


def rounds(history: History) -> Iterator[Round]:
    """Return the rounds of a history, oldest first."""
    ids = [f"{history.first + number:032x}" for number in range(history.customers)]
    count = history.entries_of(0)
    step = timedelta(days=HISTORY_DAYS) / count
    positions: Counter[datetime] = Counter()
    for sequence in range(1, count + 1):
        at = _beginning(history) + sequence * step
        period = period_at(history.start, 1, at).start
        positions[period] += sequence > history.grants
        is_whole = history.entries_of(history.customers - 1) >= sequence
        yield Round(
            sequence=sequence,
            at=at,
            owners=ids if is_whole else ids[: history.entries % history.customers],
            user=USERS[sequence % len(USERS)],
            period_start=period,
            position=positions[period],
        )


@asynccontextmanager
async def _without_keys(
    connection: Any, is_worth_it: bool, say: Callable[[str], None]
) -> AsyncIterator[None]:
    """Drop the keys and indexes of ledger.entries, and recreate them when the block ends."""
    if not is_worth_it:
        yield
        return
    keys, indexes = await connection.fetch(_KEYS), await connection.fetch(_INDEXES)
    for key in keys:
        await connection.execute(f'ALTER TABLE ledger.entries DROP CONSTRAINT "{key["name"]}"')
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    yield
    await connection.execute(f"SET maintenance_work_mem = '{INDEX_MEMORY}'")
    # Foreign keys were dropped first and are recreated last, because they need the keys that they refer to.
    for key in reversed(keys):
        await connection.execute(
            f'ALTER TABLE ledger.entries ADD CONSTRAINT "{key["name"]}" {key["definition"]}'
        )
    for index in indexes:
        await connection.execute(index["definition"])
    await connection.execute("RESET maintenance_work_mem")


async def copy(connection: Any, table: str, columns: Iterable[str], lines: Iterable[str]) -> None:
    await connection.copy_to_table(
        table, schema_name="ledger", columns=list(columns), source=_blocks(iter(lines)), format="text"
    )


async def _blocks(lines: Iterator[str]) -> AsyncIterator[bytes]:
    block: list[str] = []
    for line in lines:
        block.append(line)
        if len(block) == BLOCK_ROWS:
            yield "".join(block).encode()
            block.clear()
    if block:
        yield "".join(block).encode()


def grant_id(one: str, grant: int) -> str:
    return f"grt_{grant:08x}{one[8:]}"


def _beginning(history: History) -> datetime:
    return history.start - timedelta(days=HISTORY_DAYS)


def _expiry(grant: int) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=30 + grant)


def text(at: datetime) -> str:
    return at.isoformat()


def main(
    url: Annotated[str, typer.Option(help="the Ledger's database, migrated: postgresql://…")],
    entries: Annotated[int, typer.Option(help="entries in all")] = 10_000_000,
    customers: Annotated[int, typer.Option(help="customers they are spread over")] = 100_000,
    grants: Annotated[int, typer.Option(help="active grants of each customer")] = 2,
    first: Annotated[int, typer.Option(help="number of the first customer; others are left alone")] = 1,
) -> None:
    """Load a long history into a Ledger's database."""
    console = Console(highlight=False)
    history = History(customers=customers, entries=entries, grants=grants, first=first)
    asyncio.run(load(url, history, say=console.print))
    console.print(f"customers {customer(first)} to {customer(first + customers - 1)}")


if __name__ == "__main__":
    typer.run(main)
