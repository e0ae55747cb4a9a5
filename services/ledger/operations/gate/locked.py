# SPDX-License-Identifier: Apache-2.0
"""Requests and events decided on a fresh read, under the locks of their pools: the only place that denies."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime

from meshkit.errors import MeshError, RequestIdReused
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.due import Reading, bring_up_to_date
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, GrantId, ProductId
from services.ledger.domain.credits.unit_of_work import (
    AccountSelection,
    AccountsMoved,
    Change,
    NewResponse,
    PoolKey,
    StoredResponse,
)
from services.ledger.domain.errors import CustomerNotFound, HoldNotFound, ProductNotFound
from services.ledger.domain.gate.commands import Authorize, Capture, Debit, ExtendHold, GateCommand
from services.ledger.domain.gate.decision import Ask
from services.ledger.domain.gate.hold import Hold, HoldId, HoldPlace, HoldState
from services.ledger.domain.gate.standing import CatalogCopies, PriceBook
from services.ledger.domain.responses import LaneResponse
from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.domain.usage.intake import Measured, group_values_of
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.operations.gate.cache import CustomerCache, CustomerState
from services.ledger.operations.gate.decision import Command, decide, hold_of, target_of
from services.ledger.operations.gate.lane import QueuedRequest
from services.ledger.operations.gate.meters import StepMeter
from services.ledger.operations.gate.outcome import Allowed, Denied, Fault, Uncharged, Unknown
from services.ledger.operations.usage.captured_holds import CapturedHolds
from services.ledger.operations.usage.decision import lines_of, pool_of
from services.ledger.operations.usage.event_log import EventLog
from services.ledger.store import Transaction

LaneRequest = QueuedRequest[Command, LaneResponse]
Result = LaneResponse | MeshError


class LockedBatch:
    """Decides a batch in a transaction, and is the view (decision.py) of what that transaction has read.

    `work` may be run several times, in a transaction each; the last run counts.
    """

    def __init__(
        self,
        batch: Sequence[LaneRequest],
        *,
        at: datetime,
        ids: Ids,
        cache: CustomerCache,
        meter: StepMeter,
    ) -> None:
        self._batch = batch
        self._at = at
        self._ids = ids
        self._cache = cache
        self._meter = meter
        self._attempts = 0
        self._begin()

    def _begin(self) -> None:
        self.results: list[tuple[LaneRequest, Result]] = []
        self._customers: dict[CustomerId, CustomerState] = {}
        self._names: dict[str, CustomerId] = {}
        self._places: dict[tuple[CustomerId, HoldId], HoldPlace] = {}
        self._stored: dict[tuple[CustomerId, str], StoredResponse] = {}
        self._readings: dict[PoolKey, Reading] = {}
        self._copies = CatalogCopies()
        self._after: dict[PoolKey, Account] = {}
        self._changed: dict[PoolKey, Change] = {}
        self._responses: dict[tuple[CustomerId, str], NewResponse] = {}
        self._events = EventLog(self._at)
        self._captured = CapturedHolds()

    @property
    def has_crossings(self) -> bool:
        return any(account.crossings for account in self._after.values())

    async def work(self, tx: Transaction) -> None:
        """Read, decide, save. Raises AccountsMoved when other pools or spends are needed than were read."""
        self._begin()
        self._attempts += 1
        with self._meter.step("read"):
            # The epoch is read first: a change of the Catalog's copies during the reads then differs from the cache.
            self._copies = self._cache.copies.at(await tx.standings.epoch())
            await self._look_up(tx)
            wanted = self._wanted()
            self._readings = await tx.accounts.read_many(wanted, at=self._at)
            # Again under the locks: whoever changes customers or prices must move the pools' versions too.
            await self._look_up_customers(tx)
            await self._look_up_prices(tx)
            # A twin may have held the lock before us; what it did then stands in the way of this request.
            self._stored = await tx.responses.find_many(
                {
                    (self._names[command.customer], command.request_id)
                    for command in self._commands()
                    if not isinstance(command, RecordEvent)
                }
            )
            if events := [command for command in self._all() if isinstance(command, RecordEvent)]:
                await self._events.look_up(tx, events, self._names)
            if not _covers(wanted, self._wanted()):
                raise AccountsMoved
            await self._captured.look_up(tx, self._captured_again())
        with self._meter.step("decide"):
            for request in self._batch:
                self.results.append((request, self._result(request.item)))
        with self._meter.step("save"):
            await tx.accounts.save_many(self._changes(), list(self._responses.values()), self._events.charged)
            await self._events.save_uncharged(tx)

    def fill_cache(self) -> None:
        """Cache the accounts as they are now; call it after the commit."""
        with_response = {response.key for response in self._responses.values()}
        versions: dict[CustomerId, dict[CreditTypeId, int]] = defaultdict(dict)
        for change in self._changes():
            is_written = change.key in with_response or not change.is_empty
            version = max(change.before.version, 1) + 1 if is_written else change.before.version
            if version:
                customer_id, credit_type_id = change.key
                self._customers[customer_id].accounts[credit_type_id] = change.after.as_saved(version=version)
                versions[customer_id][credit_type_id] = change.before.version
        for customer_id, customer in self._customers.items():
            if customer.accounts:
                self._cache.put(customer, versions[customer_id], self._copies)

    # The view.

    def customer(self, name: str) -> CustomerState:
        customer_id = self._names.get(name)
        if customer_id is None:
            raise CustomerNotFound(customer=name)
        return self._customers[customer_id]

    def products_of(self, event_type: str) -> tuple[ProductId, ...]:
        return self._copies.by_event_type[event_type]

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

    def require_meter(self, account: Account, price: MeteredPrice) -> None:
        """It was read with the account, or with the hold."""

    def require_usage(self, account: Account, line: Measured, group_values: Mapping[str, str]) -> None:
        """All of it was read with the account."""

    # What is read for it.

    async def _look_up(self, tx: Transaction) -> None:
        """Find out which pools are needed; from the cache, since what may be wrong there is read again under locks."""
        is_cached = self._attempts == 1 and self._take_from_cache()
        if not is_cached:
            await self._look_up_customers(tx)
        holds = [
            (self._names[command.customer], hold_id)
            for command in self._commands()
            if (hold_id := hold_of(command)) is not None
        ]
        if holds:
            self._places = await tx.accounts.places_of_holds(holds)
        if not is_cached:
            await self._look_up_prices(tx)

    def _captured_again(self) -> list[tuple[PoolKey, Hold]]:
        """Return the captured holds of events and of new Captures; a repeated one has its stored response."""
        found = [
            self._captured_hold(command)
            for command in self._commands()
            if isinstance(command, RecordEvent)
            or (self._names[command.customer], command.request_id) not in self._stored
        ]
        return [one for one in found if one is not None]

    def _captured_hold(self, command: Command) -> tuple[PoolKey, Hold] | None:
        """Return the hold that a command captures, if it was captured before."""
        hold_id = hold_of(command)
        customer_id = self._names.get(command.customer)
        if hold_id is None or customer_id is None or not isinstance(command, (Capture, RecordEvent)):
            return None
        place = self._places.get((customer_id, hold_id))
        if place is None:
            return None
        key = (customer_id, place.credit_type_id)
        hold = (self._after.get(key) or self._readings[key].account).holds[hold_id]
        return (key, hold) if hold.state is HoldState.CAPTURED else None

    def _take_from_cache(self) -> bool:
        """Take customers, products and prices from the cache; False when it lacks any of them."""
        if self._copies is not self._cache.copies:
            return False
        for request in self._batch:
            command = request.item
            customer = self._cache.customer(command.customer)
            if customer is None or isinstance(command, RecordEvent):
                return False
            if isinstance(command, (Authorize, Debit)) and command.product_id not in customer.books:
                return False
            self._names[command.customer] = customer.record.customer_id
            self._customers[customer.record.customer_id] = customer
        return True

    async def _look_up_customers(self, tx: Transaction) -> None:
        customers = await tx.standings.customers({request.item.customer for request in self._batch})
        self._customers = {}
        self._names = {name: record.customer_id for name, record in customers.items()}
        for name, record in customers.items():
            self._customers.setdefault(record.customer_id, CustomerState(record)).names.add(name)

    async def _look_up_prices(self, tx: Transaction) -> None:
        types = {
            command.event_type
            for command in self._commands()
            if isinstance(command, RecordEvent) and command.hold_id is None
        }
        if types:
            self._copies = await tx.standings.event_products(types, self._copies)
        asked = {
            (self._names[command.customer], product_id)
            for command in self._commands()
            for product_id in self._products_of(command)
        }
        if asked:
            books: dict[tuple[CustomerId, ProductId], PriceBook]
            books, self._copies = await tx.standings.price_books(asked, self._copies)
            for (customer_id, product_id), book in books.items():
                self._customers[customer_id].books[product_id] = book
        if not types <= self._copies.by_event_type.keys():
            raise AccountsMoved  # the Catalog's copies changed in between

    def _all(self) -> list[Command]:
        return [request.item for request in self._batch]

    def _commands(self) -> list[Command]:
        """Return the commands of customers that are known."""
        return [command for command in self._all() if command.customer in self._names]

    def _products_of(self, command: Command) -> tuple[ProductId, ...]:
        """Return the products whose prices a command needs."""
        match command:
            case Authorize() | Debit():
                return (command.product_id,)
            case ExtendHold() if command.additional is not None:
                return self._product_of_hold(command)
            case RecordEvent() if command.hold_id is None:
                return self._copies.by_event_type[command.event_type]
            case RecordEvent():
                return self._product_of_hold(command)
            case _:
                return ()

    def _product_of_hold(self, command: Command) -> tuple[ProductId, ...]:
        hold_id = hold_of(command)
        assert hold_id is not None
        place = self._places.get((self._names[command.customer], hold_id))
        return () if place is None else (place.product_id,)

    def _wanted(self) -> dict[PoolKey, AccountSelection]:
        """Return the pools that the batch needs, with the holds and spends that matter."""
        wanted: dict[PoolKey, AccountSelection] = defaultdict(AccountSelection)
        for request in self._batch:
            command = request.item
            if isinstance(command, RecordEvent):
                self._want_usage(command, wanted)
                continue
            try:
                target = target_of(self, command, at=self._at)
            except MeshError:  # the decision raises it again, for the caller
                continue
            if isinstance(target, Denied):
                continue
            if target.ask is not None:
                wanted[target.key].group_values.update(target.ask.counted_group_values.items())
                wanted[target.key].prices.append(target.ask.entitlement.price)
            if not isinstance(command, (Authorize, Debit)):
                wanted[target.key].hold_ids.add(command.hold_id)
        return wanted

    def _want_usage(self, event: RecordEvent, wanted: dict[PoolKey, AccountSelection]) -> None:
        if event.customer not in self._names:
            return
        customer = self.customer(event.customer)
        if event.hold_id is not None:
            with suppress(HoldNotFound):  # the decision raises it again
                hold_id = HoldId(event.hold_id)
                wanted[self.pool_of(customer, hold_id)].hold_ids.add(hold_id)
            return
        lines = lines_of(self, customer, event)
        if isinstance(lines, EventResult):
            return
        for line in lines:
            selection = wanted[pool_of(customer, line)]
            selection.pays_late = True
            selection.group_values.update(group_values_of(line.product, event.properties).items())
            selection.prices.append(line.entitlement.price)
            if isinstance(line.amount, str):
                selection.values.add((line.meter_key, line.amount))

    # What comes of it.

    def _result(self, command: Command) -> Result:
        if isinstance(command, RecordEvent):
            return self._event_result(command)
        try:
            stored = self._stored_response(command)
        except RequestIdReused as error:
            return error
        if stored is not None:
            return stored
        outcome = decide(self, command, at=self._at, ids=self._ids)
        match outcome:
            case Allowed():
                ((key, _, after),) = outcome.changes
                assert not isinstance(outcome.response, EventResult)
                self._after[key] = after
                self._responses[key[0], command.request_id] = NewResponse(
                    key, command.request_id, command.fingerprint, outcome.response, self._at
                )
                return outcome.response
            case Denied():
                return outcome.response
            case Fault():
                return self._capture_after_event(command) or outcome.error
            case Unknown() | Uncharged():
                raise AssertionError("everything that a decision needs was read")

    def _event_result(self, event: RecordEvent) -> Result:
        customer_id = self._names.get(event.customer)
        duplicate = self._events.earlier(event, customer_id)
        if duplicate is not None:
            return duplicate
        captured = self._captured_hold(event)
        if captured is not None:
            key, hold = captured
            customer = self.customer(event.customer)
            product = self.price_book(customer, hold.product_id).product
            return self._captured.result(self.account(customer, key), hold, event, product)
        outcome = decide(self, event, at=self._at, ids=self._ids)
        match outcome:
            case Allowed():
                result = outcome.response
                assert isinstance(result, EventResult)
                for key, _, after in outcome.changes:
                    self._after[key] = after
                self._events.record(event, result, customer_id=customer_id, key=outcome.changes[0][0])
                return result
            case Uncharged():
                self._events.record(event, outcome.response, customer_id=customer_id, key=None)
                return outcome.response
            case Denied():
                return outcome.response
            case Fault():
                return outcome.error
            case Unknown():
                raise AssertionError("everything that a decision needs was read")

    def _capture_after_event(self, command: GateCommand) -> LaneResponse | None:
        """Return the response to the Capture of a hold that an event has captured; None for anything else."""
        captured = self._captured_hold(command)
        if captured is None or not isinstance(command, Capture):
            return None
        key, hold = captured
        account = self.account(self.customer(command.customer), key)
        return self._captured.response(account, hold, command, at=account.time_at(self._at))

    def _stored_response(self, command: GateCommand) -> LaneResponse | None:
        """Return the response to this request, stored earlier or made in this batch. Raises RequestIdReused."""
        customer_id = self._names.get(command.customer)
        if customer_id is None:
            return None
        name = (customer_id, command.request_id)
        earlier = self._stored.get(name) or self._responses.get(name)
        if earlier is None:
            return None
        if earlier.fingerprint != command.fingerprint:
            raise RequestIdReused(request_id=command.request_id)
        if isinstance(earlier, StoredResponse):
            stored: LaneResponse = earlier.decode(command.response_type())
            return stored
        assert isinstance(earlier.response, LaneResponse)
        return earlier.response

    def _changes(self) -> list[Change]:
        return [
            Change(change.before, self._after[key], change.schedules) for key, change in self._changed.items()
        ]


def _covers(read: Mapping[PoolKey, AccountSelection], wanted: Mapping[PoolKey, AccountSelection]) -> bool:
    """Whether all the pools, spends and meters that are wanted have been read."""
    return all(
        key in read
        and want.group_values <= read[key].group_values
        and want.meter_keys() <= read[key].meter_keys()
        and want.values <= read[key].values
        and want.pays_late <= read[key].pays_late
        for key, want in wanted.items()
    )
