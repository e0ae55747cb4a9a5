# SPDX-License-Identifier: Apache-2.0
"""VoidUsage: takes usage back, in one transaction under the locks of the pools that it was charged to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from meshkit.clock import Clock
from meshkit.ids import Ids
from meshkit.quantity import Quantity
from services.ledger.domain.credits.grant import GrantId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.rating.metric import Aggregation, UniqueValue, measure
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage import corrections
from services.ledger.domain.usage.commands import CorrectedUsage, UsageName, UsageSource, VoidUsage
from services.ledger.domain.usage.corrections import Piece, Removal
from services.ledger.domain.usage.event import EventLine
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction

NO_GRANTS: frozenset[GrantId] = frozenset()


class Corrections:
    """Corrects recorded usage."""

    def __init__(self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay

    async def void(self, command: VoidUsage) -> CorrectedUsage:
        """Take usage back.

        Raises CustomerNotFound, HoldNotFound, UsageNotFound, UsageAlreadyVoided, RequestIdReused.
        """
        at = self._clock.now()

        async def work(tx: Transaction) -> CorrectedUsage:
            customer_id = await tx.standings.customer_id(command.customer)
            pools = [(customer_id, one) for one in await tx.corrections.pools_of(customer_id, command.usage)]
            for key in pools:
                await open_account(tx, *key, at=at, ids=self._ids, only_grants=NO_GRANTS)
            # Under the locks: a twin may have held them before.
            if (first := await tx.responses.find(customer_id, command, CorrectedUsage)) is not None:
                return first
            number = await tx.corrections.next_number(customer_id, command.usage)
            lines = [
                await _Voiding(tx, key, command, at, self._ids).take_back(piece)
                for key in pools
                for piece in await tx.corrections.pieces_of(key, command.usage)
            ]
            await tx.corrections.insert_void(customer_id, command, number=number, at=at)
            response = CorrectedUsage(lines=tuple(sorted(lines, key=lambda line: line.product_id)))
            await tx.responses.store(customer_id, command, response, at=at)
            return response

        response = await self._store.run(work)
        self._relay.wake()
        return response


@dataclass(frozen=True, slots=True)
class _Voiding:
    """Takes pieces of usage back in one pool, whose lock the transaction has."""

    tx: Transaction
    key: PoolKey
    command: VoidUsage
    at: datetime
    ids: Ids

    async def take_back(self, piece: Piece) -> EventLine:
        """Read what a piece of usage needs, and correct it."""
        tx, usage = self.tx, piece.usage
        product = (await tx.standings.products([usage.product_id]))[usage.product_id]
        prices: list[MeteredPrice] = []
        values: list[tuple[MeterKey, UniqueValue]] = []
        if usage.meter_key is not None:
            prices.append(await tx.corrections.price_of(self.key, usage.meter_key))
            values += await self._values(product, usage.meter_key)
        meters = await self._open(prices, values)
        removed = await self._removal(piece, product, meters)
        others = []
        if usage.meter_key is not None and removed.credits > piece.cost:
            missing = removed.credits - piece.cost
            others = await tx.corrections.latest_of_meter(self.key, usage.meter_key, missing, without=piece)
        returned = corrections.returns(removed.credits, piece, others)
        opened = await open_account(
            tx,
            *self.key,
            at=self.at,
            ids=self.ids,
            group_values=corrections.counted_values(product, piece, returned),
            prices=prices,
            values=values,
            only_grants=frozenset(
                left.entry.grant_id for left in returned if left.entry.grant_id is not None
            ),
        )
        anchor = opened.now.usage_anchor
        assert anchor is not None  # usage has a contract
        account, line = corrections.take_back(
            opened.now,
            product,
            piece,
            removed,
            returned,
            cause_id=self.command.request_id,
            anchor=anchor,
            at=opened.at,
        )
        await opened.save(tx, account)
        return line

    async def _open(
        self, prices: list[MeteredPrice], values: list[tuple[MeterKey, UniqueValue]]
    ) -> OpenAccount:
        return await open_account(
            self.tx,
            *self.key,
            at=self.at,
            ids=self.ids,
            prices=prices,
            values=values,
            only_grants=NO_GRANTS,
        )

    async def _removal(self, piece: Piece, product: UsageProduct, opened: OpenAccount) -> Removal:
        key = piece.usage.meter_key
        if key is None:
            return corrections.removal(piece, None)
        meter = opened.now.meters[key]
        # What a hold captured is a quantity, whatever the metric.
        if self.command.usage.source is UsageSource.HOLD:
            return corrections.removal(piece, meter)
        largest: Quantity | None = None
        if product.metric.aggregation is Aggregation.MAX:
            assert product.metric.property is not None
            largest = await self.tx.corrections.largest_reported(
                self.key, key, product.metric.property, without=self.command.usage.usage_id
            )
        seen = [(value, events) for (of, value), events in opened.now.values.items() if of == key]
        return corrections.removal(piece, meter, largest=largest, value=seen[0] if seen else None)

    async def _values(self, product: UsageProduct, meter_key: MeterKey) -> list[tuple[MeterKey, UniqueValue]]:
        if product.metric.aggregation is not Aggregation.UNIQUE:
            return []
        properties: Mapping[str, str] = await self._properties(self.command.usage)
        measured = measure(product.metric, properties) if properties else None
        return [(meter_key, UniqueValue(measured))] if isinstance(measured, str) else []

    async def _properties(self, usage: UsageName) -> Mapping[str, str]:
        return await self.tx.corrections.properties_of(self.key[0], usage)
