# SPDX-License-Identifier: Apache-2.0
"""Charges events that had no contract when they were recorded, and have one now because it was backdated.

Only a rerate job does so. Source: services/ledger/README.md, "Rerating".
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from meshkit.ids import Ids
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.credits.unit_of_work import AccountsMoved, PoolKey
from services.ledger.domain.gate.spend_cap import GroupValue
from services.ledger.domain.gate.standing import CatalogCopies
from services.ledger.domain.rating.metric import UniqueValue, matches
from services.ledger.domain.usage.event import EventLine, EventResult, EventStatus, RecordEvent
from services.ledger.domain.usage.intake import Measured, charge, group_values_of, measured
from services.ledger.domain.usage.meter import MeteredPrice, MeterKey
from services.ledger.domain.usage.rerate_job import EventPosition, RerateScope
from services.ledger.operations.credits.settlement import OpenAccount, open_account
from services.ledger.store import Transaction


@dataclass(frozen=True, slots=True)
class ChargedEvents:
    """What a step has charged. position: of the last event that was looked at."""

    position: EventPosition
    events: int
    credits: Mapping[CreditTypeId, Credits]


@dataclass(slots=True)
class _Selection:
    """What charging needs of one pool."""

    group_values: set[GroupValue] = field(default_factory=set)
    prices: dict[MeterKey, MeteredPrice] = field(default_factory=dict)
    values: set[tuple[MeterKey, UniqueValue]] = field(default_factory=set)
    used_times: set[datetime] = field(default_factory=set)

    def covers(self, other: "_Selection") -> bool:
        return (
            other.group_values <= self.group_values
            and other.prices.keys() <= self.prices.keys()
            and other.values <= self.values
            and other.used_times <= self.used_times
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LateContracts:
    """Charges the events of a job's scope, a few in each transaction."""

    tx: Transaction
    scope: RerateScope
    event_type: str
    ids: Ids
    at: datetime

    async def charge(self, after: EventPosition, *, events_max: int) -> ChargedEvents | None:
        """Charge the next events that have a contract now, of one customer; None if there are no more."""
        page = await self.tx.uncharged_events.page(
            self.scope, self.event_type, after=after, events_max=events_max
        )
        if not page:
            return None
        customer_id = CustomerId(page[0].customer)
        events = [event for event in page if event.customer == customer_id]
        position = EventPosition(customer_id, events[-1].timestamp, events[-1].transaction_id)
        lines = await self._lines(customer_id, events)
        wanted = _wanted(customer_id, events, lines)
        opened = {key: await self._open(key, wanted[key]) for key in sorted(wanted)}
        # Again under the locks: whoever changes contracts or prices changes the pools too.
        lines = await self._lines(customer_id, events)
        now = _wanted(customer_id, events, lines)
        if not all(key in wanted and wanted[key].covers(one) for key, one in now.items()):
            raise AccountsMoved
        free = await self.tx.uncharged_events.lock(customer_id, list(lines)) if lines else set()
        accounts = {key: one.now for key, one in opened.items()}
        results: dict[str, EventResult] = {}
        for event in events:
            if event.transaction_id in free:
                result = self._charge(accounts, opened, event, lines[event.transaction_id])
                if result is not None:
                    results[event.transaction_id] = result
        for key, account in accounts.items():
            await opened[key].save(self.tx, account)
        await self.tx.uncharged_events.charge(customer_id, results)
        return ChargedEvents(position, len(results), _sums(results.values()))

    async def _lines(
        self, customer_id: CustomerId, events: Sequence[RecordEvent]
    ) -> dict[str, tuple[Measured, ...]]:
        """Return what those events report that a contract prices now, the job's product among it."""
        copies = await self.tx.standings.event_products({self.event_type}, CatalogCopies())
        asked = {(customer_id, product_id) for product_id in copies.by_event_type[self.event_type]}
        books, _ = await self.tx.standings.price_books(asked, copies)
        found = {}
        for event in events:
            matching = [
                book
                for book in books.values()
                if matches(book.product.metric, event.event_type, event.properties)
            ]
            lines = measured(event, matching)
            if not isinstance(lines, EventResult) and any(
                line.product.product_id == self.scope.product_id for line in lines
            ):
                found[event.transaction_id] = lines
        return found

    async def _open(self, key: PoolKey, wanted: _Selection) -> OpenAccount:
        return await open_account(
            self.tx,
            *key,
            at=self.at,
            ids=self.ids,
            group_values=wanted.group_values,
            prices=wanted.prices.values(),
            values=wanted.values,
            used_times=wanted.used_times,
            pays_late=True,
        )

    def _charge(
        self,
        accounts: dict[PoolKey, Account],
        opened: Mapping[PoolKey, OpenAccount],
        event: RecordEvent,
        lines: Sequence[Measured],
    ) -> EventResult | None:
        """Charge an event; None if that is beyond measure. accounts: by pool, and changed here."""
        after = dict(accounts)
        charged: list[EventLine] = []
        for line in lines:
            key = _pool_of(CustomerId(event.customer), line)
            result = charge(after[key], event, line, at=opened[key].at)
            if isinstance(result, EventResult):
                return None
            after[key], one = result
            charged.append(one)
        accounts.update(after)
        return EventResult(status=EventStatus.ACCEPTED, lines=tuple(charged))


def _pool_of(customer_id: CustomerId, line: Measured) -> PoolKey:
    return customer_id, line.entitlement.credit_type_id


def _wanted(
    customer_id: CustomerId, events: Sequence[RecordEvent], lines: Mapping[str, Sequence[Measured]]
) -> dict[PoolKey, _Selection]:
    wanted: dict[PoolKey, _Selection] = defaultdict(_Selection)
    for event in events:
        for line in lines.get(event.transaction_id, ()):
            selection = wanted[_pool_of(customer_id, line)]
            selection.group_values.update(group_values_of(line.product, event.properties).items())
            selection.prices[line.meter_key] = line.entitlement.price
            selection.used_times.add(event.timestamp)
            if isinstance(line.amount, str):
                selection.values.add((line.meter_key, line.amount))
    return wanted


def _sums(results: Iterable[EventResult]) -> dict[CreditTypeId, Credits]:
    sums: dict[CreditTypeId, Credits] = defaultdict(lambda: Credits(0))
    for result in results:
        for line in result.lines:
            sums[line.credit_type_id] += line.credits
    return dict(sums)
