# SPDX-License-Identifier: Apache-2.0
"""What a transaction has read for a batch, under the locks of its pools."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import Reading, bring_up_to_date
from services.ledger.domain.credits.grant import CustomerId, GrantId, ProductId
from services.ledger.domain.credits.unit_of_work import (
    AccountSelection,
    AccountsMoved,
    Change,
    PoolKey,
)
from services.ledger.domain.errors import CustomerNotFound, HoldNotFound, ProductNotFound
from services.ledger.domain.gate.commands import Capture, CaptureLines, ExtendHold
from services.ledger.domain.gate.decision import Ask
from services.ledger.domain.gate.hold import Hold, HoldId, HoldPlace, HoldState
from services.ledger.domain.gate.standing import CatalogCopies, PriceBook
from services.ledger.domain.usage.event import EventResult, RecordEvent, untimely
from services.ledger.domain.usage.intake import Measured, group_values_of
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.operations.gate.cache import CustomerCache, CustomerState
from services.ledger.operations.gate.decision import Command, hold_of, products_of, target_of
from services.ledger.operations.gate.outcome import Denied
from services.ledger.operations.usage.decision import lines_of, pool_of
from services.ledger.store import Transaction


class LockedView:
    """A view to which nothing is unknown. Commands see the accounts as those before them have left them.

    names: customers by the names in the commands. copies: of the Catalog's data. elsewhere: customers that are decided
    elsewhere; those whose pools are locked there are added to them. The view knows nothing of their accounts.
    """

    def __init__(
        self,
        commands: Sequence[Command],
        *,
        at: datetime,
        ids: Ids,
        cache: CustomerCache,
        copies: CatalogCopies,
        elsewhere: frozenset[CustomerId],
    ) -> None:
        self._commands = commands
        self._at = at
        self._ids = ids
        self._cache = cache
        self._places: dict[tuple[CustomerId, HoldId], HoldPlace] = {}
        self._readings: dict[PoolKey, Reading] = {}
        self._after: dict[PoolKey, Account] = {}
        self._changed: dict[PoolKey, Change] = {}
        self._elsewhere = elsewhere
        self._locked: set[CustomerId] = set()
        self.copies = copies
        self.customers: dict[CustomerId, CustomerState] = {}
        self.names: dict[str, CustomerId] = {}

    async def read(self, tx: Transaction, *, trusts_cache: bool) -> None:
        """Find out which pools the commands need, lock and read them.

        Raises AccountsMoved when other pools or spends are needed than were read.
        """
        await self._look_up(tx, trusts_cache=trusts_cache)
        wanted = self._wanted()
        self._readings = await tx.accounts.read_many(wanted, at=self._at)
        self._locked = {key[0] for key in wanted.keys() - self._readings.keys()}
        # Again under the locks: whoever changes customers or prices must move the pools' versions too.
        await self._look_up_customers(tx)
        await self._look_up_prices(tx)
        if not _covers(wanted, self._wanted()):
            raise AccountsMoved

    @property
    def has_crossings(self) -> bool:
        return any(account.crossings for account in self._after.values())

    def known_commands(self) -> list[Command]:
        """Return the commands of customers that are known, and not decided elsewhere."""
        return [
            command
            for command in self._commands
            if command.customer in self.names and self.customer_elsewhere(command) is None
        ]

    def customer_elsewhere(self, command: Command) -> CustomerId | None:
        """Return the command's customer if it is to be decided elsewhere."""
        customer_id = self.names.get(command.customer)
        if customer_id is None:
            return None
        return customer_id if customer_id in self._locked or customer_id in self._elsewhere else None

    def apply(self, key: PoolKey, after: Account) -> None:
        """Take over the effect of a command: what comes after it sees the account as it leaves it."""
        self._after[key] = after

    def changes(self) -> list[Change]:
        """Return the accounts that were asked for, as they were read and as they are now."""
        return [
            Change(change.before, self._after[key], change.schedules) for key, change in self._changed.items()
        ]

    def captured_hold(self, command: Command) -> tuple[PoolKey, Hold] | None:
        """Return the hold that a command captures, if it was captured before."""
        hold_id = hold_of(command)
        customer_id = self.names.get(command.customer)
        is_capture = isinstance(command, (Capture, CaptureLines, RecordEvent))
        if hold_id is None or customer_id is None or not is_capture:
            return None
        place = self._places.get((customer_id, hold_id))
        if place is None:
            return None
        key = (customer_id, place.credit_type_id)
        hold = (self._after.get(key) or self._readings[key].account).holds[hold_id]
        return (key, hold) if hold.state is HoldState.CAPTURED else None

    # The view (outcome.py).

    def customer(self, name: str) -> CustomerState:
        customer_id = self.names.get(name)
        if customer_id is None:
            raise CustomerNotFound(customer=name)
        return self.customers[customer_id]

    def products_of(self, event_type: str) -> tuple[ProductId, ...]:
        return self.copies.by_event_type[event_type]

    def price_book(self, customer: CustomerState, product_id: ProductId) -> PriceBook:
        book = customer.books.get(product_id)
        if book is None:
            raise ProductNotFound(product_id=product_id)
        return book

    def pool_of(self, customer: CustomerState, hold_id: HoldId) -> PoolKey:
        customer_id = customer.record.customer_id
        place = self._places.get((customer_id, hold_id))
        if place is None:
            raise HoldNotFound(hold_id=hold_id)
        return customer_id, place.credit_type_id

    def account(self, customer: CustomerState, key: PoolKey) -> Account:
        if key not in self._after:
            reading = self._readings[key]
            before = self._cache.completed(reading.account)
            settled = bring_up_to_date(
                reading,
                at=before.time_at(self._at),
                new_grant_id=lambda: GrantId(self._ids.new("grt")),
            )
            # What is due is settled on what was read for it, not on every spend in the cache.
            is_settled = settled.account is not reading.account
            self._after[key] = self._cache.completed(settled.account) if is_settled else before
            self._changed[key] = Change(before, self._after[key], tuple(settled.schedules.values()))
        return self._after[key]

    def require_spends(self, account: Account, ask: Ask) -> None:
        """All of them were read with the account."""

    def require_overage(self, account: Account, group_values: Mapping[str, str], at: datetime) -> None:
        """All of it was read with the account."""

    def require_in_flight(self, account: Account) -> None:
        """They were read with the account."""

    def require_seats(self, account: Account, group_values: Mapping[str, str]) -> None:
        """They were read with the account, and are up to date."""

    def require_meter(self, account: Account, price: MeteredPrice) -> None:
        """It was read with the account, or with the hold."""

    def require_usage(
        self, account: Account, line: Measured, group_values: Mapping[str, str], used_time: datetime
    ) -> None:
        """All of it was read with the account."""

    # What is read for it.

    async def _look_up(self, tx: Transaction, *, trusts_cache: bool) -> None:
        """Find out which pools are needed; from the cache, since what may be wrong there is read again under locks."""
        is_cached = trusts_cache and self._take_from_cache()
        if not is_cached:
            await self._look_up_customers(tx)
        holds = [
            (self.names[command.customer], hold_id)
            for command in self.known_commands()
            if (hold_id := hold_of(command)) is not None
        ]
        if holds:
            self._places = await tx.accounts.places_of_holds(holds)
        if not is_cached:
            await self._look_up_prices(tx)

    def _take_from_cache(self) -> bool:
        """Take customers, products and prices from the cache; False when it lacks any of them."""
        if self.copies is not self._cache.copies:
            return False
        for command in self._commands:
            customer = self._cache.customer(command.customer)
            if customer is None or isinstance(command, RecordEvent):
                return False
            if any(product_id not in customer.books for product_id in products_of(command)):
                return False
            self.names[command.customer] = customer.record.customer_id
            self.customers[customer.record.customer_id] = customer
        return True

    async def _look_up_customers(self, tx: Transaction) -> None:
        customers = await tx.standings.customers({command.customer for command in self._commands})
        self.customers = {}
        self.names = {name: record.customer_id for name, record in customers.items()}
        for name, record in customers.items():
            self.customers.setdefault(record.customer_id, CustomerState(record)).names.add(name)

    async def _look_up_prices(self, tx: Transaction) -> None:
        types = {
            command.event_type
            for command in self.known_commands()
            if isinstance(command, RecordEvent) and command.hold_id is None
        }
        if types:
            self.copies = await tx.standings.event_products(types, self.copies)
        asked = {
            (self.names[command.customer], product_id)
            for command in self.known_commands()
            for product_id in self._products_of(command)
        }
        if asked:
            books: dict[tuple[CustomerId, ProductId], PriceBook]
            books, self.copies = await tx.standings.price_books(asked, self.copies)
            for (customer_id, product_id), book in books.items():
                self.customers[customer_id].books[product_id] = book
        if not types <= self.copies.by_event_type.keys():
            raise AccountsMoved  # the Catalog's copies changed in between

    def _products_of(self, command: Command) -> tuple[ProductId, ...]:
        """Return the products whose prices a command needs."""
        match command:
            case ExtendHold() if command.additional is not None:
                return self._products_of_hold(command)
            case RecordEvent() if command.hold_id is None:
                return self.copies.by_event_type[command.event_type]
            case RecordEvent():
                return self._products_of_hold(command)
            case _:
                return products_of(command)

    def _products_of_hold(self, command: Command) -> tuple[ProductId, ...]:
        hold_id = hold_of(command)
        assert hold_id is not None
        place = self._places.get((self.names[command.customer], hold_id))
        return () if place is None else place.product_ids

    def _wanted(self) -> dict[PoolKey, AccountSelection]:
        """Return the pools that the batch needs, with the holds and spends that matter."""
        wanted: dict[PoolKey, AccountSelection] = defaultdict(AccountSelection)
        for command in self._commands:
            if self.customer_elsewhere(command) is not None:
                continue
            if isinstance(command, RecordEvent):
                self._want_usage(command, wanted)
                continue
            try:
                target = target_of(self, command, at=self._at)
            except MeshError:  # the decision raises it again, for the caller
                continue
            if isinstance(target, Denied):
                continue
            for ask in target.asks:
                wanted[target.key].group_values.update(ask.counted_group_values.items())
                wanted[target.key].prices.append(ask.entitlement.price)
                wanted[target.key].seats.update(ask.group_values.items())
            hold_id = hold_of(command)
            if hold_id is not None:
                wanted[target.key].hold_ids.add(hold_id)
        return wanted

    def _want_usage(self, event: RecordEvent, wanted: dict[PoolKey, AccountSelection]) -> None:
        if event.customer not in self.names:
            return
        customer = self.customer(event.customer)
        if event.hold_id is not None:
            with suppress(HoldNotFound):  # the decision raises it again
                hold_id = HoldId(event.hold_id)
                wanted[self.pool_of(customer, hold_id)].hold_ids.add(hold_id)
            return
        if untimely(event, at=event.receive_time or self._at) is not None:
            return  # the decision needs no account, and a far date may be in no usage period
        lines = lines_of(self, customer, event)
        if isinstance(lines, EventResult):
            return
        for line in lines:
            selection = wanted[pool_of(customer, line)]
            selection.pays_late = True
            selection.used_times.add(event.timestamp)
            selection.group_values.update(group_values_of(line.product, event.properties).items())
            selection.prices.append(line.entitlement.price)
            if isinstance(line.amount, str):
                selection.values.add((line.meter_key, line.amount))


def _covers(read: Mapping[PoolKey, AccountSelection], wanted: Mapping[PoolKey, AccountSelection]) -> bool:
    """Whether all the pools, spends and meters that are wanted have been read."""
    return all(
        key in read
        and want.group_values <= read[key].group_values
        and want.meter_keys() <= read[key].meter_keys()
        and want.values <= read[key].values
        and want.used_times <= read[key].used_times
        and want.seats <= read[key].seats
        and want.pays_late <= read[key].pays_late
        for key, want in wanted.items()
    )
