# SPDX-License-Identifier: Apache-2.0
"""Reads meters, and the values that UNIQUE metrics have seen, many at once."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import ProductId
from services.ledger.domain.credits.unit_of_work import AccountSelection, PoolKey
from services.ledger.domain.rating.metric import UniqueValue
from services.ledger.domain.rating.price import Pricing
from services.ledger.domain.usage.meter import Meter, MeteredPrice, MeterKey
from services.ledger.store.citus import fetch_by_customer
from services.ledger.store.connection import Connection
from services.ledger.store.rates import PRICE_COLUMNS, conversion_from_row, price_from_row

_METERS = """
    SELECT m.customer_id, m.credit_type_id, m.root_rate_id, m.period_start, m.product_id, m.rate_id,
        m.quantity_micros, m.cost_micros, m.largest_micros, m.unrated_micros
    FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        AS q (customer_id, credit_type_id, root_rate_id, period_start)
    JOIN ledger.meters m USING (customer_id, credit_type_id, root_rate_id, period_start)
"""
_VALUES = """
    SELECT v.customer_id, v.credit_type_id, v.root_rate_id, v.period_start, v.value, v.events
    FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[])
        AS q (customer_id, credit_type_id, root_rate_id, period_start, value)
    JOIN ledger.meter_values v USING (customer_id, credit_type_id, root_rate_id, period_start, value)
    WHERE v.events > 0
"""
_PRICINGS = f"""
    SELECT r.rate_id, {PRICE_COLUMNS}, p.conversion FROM ledger.rates r JOIN ledger.products p USING (product_id)
    WHERE r.rate_id = ANY ($1)
"""


async def read_meters(
    connection: Connection, prices: Mapping[PoolKey, Collection[MeteredPrice]]
) -> dict[PoolKey, dict[MeterKey, Meter]]:
    """Return the meters of these prices by pool; one that is not stored yet is new, at position 0."""
    wanted = {
        (pool, price.meter_key): price
        for pool, of_pool in prices.items()
        for price in of_pool
        if price.meter_key is not None
    }
    if not wanted:
        return {}
    rows = await fetch_by_customer(
        connection,
        _METERS,
        [customer_id for (customer_id, _), _ in wanted],
        [credit_type_id for (_, credit_type_id), _ in wanted],
        [key.root_rate_id for _, key in wanted],
        [key.period_start for _, key in wanted],
    )
    meters: dict[PoolKey, dict[MeterKey, Meter]] = defaultdict(dict)
    for (pool, key), price in wanted.items():
        meters[pool][key] = price.new_meter()
    # A meter keeps the rate that costs it, which may have been corrected since.
    known = {price.rate_id: price.pricing for price in wanted.values()}
    known |= await pricings(connection, {row["rate_id"] for row in rows} - known.keys())
    for row in rows:
        meters[row["customer_id"], row["credit_type_id"]][
            MeterKey(row["root_rate_id"], row["period_start"])
        ] = Meter(
            product_id=ProductId(row["product_id"]),
            rate_id=row["rate_id"],
            pricing=known[row["rate_id"]],
            position=Quantity(row["quantity_micros"]),
            cost=Credits(row["cost_micros"]),
            largest=Quantity(row["largest_micros"]),
            unrated=Credits(row["unrated_micros"]),
        )
    return meters


async def read_values(
    connection: Connection, selections: Mapping[PoolKey, AccountSelection]
) -> dict[PoolKey, dict[tuple[MeterKey, UniqueValue], int]]:
    """Return how many events have reported each of the selected values; values that none has reported are left out."""
    wanted = [(pool, *value) for pool, selection in selections.items() for value in selection.values]
    if not wanted:
        return {}
    rows = await fetch_by_customer(
        connection,
        _VALUES,
        [customer_id for (customer_id, _), _, _ in wanted],
        [credit_type_id for (_, credit_type_id), _, _ in wanted],
        [key.root_rate_id for _, key, _ in wanted],
        [key.period_start for _, key, _ in wanted],
        [value for _, _, value in wanted],
    )
    values: dict[PoolKey, dict[tuple[MeterKey, UniqueValue], int]] = defaultdict(dict)
    for row in rows:
        name = (MeterKey(row["root_rate_id"], row["period_start"]), UniqueValue(row["value"]))
        values[row["customer_id"], row["credit_type_id"]][name] = row["events"]
    return values


async def pricings(connection: Connection, rate_ids: Collection[str]) -> dict[str, Pricing]:
    """Return how rates price usage, by rate_id."""
    if not rate_ids:
        return {}
    rows = await connection.fetch(_PRICINGS, sorted(rate_ids))
    return {
        row["rate_id"]: Pricing(price_from_row(row), conversion_from_row(row["conversion"])) for row in rows
    }
