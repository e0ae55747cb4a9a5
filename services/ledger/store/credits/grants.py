# SPDX-License-Identifier: Apache-2.0
"""Reads the grants of accounts: all open ones, or only some and what remains in the others."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, Grant, GrantId, SlotId
from services.ledger.domain.credits.unit_of_work import AccountSelection, PoolKey
from services.ledger.domain.crossings import alarm
from services.ledger.domain.crossings.watch import OF_BALANCE
from services.ledger.domain.errors import GrantNotFound
from services.ledger.domain.usage.funding import PAYS_AFTER_EXPIRY
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.credits.pools import POOLS
from services.ledger.store.credits.rows import GRANT_COLUMNS, IS_OPEN_GRANT, Row, grant_from_row, prefixed

# How many of the unread grants are added up to see that the balance is far above every threshold.
SAMPLE_SIZE = 100

_GRANT = f"g.customer_id, g.credit_type_id, {prefixed('g', GRANT_COLUMNS)}"
_UNREAD = f"""
    SELECT coalesce(sum(remaining_micros), 0) AS remaining_micros,
        coalesce(sum(included_micros), 0) AS included_micros
    FROM (
        SELECT g.granted_micros - g.captured_micros - g.expired_micros - g.voided_micros AS remaining_micros,
            CASE WHEN g.kind = 'INCLUDED' AND NOT g.is_closed THEN g.granted_micros - g.voided_micros END
                AS included_micros
        FROM ledger.grants g
        WHERE g.customer_id = $1 AND g.credit_type_id = $2 AND ({IS_OPEN_GRANT}) AND g.effective_time <= $3
            AND (g.expire_time IS NULL OR g.expire_time > $3) AND g.grant_id <> ALL ($4::text[])
            AND g.slot_id IS NULL
        LIMIT $5
    ) AS unread
"""

Grants = Mapping[PoolKey, Mapping[GrantId, Grant]]


async def read_grants(
    connection: Connection,
    selections: Mapping[PoolKey, AccountSelection],
    keys: Sequence[PoolKey],
    partial: Collection[PoolKey],
    *,
    at: datetime,
) -> Grants:
    """Return the grants of these pools. partial: pools of which only the selected grants are read."""
    found: dict[PoolKey, dict[GrantId, Grant]] = defaultdict(dict)
    rows: list[Row] = []
    if whole := [key for key in keys if key not in partial]:
        rows += await fetch_by_customer(
            connection,
            f"SELECT {_GRANT} FROM {POOLS}"
            " JOIN ledger.grants g USING (customer_id, credit_type_id)"
            f" WHERE g.slot_id IS NULL AND ({IS_OPEN_GRANT})",
            [customer_id for customer_id, _ in whole],
            [credit_type_id for _, credit_type_id in whole],
        )
    if named := [(key[0], grant_id) for key in keys for grant_id in selections[key].only_grants or ()]:
        rows += await fetch_by_customer(
            connection,
            f"SELECT {_GRANT} FROM unnest($1::text[], $2::text[]) AS q (customer_id, grant_id)"
            " JOIN ledger.grants g USING (customer_id, grant_id)",
            [customer_id for customer_id, _ in named],
            [grant_id for _, grant_id in named],
        )
    if late := [key for key in keys if selections[key].pays_late]:
        rows += await fetch_by_customer(
            connection,
            f"SELECT {_GRANT} FROM {POOLS}"
            " JOIN ledger.grants g USING (customer_id, credit_type_id)"
            " WHERE g.is_closed AND g.expired_micros > 0 AND g.expire_time > $3 AND g.slot_id IS NULL",
            [customer_id for customer_id, _ in late],
            [credit_type_id for _, credit_type_id in late],
            at - PAYS_AFTER_EXPIRY,
        )
    for row in rows:
        grant = grant_from_row(row)
        found[row["customer_id"], row["credit_type_id"]][grant.grant_id] = grant
    return found


async def read_slot_grants(
    connection: Connection,
    key: PoolKey,
    slot_ids: Collection[SlotId],
    drawn: Collection[GrantId],
    *,
    pays_late: bool,
    at: datetime,
) -> dict[GrantId, Grant]:
    """Return the open grants of these slots, and these grants. pays_late: also closed ones that can still pay.

    drawn: grants that holds of the account draw, whoever has their slots now. Those that they rolled to by a change of
    plan are read, too.
    """
    rows: list[Row] = []
    if slot_ids:
        rows += await connection.fetch(
            f"SELECT {_GRANT} FROM ledger.grants g WHERE g.customer_id = $1 AND g.credit_type_id = $2"
            f" AND g.slot_id = ANY ($3) AND ({IS_OPEN_GRANT})",
            *key,
            list(slot_ids),
        )
    if slot_ids and pays_late:
        rows += await connection.fetch(
            f"SELECT {_GRANT} FROM ledger.grants g WHERE g.customer_id = $1 AND g.credit_type_id = $2"
            " AND g.slot_id = ANY ($3) AND g.is_closed AND g.expired_micros > 0 AND g.expire_time > $4",
            *key,
            list(slot_ids),
            at - PAYS_AFTER_EXPIRY,
        )
    missing = set(drawn) - {row["grant_id"] for row in rows}
    if missing:
        rows += await connection.fetch(
            f"SELECT {_GRANT} FROM ledger.grants g WHERE g.customer_id = $1 AND g.grant_id = ANY ($2)",
            key[0],
            sorted(missing),
        )
    found = {grant.grant_id: grant for grant in map(grant_from_row, rows)}
    voids = [found[grant_id].void for grant_id in drawn]
    rolled = {one.rolls_to for one in voids if one is not None and one.rolls_to is not None} - found.keys()
    if rolled:
        found |= await read_slot_grants(connection, key, (), rolled, pays_late=False, at=at)
    return found


async def with_unread(connection: Connection, account: Account, *, at: datetime) -> Account:
    """Return a partial account with what remains in its unread grants, as exactly as its watches need it.

    Without a watch of the balance nothing is added up. If the first grants alone exceed the thresholds that have not
    been passed, their sum is enough. Otherwise PostgreSQL adds up all of them.
    """
    if not any(watch.kind in OF_BALANCE for watch in account.watches):
        return account
    time = account.time_at(at)
    sampled = await _with_sum(connection, account, at=time, grants_max=SAMPLE_SIZE)
    if alarm.depends_on_balance(account, at_least=sampled.unread):
        return await _with_sum(connection, account, at=time, grants_max=None)
    return sampled


async def _with_sum(
    connection: Connection, account: Account, *, at: datetime, grants_max: int | None
) -> Account:
    row = await connection.fetchrow(
        _UNREAD, account.customer_id, account.credit_type_id, at, list(account.grants), grants_max
    )
    assert row is not None  # it is a sum
    return evolve(
        account,
        unread=Credits(int(row["remaining_micros"])),
        unread_included=Credits(int(row["included_micros"])),
    )


async def credit_type_of_grant(
    connection: Connection, customer_id: CustomerId, grant_id: GrantId
) -> CreditTypeId:
    """Return the credit type of a grant's pool. Raises GrantNotFound."""
    credit_type_id = await connection.fetchval(
        "SELECT credit_type_id FROM ledger.grants WHERE customer_id = $1 AND grant_id = $2",
        customer_id,
        grant_id,
    )
    if credit_type_id is None:
        raise GrantNotFound(grant_id=grant_id)
    return CreditTypeId(credit_type_id)
