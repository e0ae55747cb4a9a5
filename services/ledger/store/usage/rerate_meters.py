# SPDX-License-Identifier: Apache-2.0
"""The meters of rerate jobs: those that are in a scope, and those that the job in hand has still to do."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta

from meshkit.period import period_at
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.errors import RerateInProgress
from services.ledger.domain.rating.rate import Rate
from services.ledger.domain.usage.meter import Meter, MeterKey
from services.ledger.domain.usage.rerate_job import (
    MeterProgress,
    RerateJobId,
    RerateScope,
    StoredMeter,
    ToDo,
)
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import Row
from services.ledger.store.gate.standings import USAGE_ANCHOR
from services.ledger.store.rates import RATE_COLUMNS, rate_from_row
from services.ledger.store.usage.meters import pricings

# No usage period is longer.
PERIOD_MAX = timedelta(days=31)

_METERS = f"""
    SELECT m.customer_id, m.credit_type_id, m.root_rate_id, m.period_start, m.rate_id, m.quantity_micros, m.cost_micros,
        m.unrated_micros, {USAGE_ANCHOR} AS anchor
    FROM ledger.meters m JOIN ledger.customers u USING (customer_id)
    WHERE m.customer_id = ANY ($1) AND m.product_id = $2 AND m.period_start > $3 AND m.period_start < $4
    ORDER BY m.customer_id, m.credit_type_id, m.root_rate_id, m.period_start
"""


class RerateMeters:
    """The meters of rerate jobs, in one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def meters(self, scope: RerateScope, customer_ids: Sequence[CustomerId]) -> list[StoredMeter]:
        """Return the meters of these customers that are in the scope of a job, in the order of their keys."""
        rows = await self._connection.fetch(
            _METERS, customer_ids, scope.product_id, scope.start_time - PERIOD_MAX, scope.end_time
        )
        known = await pricings(self._connection, {row["rate_id"] for row in rows})
        found = []
        for row in rows:
            period = period_at(row["anchor"], 1, row["period_start"])
            if period.end > scope.start_time:
                meter = Meter(
                    product_id=scope.product_id,
                    rate_id=row["rate_id"],
                    pricing=known[row["rate_id"]],
                    position=Quantity(row["quantity_micros"]),
                    cost=Credits(row["cost_micros"]),
                    unrated=Credits(row["unrated_micros"]),
                )
                found.append(StoredMeter(*_meter_name(row), meter, period))
        return found

    async def rates(self, root_rate_ids: Collection[str]) -> Mapping[str, Sequence[Rate]]:
        """Return, for each of these rates, all rates of its product on its card."""
        rows = await self._connection.fetch(
            f"SELECT rate_card_id, {RATE_COLUMNS} FROM (SELECT DISTINCT rate_card_id, product_id FROM ledger.rates"
            " WHERE rate_id = ANY ($1)) AS q JOIN ledger.rates USING (rate_card_id, product_id)",
            sorted(root_rate_ids),
        )
        by_card: dict[str, list[Rate]] = defaultdict(list)
        for row in rows:
            by_card[row["rate_card_id"]].append(rate_from_row(row))
        return {rate.root_id: rates for rates in by_card.values() for rate in rates}

    async def is_used(self, root_rate_id: str) -> bool:
        """Whether any usage was charged at a rate or its corrections. It looks through all meters."""
        found: bool = await self._connection.fetchval(
            "SELECT EXISTS (SELECT 1 FROM ledger.meters WHERE root_rate_id = $1)", root_rate_id
        )
        return found

    async def enter(self, job_id: RerateJobId, meters: Iterable[StoredMeter]) -> None:
        """Enter meters that a job has to do."""
        await self._connection.executemany(
            "INSERT INTO ledger.rerate_meters (customer_id, credit_type_id, root_rate_id, period_start, rerate_job_id)"
            " VALUES ($1, $2, $3, $4, $5)",
            [(*one.key, one.meter_key.root_rate_id, one.meter_key.period_start, job_id) for one in meters],
        )

    async def next_to_do(self) -> ToDo | None:
        """Return the next meter of the job in hand; None if all are done."""
        row = await self._connection.fetchrow(
            "SELECT customer_id, credit_type_id, root_rate_id, period_start, until_sequence, total_micros,"
            " done_sequence, position_micros FROM ledger.rerate_meters"
            " ORDER BY customer_id, credit_type_id, root_rate_id, period_start LIMIT 1"
        )
        if row is None:
            return None
        key, meter_key = _meter_name(row)
        progress = None
        if row["until_sequence"] is not None:
            progress = MeterProgress(
                key=key,
                meter_key=meter_key,
                until=row["until_sequence"],
                total=Quantity(row["total_micros"]),
                done=row["done_sequence"],
                position=Quantity(row["position_micros"]),
            )
        return ToDo(key, meter_key, progress)

    async def save_unrated(self, key: PoolKey, meter_key: MeterKey, meter: Meter) -> None:
        """Save `unrated` of a meter. No other write changes it, so the write of each call leaves it out."""
        await self._connection.execute(
            "UPDATE ledger.meters SET unrated_micros = $5 WHERE customer_id = $1 AND credit_type_id = $2"
            " AND root_rate_id = $3 AND period_start = $4",
            *key,
            meter_key.root_rate_id,
            meter_key.period_start,
            meter.unrated.micros,
        )

    async def save_progress(self, progress: MeterProgress) -> None:
        """Save how far a meter is, in the transaction of its corrections; one that is done is removed."""
        if progress.is_done:
            await self.remove(progress.key, progress.meter_key)
        else:
            await self._connection.execute(
                "UPDATE ledger.rerate_meters SET until_sequence = $5, total_micros = $6, done_sequence = $7,"
                " position_micros = $8 WHERE customer_id = $1 AND credit_type_id = $2 AND root_rate_id = $3"
                " AND period_start = $4",
                *progress.key,
                progress.meter_key.root_rate_id,
                progress.meter_key.period_start,
                progress.until,
                progress.total.micros,
                progress.done,
                progress.position.micros,
            )

    async def remove(self, key: PoolKey, meter_key: MeterKey) -> None:
        """Remove a meter that is done."""
        await self._connection.execute(
            "DELETE FROM ledger.rerate_meters WHERE customer_id = $1 AND credit_type_id = $2 AND root_rate_id = $3"
            " AND period_start = $4",
            *key,
            meter_key.root_rate_id,
            meter_key.period_start,
        )

    async def require_rated(self, key: PoolKey, meter_key: MeterKey) -> None:
        """Check that no job is correcting the entries of a meter. Raises RerateInProgress.

        The pool must be locked: a job begins with a meter under this lock.
        """
        job_id = await self._connection.fetchval(
            "SELECT rerate_job_id FROM ledger.rerate_meters WHERE customer_id = $1 AND credit_type_id = $2"
            " AND root_rate_id = $3 AND period_start = $4 AND until_sequence IS NOT NULL",
            *key,
            meter_key.root_rate_id,
            meter_key.period_start,
        )
        if job_id is not None:
            raise RerateInProgress(rerate_job_id=job_id)


def _meter_name(row: Row) -> tuple[PoolKey, MeterKey]:
    return (
        (CustomerId(row["customer_id"]), CreditTypeId(row["credit_type_id"])),
        MeterKey(row["root_rate_id"], row["period_start"]),
    )
