# SPDX-License-Identifier: Apache-2.0
"""The guarded write on Citus: customer by customer, each in a transaction on the worker that has its rows.

Citus sends a statement to a worker as a whole if it changes rows or inserts into one table, but not if it does both.
So the parts that change rows are one statement with the guard. Each part that inserts is another statement, for the
rows of the pools that the guard has locked.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from typing import Any, Final, NamedTuple

from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.store.citus import narrowed, transaction

_INSERTED: Final = re.compile(r"INSERT INTO ledger\.\w+(?: AS \w+)? \(([^)]*)\)")
ROWS_AT_ONCE: Final = 100


class PartSql(NamedTuple):
    """What writes one table: its rows' composite type, and its SQL with {rows}."""

    name: str
    row: str
    sql: str


class Answered(NamedTuple):
    """What finds customers with a response in the earlier slot: its rows, its SQL, and the condition of the guard."""

    row: str
    sql: str
    unless: str


class Slots(NamedTuple):
    """Where responses are written to, and where an earlier one may be; None: it is not looked for."""

    written: Sequence[int]
    earlier: int | None


Rows = list[tuple[Any, ...]]
Written = Sequence[tuple[PartSql, Rows]]


async def write_by_customer(
    connection: Any, written: Written, *, epoch: int | None, answered: Answered, slots: Slots | None
) -> set[PoolKey]:
    """Do what write_changes does. written: the rows of each part, whose first column is the customer; the pools first.

    Outside of a transaction, an error leaves the customers before it written: whoever decides again finds their stored
    responses. slots: None if there are no responses.
    """
    found: set[PoolKey] = set()
    for customer_id, parts in sorted(_by_customer(written).items()):
        async with nullcontext() if connection.is_in_transaction() else transaction(connection):
            found |= await _write(connection, customer_id, parts, epoch, answered, slots)
    return found


async def _write(
    connection: Any,
    customer_id: str,
    parts: Written,
    epoch: int | None,
    answered: Answered,
    slots: Slots | None,
) -> set[PoolKey]:
    changing = [(part, rows) for part, rows in parts if not _is_insert(part)]
    arguments: list[object] = [customer_id, epoch, *(rows for _, rows in changing)]
    responses = [rows for part, rows in parts if part.row == answered.row]
    looks_back = slots is not None and slots.earlier is not None and bool(responses)
    if looks_back:
        assert slots is not None
        arguments += [responses[0], slots.earlier]
    statement = _changing(tuple(part for part, _ in changing), answered if looks_back else None)
    guarded = await connection.fetch(statement, *arguments)
    found = {(row["customer_id"], row["credit_type_id"]) for row in guarded}
    for part, rows in parts:
        if _is_insert(part) and (of_pools := [row for row in rows if row[:2] in found]):
            places = [] if slots is None or part.row != answered.row else slots.written
            for first in range(0, len(of_pools), ROWS_AT_ONCE):
                some = of_pools[first : first + ROWS_AT_ONCE]
                statement = insert_of_values(part, len(some), len(places))
                await connection.execute(statement, customer_id, *places, *some)
    return found


def _is_insert(part: PartSql) -> bool:
    return part.sql.lstrip().startswith("INSERT")


@cache
def _changing(parts: tuple[PartSql, ...], answered: Answered | None) -> str:
    """Return the statement of the parts that change rows. $1 is the customer, $2 the epoch, then come their rows."""
    first = 3
    texts = []
    if answered is not None:
        place = first + len(parts)
        found = answered.sql.format(
            rows=f"unnest(${place}::ledger.{answered.row}[]) AS d", earlier=f"${place + 1}"
        )
        texts.append(narrowed(found, "$1"))
    for number, part in enumerate(parts, start=first):
        sql = part.sql.replace("$1", "$2").format(
            rows=f"unnest(${number}::ledger.{part.row}[]) AS d",
            unless_answered=answered.unless if answered else "",
        )
        texts.append(f"{part.name} AS ({narrowed(sql, '$1')})")
    return f"WITH {', '.join(texts)} SELECT customer_id, credit_type_id FROM guard"


@cache
def insert_of_values(part: PartSql, count: int, slots: int) -> str:
    """Return the statement that inserts rows. $1 is the customer, then come the slots of responses and the rows.

    Of VALUES, Citus knows the shard at once; it would plan an INSERT … SELECT for every shard. count: of the rows.
    """
    insert, _, rest = part.sql.partition("SELECT ")
    selected, _, rest = rest.partition(" FROM ")
    found = _INSERTED.search(insert)
    assert found is not None
    names = found[1] if selected.strip() == "d.*" else selected
    columns = [name.strip().removeprefix("d.") for name in names.split(",")]
    places = [f"${2 + number}::smallint" for number in range(slots)] or [""]
    rows = [f"(${2 + slots + number}::ledger.{part.row})" for number in range(count)]
    values = [
        ", ".join(
            "$1" if column == "customer_id" else place if column == "s.slot" else f"{row}.{column}"
            for column in columns
        )
        for row in rows
        for place in places
    ]
    _, conflict, action = rest.partition("ON CONFLICT")
    return f"{insert} VALUES ({'), ('.join(values)}) {conflict}{action}"


def _by_customer(written: Written) -> Mapping[str, list[tuple[PartSql, Rows]]]:
    customers: defaultdict[str, list[tuple[PartSql, Rows]]] = defaultdict(list)
    for part, rows in written:
        of_customers: defaultdict[str, Rows] = defaultdict(list)
        for row in rows:
            of_customers[row[0]].append(row)
        for customer_id, of_one in of_customers.items():
            customers[customer_id].append((part, of_one))
    return customers
