# SPDX-License-Identifier: Apache-2.0
"""Corrects pieces of usage in one pool, whose lock the transaction has: reads what a rule needs, saves the result."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from meshkit.errors import FieldViolation, InvalidFields
from meshkit.ids import Ids
from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.grant import GrantId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.rating.metric import Aggregation, UniqueValue, measure
from services.ledger.domain.rating.product import UsageProduct
from services.ledger.domain.usage import amendments, corrections
from services.ledger.domain.usage.commands import PieceName
from services.ledger.domain.usage.corrections import Removal
from services.ledger.domain.usage.event import EventLine, EventResult, RecordEvent
from services.ledger.domain.usage.intake import Measured, charge, group_values_of
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.domain.usage.pieces import Left, Piece
from services.ledger.domain.usage.returning import grants_of, returns, seats_of
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.operations.usage.replacing import later_draws
from services.ledger.store import Transaction

NO_GRANTS: frozenset[GrantId] = frozenset()

Values = set[tuple[MeterKey, UniqueValue]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceCorrector:
    """cause_id: the request that corrects. event: what the usage has reported so far; None for a hold."""

    tx: Transaction
    key: PoolKey
    cause_id: str
    event: RecordEvent | None
    at: datetime
    ids: Ids

    async def take_back(self, piece: Piece) -> EventLine:
        """Take a piece of usage back."""
        product = await self._product(piece)
        prices, values = await self._on_meter(piece, product)
        opened = await self._open(prices, values)
        return await self._write(piece, product, await self._removal(piece, product, opened), prices, values)

    async def replace(self, piece: Piece, line: Measured) -> EventLine:
        """Write the difference between a piece of usage and the line that replaces it. Raises InvalidFields."""
        product = line.product
        prices, values = await self._on_meter(piece, product)
        values |= _values_of(line)
        opened = await self._open(prices, values)
        removed = await self._removal(piece, product, opened)
        change = amendments.replaced(opened.now, piece, removed, line)
        if isinstance(change, EventResult):
            raise not_recordable(change)
        return await self._write(piece, product, change, prices, values)

    async def charge(self, event: RecordEvent, line: Measured) -> tuple[EventLine, PieceName]:
        """Charge what an amended event reports now, like late usage. Raises InvalidFields, RerateInProgress."""
        opened = await open_account(
            self.tx,
            *self.key,
            at=self.at,
            ids=self.ids,
            group_values=group_values_of(line.product, event.properties).items(),
            prices=[line.entitlement.price],
            values=_values_of(line),
            used_times={event.timestamp},
            pays_late=True,
        )
        # An event may come back to a meter that it was on: a job would count it twice.
        await self.tx.rerate_meters.require_rated(self.key, line.meter_key)
        charged = charge(opened.now, event, line, at=opened.at, correction_id=self.cause_id)
        if isinstance(charged, EventResult):
            raise not_recordable(charged)
        account, result = charged
        await opened.save(self.tx, account)
        first = next(one for one in account.entries if one.sequence >= result.sequence and one.usage)
        return result, (self.key[1], first.sequence)

    async def _write(
        self,
        piece: Piece,
        product: UsageProduct,
        change: Removal,
        prices: list[MeteredPrice],
        values: Values,
    ) -> EventLine:
        is_return = change.credits >= Credits(0)
        returned = await self._returned(piece, change) if is_return else []
        later = await later_draws(self.tx, self.key, returned, at=self.at, ids=self.ids)
        paid = grants_of([*returned, *later])
        opened = await open_account(
            self.tx,
            *self.key,
            at=self.at,
            ids=self.ids,
            group_values=corrections.counted_values(product, piece, returned),
            prices=prices,
            values=values,
            used_times={piece.first.effective_time, *(left.entry.effective_time for left in returned)},
            pays_late=not is_return,
            only_grants=paid if is_return else None,
            seats={*piece.usage.group_values.items(), *seats_of(later)},
        )
        anchor = opened.now.usage_anchor
        assert anchor is not None  # usage has a contract
        if is_return:
            account, line = corrections.take_back(
                opened.now,
                product,
                piece,
                change,
                returned,
                later=later,
                cause_id=self.cause_id,
                anchor=anchor,
                at=opened.at,
            )
        else:
            account, line = amendments.charge_more(
                opened.now, product, piece, change, cause_id=self.cause_id, anchor=anchor, at=opened.at
            )
        await opened.save(self.tx, account)
        return line

    async def _returned(self, piece: Piece, change: Removal) -> list[Left]:
        others: list[Left] = []
        meter_key, missing = piece.usage.meter_key, change.credits - piece.cost
        if meter_key is not None and missing > Credits(0):
            others = await self.tx.corrections.latest_of_meter(self.key, meter_key, missing, without=piece)
        return returns(change.credits, piece, others)

    async def _product(self, piece: Piece) -> UsageProduct:
        product_id = piece.usage.product_id
        return (await self.tx.standings.products([product_id]))[product_id]

    async def _on_meter(self, piece: Piece, product: UsageProduct) -> tuple[list[MeteredPrice], Values]:
        """Return the price of the piece's meter, and the value that it reported to a UNIQUE metric."""
        key = piece.usage.meter_key
        if key is None:
            return [], set()
        values: Values = set()
        if self.event is not None and product.metric.aggregation is Aggregation.UNIQUE:
            values = {(key, _value(product, self.event.properties))}
        return [await self.tx.corrections.price_of(self.key, key)], values

    async def _open(self, prices: list[MeteredPrice], values: Values) -> OpenAccount:
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
        meter, metric = opened.now.meters[key], product.metric
        # What a hold captured is a quantity, whatever the metric.
        if self.event is None or piece.usage.hold_id is not None:
            return corrections.removal(piece, meter)
        largest: Quantity | None = None
        value: tuple[UniqueValue, int] | None = None
        if metric.aggregation is Aggregation.MAX:
            largest = meter.largest
            # Only without the largest event does the meter fall; to find the next one takes a search.
            if measure(metric, self.event.properties) == meter.largest:
                assert metric.property is not None
                largest = await self.tx.corrections.largest_reported(
                    self.key, key, metric.property, without=self.event.transaction_id
                )
        if metric.aggregation is Aggregation.UNIQUE:
            reported = _value(product, self.event.properties)
            value = (reported, opened.now.values.get((key, reported), 1))
        return corrections.removal(piece, meter, largest=largest, value=value)


def not_recordable(result: EventResult) -> InvalidFields:
    """Return the error for an amendment to what RecordUsage would reject."""
    reason = result.reason.value if result.reason else ""
    return InvalidFields([FieldViolation(result.field or "properties", f"{reason}: {result.detail}")])


def _value(product: UsageProduct, properties: Mapping[str, str]) -> UniqueValue:
    value = measure(product.metric, properties)
    assert isinstance(value, str)
    return UniqueValue(value)


def _values_of(line: Measured) -> Values:
    return {(line.meter_key, line.amount)} if isinstance(line.amount, str) else set()
