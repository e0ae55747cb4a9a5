# SPDX-License-Identifier: Apache-2.0
"""Local copies of what other services own. The highest version wins."""

from collections.abc import Sequence
from typing import Final

from meshkit.distance import check_distance
from services.ledger.domain.copies import (
    ContractUpdate,
    CustomerUpdate,
    ProductUpdate,
    RateCardUpdate,
    WatchUpdate,
)
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.schedule import Allocation, Schedule
from services.ledger.domain.errors import CustomerNotFound, product_fixed, rates_fixed
from services.ledger.domain.rating.rate import Rate
from services.ledger.store.audit import Audit
from services.ledger.store.connection import Connection
from services.ledger.store.credits.rows import watch_table
from services.ledger.store.credits.slots import named_seats_to_row
from services.ledger.store.formats import EDITION, ROLLOVER
from services.ledger.store.gate.standings import USAGE_ANCHOR
from services.ledger.store.rates import (
    RATE_COLUMNS,
    USAGE_PRODUCT_COLUMNS,
    rate_from_row,
    rate_to_row,
    usage_product_to_row,
)


def _upsert(table: str, keys: str, columns: str, condition: str = "") -> str:
    """Return the statement that inserts a row or, if its key exists, updates all columns of it."""
    names = columns.split(", ")
    values = ", ".join(f"${number}" for number in range(1, len(names) + 1))
    changes = ", ".join(f"{name} = excluded.{name}" for name in names)
    return (
        f"INSERT INTO ledger.{table} ({columns}) VALUES ({values})"
        f" ON CONFLICT ({keys}) DO UPDATE SET {changes} {condition}"
    )


_KEEP_PRODUCT: Final = _upsert(
    "products",
    "product_id",
    f"version, name, billable_metric_id, {USAGE_PRODUCT_COLUMNS}",
    "WHERE products.version < excluded.version"
    " AND products.group_keys @> excluded.group_keys AND products.group_keys <@ excluded.group_keys"
    " AND (products.conversion IS NOT DISTINCT FROM excluded.conversion"
    " OR NOT $13::boolean)",
)
_IS_METERED: Final = "SELECT EXISTS (SELECT 1 FROM ledger.meters WHERE product_id = $1)"
_KEEP_CONTRACT: Final = """
    INSERT INTO ledger.contracts (customer_id, contract_id, version, rate_card_id, start_time, end_time, overage_caps)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT (customer_id, contract_id) DO UPDATE SET version = $3, rate_card_id = $4, end_time = $6,
        overage_caps = excluded.overage_caps
    WHERE contracts.version < $3 RETURNING true
"""
_KEEP_RATE: Final = _upsert("rates", "rate_card_id, rate_id", f"rate_card_id, {RATE_COLUMNS}")
_KNOWN_RATES: Final = f"SELECT rate_card_id, {RATE_COLUMNS} FROM ledger.rates WHERE rate_id = ANY ($1)"
_WATCH_COLUMNS: Final = (
    "alert_id, version, is_active, kind, customer_id, credit_type_id, threshold_micros, rearm_micros, group_key,"
    " group_value"
)
_KEEP_WATCH: Final = {
    table: _upsert(table, "alert_id", columns, f"WHERE {table}.version < excluded.version")
    for table, columns in (("watches", _WATCH_COLUMNS), ("more_watches", f"{_WATCH_COLUMNS}, within"))
}
_NOTHING: Final = "INSERT 0 0"
_METERED: Final = "SELECT DISTINCT rate_id FROM ledger.meters WHERE rate_id = ANY ($1) ORDER BY rate_id"


class Copies:
    """Copies of customers, contracts, products, rates and watches, in one transaction.

    keep_… returns the version in force afterwards; an update that is not newer changes nothing, and is not recorded.
    Raises NoticeTooFarAhead, NoticeTooFarBehind.
    """

    def __init__(self, connection: Connection, audit: Audit) -> None:
        self._connection = connection
        self._audit = audit

    async def keep_product(self, update: ProductUpdate) -> int:
        """Store a product. Raises InvalidFields if what was counted by its terms would not add up by the new ones."""
        await self._check_version(update.version, "products", product_id=update.product.product_id)
        written = await self._connection.execute(
            _KEEP_PRODUCT,
            update.version,
            update.name,
            update.billable_metric_id,
            *usage_product_to_row(update.product),
            await self._is_metered(update.product.product_id),
        )
        await self._record(written, product_id=update.product.product_id)
        await self._begin_epoch()
        version = await self._version("products", product_id=update.product.product_id)
        if version < update.version:
            raise product_fixed()
        return version

    async def keep_rate_card(self, update: RateCardUpdate) -> tuple[int, list[Rate]]:
        """Store a card's rates; returns also those that stood, and that the card says are withdrawn.

        Raises InvalidFields for a rate that was used under the same id at another price.
        """
        await self._check_version(update.version, "rate_cards", rate_card_id=update.rate_card_id)
        withdrawn: list[Rate] = []
        is_newer = await self._connection.fetchval(
            "INSERT INTO ledger.rate_cards (rate_card_id, version) VALUES ($1, $2)"
            " ON CONFLICT (rate_card_id) DO UPDATE SET version = $2 WHERE rate_cards.version < $2 RETURNING true",
            update.rate_card_id,
            update.version,
        )
        if is_newer:
            await self._check_used_rates(update)
            rows = await self._connection.fetch(
                f"SELECT {RATE_COLUMNS} FROM ledger.rates WHERE rate_card_id = $1 AND NOT is_withdrawn",
                update.rate_card_id,
            )
            told = {rate.rate_id for rate in update.rates if rate.is_withdrawn}
            withdrawn = [rate_from_row(row) for row in rows if row["rate_id"] in told]
            # Entries refer to rates, so no row is deleted.
            await self._connection.execute(
                "UPDATE ledger.rates r SET is_withdrawn = true WHERE rate_card_id = $1 AND NOT is_withdrawn"
                " AND NOT EXISTS (SELECT FROM unnest($2::text[]) AS k (rate_id) WHERE k.rate_id = r.rate_id)",
                update.rate_card_id,
                [rate.rate_id for rate in update.rates],
            )
            await self._connection.executemany(
                _KEEP_RATE, [(update.rate_card_id, *rate_to_row(rate)) for rate in update.rates]
            )
            await self._begin_epoch()
            await self._audit.record({"rate_card_id": update.rate_card_id})
        return await self._version("rate_cards", rate_card_id=update.rate_card_id), withdrawn

    async def keep_customer(self, update: CustomerUpdate) -> int:
        await self.lock_customer(update.customer_id)
        await self._check_version(update.version, "customers", customer_id=update.customer_id)
        is_newer = await self._connection.fetchval(
            "INSERT INTO ledger.customers (customer_id, version, is_suspended) VALUES ($1, $2, $3)"
            " ON CONFLICT (customer_id) DO UPDATE SET version = $2, is_suspended = $3"
            " WHERE customers.version < $2 RETURNING true",
            update.customer_id,
            update.version,
            update.is_suspended,
        )
        if is_newer:
            await self._connection.execute(
                "DELETE FROM ledger.customer_aliases WHERE customer_id = $1 AND alias <> ALL ($2)",
                update.customer_id,
                list(update.aliases),
            )
            # Contract keeps aliases unique. If one moves to another customer, the two updates may arrive in any order.
            await self._outdate_owners(update.aliases)
            await self._connection.execute(
                "INSERT INTO ledger.customer_aliases (alias, customer_id) SELECT unnest($2::text[]), $1"
                " ON CONFLICT (alias) DO UPDATE SET customer_id = excluded.customer_id",
                update.customer_id,
                list(update.aliases),
            )
            await self.outdate(update.customer_id)
            await self._audit.record({"customer_id": update.customer_id})
        return await self._version("customers", customer_id=update.customer_id)

    async def keep_contract(self, update: ContractUpdate, *, is_recorded: bool = True) -> int:
        """Store a contract; returns the version in force. is_recorded: False if its caller records the write."""
        key = {"customer_id": update.customer_id, "contract_id": update.contract_id}
        await self._check_version(update.version, "contracts", **key)
        is_newer = await self._connection.fetchval(
            _KEEP_CONTRACT,
            update.customer_id,
            update.contract_id,
            update.version,
            update.rate_card_id,
            update.start_time,
            update.end_time,
            await self._overage_caps(update),
        )
        if is_newer:
            await self._connection.executemany(
                "INSERT INTO ledger.subscriptions (customer_id, subscription_id, contract_id, initial_quantity,"
                " seat_group_key, shared_pool_access, shared_pool_seat_ids) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                " ON CONFLICT (customer_id, subscription_id) DO UPDATE SET"
                " seat_group_key = coalesce($5, subscriptions.seat_group_key), shared_pool_access = $6,"
                " shared_pool_seat_ids = $7",
                [
                    (
                        update.customer_id,
                        one.subscription_id,
                        update.contract_id,
                        one.initial_quantity,
                        *named_seats_to_row(one.named),
                    )
                    for one in update.subscriptions
                ],
            )
            await self._fix_usage_anchor(update.customer_id)
            await self._keep_schedules(update.customer_id, update.schedules)
            await self._connection.executemany(
                "UPDATE ledger.pools SET has_seats = true WHERE customer_id = $1 AND credit_type_id = $2",
                [
                    (update.customer_id, one.credit_type_id)
                    for one in update.schedules
                    if one.allocation is Allocation.INDIVIDUAL
                ],
            )
            await self.outdate(update.customer_id)
            if is_recorded:
                await self._audit.record({"contract_id": update.contract_id})
        return await self._version("contracts", **key)

    async def _overage_caps(self, update: ContractUpdate) -> dict[str, int | None]:
        """Return a contract's caps of overage, and 0 for those that it had: what was billed can still be corrected."""
        earlier = await self._connection.fetchval(
            "SELECT overage_caps FROM ledger.contracts WHERE customer_id = $1 AND contract_id = $2 FOR UPDATE",
            update.customer_id,
            update.contract_id,
        )
        caps = {key: None if cap is None else cap.micros for key, cap in update.overage_caps.items()}
        return {**dict.fromkeys(earlier or (), 0), **caps}

    async def _fix_usage_anchor(self, customer_id: CustomerId) -> None:
        """Fix the start of a customer's usage periods with its first contract; later contracts do not move it."""
        await self._connection.execute(
            f"UPDATE ledger.customers u SET usage_anchor_time = {USAGE_ANCHOR}"
            " WHERE u.customer_id = $1 AND u.usage_anchor_time IS NULL",
            customer_id,
        )

    async def _keep_schedules(self, customer_id: CustomerId, schedules: tuple[Schedule, ...]) -> None:
        """Store schedules; of a known one, its end, its editions and whether it is free are all that may change."""
        await self._connection.executemany(
            "INSERT INTO ledger.grant_schedules (customer_id, schedule_id, contract_id, subscription_id, product_id,"
            " credit_type_id, unit_amount_micros, frequency, interval_count, anchor_time, priority,"
            " prorates_increases, period_proration, commit_duration, scope_product_ids, rollover, next_index,"
            " end_time, editions, allocation, is_free, charge_time)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21,"
            " $22)"
            " ON CONFLICT (customer_id, schedule_id)"
            " DO UPDATE SET end_time = $18, editions = $19, is_free = $21, charge_time = $22",
            [
                (
                    customer_id,
                    one.schedule_id,
                    one.contract_id,
                    one.subscription_id,
                    one.product_id,
                    one.credit_type_id,
                    one.terms.unit_amount.micros,
                    one.frequency.name,
                    one.interval_count,
                    one.anchor,
                    one.terms.priority,
                    one.terms.prorates_increases,
                    one.terms.period_proration.value,
                    one.terms.commit_duration,
                    sorted(one.terms.scope_product_ids),
                    None if one.terms.rollover is None else ROLLOVER.encode(one.terms.rollover),
                    one.first_index,
                    one.end_time,
                    [EDITION.encode(edition) for edition in one.editions],
                    one.allocation.value,
                    one.is_free,
                    one.charge_time,
                )
                for one in schedules
            ],
        )

    async def lock_customer(self, customer_id: CustomerId) -> bool:
        """Lock a customer before data of all its pools changes; returns whether the customer is known.

        This also blocks the creation of pools: `outdate` must not miss a pool that is being created.
        """
        found = await self._connection.fetchval(
            "SELECT true FROM ledger.customers WHERE customer_id = $1 FOR UPDATE", customer_id
        )
        return found is not None

    async def lock_known_customer(self, customer_id: CustomerId) -> None:
        """Do what `lock_customer` does. Raises CustomerNotFound."""
        if not await self.lock_customer(customer_id):
            raise CustomerNotFound(customer=customer_id)

    async def keep_watch(self, update: WatchUpdate) -> int:
        watch = update.watch
        table = watch_table(watch)
        await self._check_version(watch.version, table, alert_id=watch.alert_id)
        values: list[object] = [
            watch.alert_id,
            watch.version,
            update.is_active,
            watch.kind.value,
            watch.customer_id,
            watch.credit_type_id,
            watch.threshold.micros,
            watch.rearm.micros,
            watch.group_key,
            watch.group_value,
        ]
        if table == "more_watches":
            values.append(watch.within)
        written = await self._connection.execute(_KEEP_WATCH[table], *values)
        await self._record(written, alert_id=watch.alert_id)
        if watch.customer_id is None:
            await self._begin_epoch()
        else:
            await self.outdate(watch.customer_id)
        return await self._version(table, alert_id=watch.alert_id)

    async def outdate(self, customer_id: CustomerId) -> None:
        """Invalidate decisions on cached data of a customer. The customer must be locked."""
        await self._connection.execute(
            "UPDATE ledger.pools SET version = version + 1 WHERE customer_id = $1", customer_id
        )

    async def _outdate_owners(self, aliases: Sequence[str]) -> None:
        """Outdate the customers that have these aliases now: the aliases will name another customer."""
        owners = await self._connection.fetch(
            "SELECT DISTINCT customer_id FROM ledger.customer_aliases WHERE alias = ANY ($1) ORDER BY customer_id",
            list(aliases),
        )
        for owner in owners:
            if await self.lock_customer(owner["customer_id"]):
                await self.outdate(owner["customer_id"])

    async def _is_metered(self, product_id: str) -> bool:
        found: bool = await self._connection.fetchval(_IS_METERED, product_id)
        return found

    async def _begin_epoch(self) -> None:
        """Invalidate decisions on cached products, rates and watches on every customer."""
        await self._connection.execute("UPDATE ledger.epochs SET version = version + 1")

    async def _check_used_rates(self, update: RateCardUpdate) -> None:
        told = {rate.rate_id: (update.rate_card_id, rate.costs) for rate in update.rates}
        known = await self._connection.fetch(_KNOWN_RATES, list(told))
        changed = {
            row["rate_id"]
            for row in known
            if told[row["rate_id"]] != (row["rate_card_id"], rate_from_row(row).costs)
        }
        if changed:
            # Meters have no index by rate, but the Catalog never changes a rate.
            used = await self._connection.fetch(_METERED, list(changed))
            if used:
                raise rates_fixed([row["rate_id"] for row in used])

    async def _record(self, status: str, **ids: str) -> None:
        """Record the write unless it changed nothing. status: of its statement."""
        if status != _NOTHING:
            await self._audit.record(ids)

    async def _check_version(self, version: int, table: str, **key: str) -> None:
        check_distance(version, known=await self._version(table, **key), field="version")

    async def _version(self, table: str, **key: str) -> int:
        """Return the version of the copy with this key, 0 if there is none."""
        is_it = " AND ".join(f"{column} = ${number}" for number, column in enumerate(key, start=1))
        version: int | None = await self._connection.fetchval(
            f"SELECT version FROM ledger.{table} WHERE {is_it}", *key.values()
        )
        return version or 0
