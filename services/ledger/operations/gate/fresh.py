# SPDX-License-Identifier: Apache-2.0
"""Requests decided on what the database says now, under the locks of their pools: the only place that denies."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
from services.ledger.domain.gate.commands import Authorize, Debit, ExtendHold, GateCommand
from services.ledger.domain.gate.decision import Ask, DenialReason
from services.ledger.domain.gate.hold import HoldId, HoldPlace
from services.ledger.domain.gate.standing import PriceLine
from services.ledger.operations.gate.lane import Waiting
from services.ledger.operations.gate.memory import Known, Memory
from services.ledger.operations.gate.meters import StepMeter
from services.ledger.operations.gate.resolving import (
    Answer,
    Barred,
    ask_for,
    decide,
    denial_of,
    extension_for,
    repeated,
)
from services.ledger.operations.ports import Transaction

GateWaiting = Waiting[GateCommand, Answer]
Outcome = Answer | MeshError


class Fresh:
    """One attempt at a batch. `work` may be run several times, in a transaction each; the last run counts."""

    def __init__(
        self, batch: Sequence[GateWaiting], *, at: datetime, ids: Ids, memory: Memory, meter: StepMeter
    ) -> None:
        self._batch = batch
        self._at = at
        self._ids = ids
        self._memory = memory
        self._meter = meter
        self._attempts = 0
        self._begin()

    def _begin(self) -> None:
        self.outcomes: list[tuple[GateWaiting, Outcome]] = []
        self._known: dict[CustomerId, Known] = {}
        self._names: dict[str, CustomerId] = {}
        self._group_keys: dict[ProductId, frozenset[str]] = {}
        self._places: dict[tuple[CustomerId, HoldId], HoldPlace] = {}
        self._given: dict[tuple[CustomerId, str], StoredResponse] = {}
        self._readings: dict[PoolKey, Reading] = {}
        self._epoch = 0
        self._before: dict[PoolKey, Account] = {}
        self._after: dict[PoolKey, Account] = {}
        self._changed: dict[PoolKey, Change] = {}
        self._answers: dict[tuple[CustomerId, str], NewResponse] = {}

    @property
    def has_crossings(self) -> bool:
        return any(account.crossings for account in self._after.values())

    async def work(self, tx: Transaction) -> None:
        """Read, decide, save. Raises AccountsMoved when it takes other pools or spends than were read."""
        self._begin()
        self._attempts += 1
        with self._meter.step("read"):
            # Before anything of the Catalog's: what changes while we read is then told from what we remember.
            self._epoch = await tx.standings.epoch()
            await self._look_up(tx)
            wanted = self._wanted()
            self._readings = await tx.accounts.read_many(wanted, at=self._at)
            # Again, now that the pools are locked: whoever changes these must change the pools' versions too.
            await self._look_up_customers(tx)
            await self._look_up_prices(tx)
            # A twin may have been ahead of us in the queue for the lock: what stands in our way is then its work.
            self._given = await tx.responses.find_many(
                {(self._names[command.customer], command.request_id) for command in self._commands()}
            )
            if not _covers(wanted, self._wanted()):
                raise AccountsMoved
        with self._meter.step("decide"):
            for waiting in self._batch:
                self.outcomes.append((waiting, self._outcome(waiting.item)))
        with self._meter.step("save"):
            await tx.accounts.save_many(self._changes(), list(self._answers.values()))

    def learn(self) -> None:
        """Let the memory know what the accounts are now; call it after the commit."""
        answered = {answer.key for answer in self._answers.values()}
        read: dict[CustomerId, dict[CreditTypeId, int]] = defaultdict(dict)
        for change in self._changes():
            is_written = change.key in answered or not change.is_empty
            version = max(change.before.version, 1) + 1 if is_written else change.before.version
            if version:
                customer_id, credit_type_id = change.key
                self._known[customer_id].accounts[credit_type_id] = change.after.as_saved(version=version)
                read[customer_id][credit_type_id] = change.before.version
        for customer_id, known in self._known.items():
            if known.accounts:
                self._memory.learn(known, read[customer_id], self._group_keys, self._epoch)

    async def _look_up(self, tx: Transaction) -> None:
        """Find out which pools it takes. Memory will do: what it may be wrong about is read again under the locks."""
        is_recalled = self._attempts == 1 and self._recall()
        if not is_recalled:
            await self._look_up_customers(tx)
        holds = [
            (self._names[command.customer], command.hold_id)
            for command in self._commands()
            if not isinstance(command, (Authorize, Debit))
        ]
        if holds:
            self._places = await tx.accounts.places_of_holds(holds)
        if not is_recalled:
            await self._look_up_prices(tx)

    def _recall(self) -> bool:
        """Take customers, products and prices from memory; False when it does not know all of them."""
        if self._epoch != self._memory.epoch:
            return False
        for waiting in self._batch:
            command = waiting.item
            known = self._memory.customer(command.customer)
            if known is None:
                return False
            if isinstance(command, (Authorize, Debit)):
                group_keys = self._memory.group_keys.get(command.product_id)
                if group_keys is None or command.product_id not in known.prices:
                    return False
                self._group_keys[command.product_id] = group_keys
            self._names[command.customer] = known.record.customer_id
            self._known[known.record.customer_id] = known
        return True

    async def _look_up_customers(self, tx: Transaction) -> None:
        customers = await tx.standings.customers({waiting.item.customer for waiting in self._batch})
        self._known = {}
        self._names = {name: record.customer_id for name, record in customers.items()}
        for name, record in customers.items():
            self._known.setdefault(record.customer_id, Known(record)).names.add(name)

    async def _look_up_prices(self, tx: Transaction) -> None:
        asked: set[tuple[CustomerId, ProductId]] = set()
        for command in self._commands():
            product_id = self._product_of(command)
            if product_id is not None:
                asked.add((self._names[command.customer], product_id))
        if asked:
            self._group_keys = await tx.standings.group_keys({product_id for _, product_id in asked})
            prices: dict[tuple[CustomerId, ProductId], tuple[PriceLine, ...]] = await tx.standings.prices(
                asked
            )
            for (customer_id, product_id), lines in prices.items():
                self._known[customer_id].prices[product_id] = lines

    def _commands(self) -> list[GateCommand]:
        """The commands of customers that are known."""
        return [waiting.item for waiting in self._batch if waiting.item.customer in self._names]

    def _product_of(self, command: GateCommand) -> ProductId | None:
        """Return the product whose price a command needs, if any."""
        match command:
            case Authorize() | Debit():
                return command.product_id
            case ExtendHold() if command.additional is not None:
                place = self._places.get((self._names[command.customer], command.hold_id))
                return None if place is None else place.product_id
            case _:
                return None

    def _wanted(self) -> dict[PoolKey, AccountSelection]:
        wanted: dict[PoolKey, AccountSelection] = defaultdict(AccountSelection)
        for command in self._commands():
            customer_id = self._names[command.customer]
            if isinstance(command, (Authorize, Debit)):
                ask = self._ask(command)
                if isinstance(ask, Ask):
                    key = (customer_id, ask.entitlement.credit_type_id)
                    wanted[key].group_values.update(ask.counted_group_values.items())
            else:
                place = self._places.get((customer_id, command.hold_id))
                if place is not None:
                    wanted[customer_id, place.credit_type_id].hold_ids.add(command.hold_id)
        return wanted

    def _ask(self, command: Authorize | Debit) -> Ask | Barred | None:
        """Return what is asked, or why it is denied before that; None when the product is not known."""
        group_keys = self._group_keys.get(command.product_id)
        if group_keys is None:
            return None
        return ask_for(command, self._known[self._names[command.customer]], group_keys, at=self._at)

    def _outcome(self, command: GateCommand) -> Outcome:
        customer_id = self._names.get(command.customer)
        if customer_id is None:
            return CustomerNotFound(customer=command.customer)
        try:
            first = self._first_answer(customer_id, command)
            return self._decide(customer_id, command) if first is None else first
        except MeshError as error:
            return error

    def _first_answer(self, customer_id: CustomerId, command: GateCommand) -> Answer | None:
        """Return the first answer, given before or in this very batch. Raises RequestIdReused."""
        name = (customer_id, command.request_id)
        given = self._given.get(name)
        if given is not None:
            return repeated(given, command)
        first = self._answers.get(name)
        if first is None:
            return None
        if first.fingerprint != command.fingerprint:
            raise RequestIdReused(request_id=command.request_id)
        answer = first.response
        assert isinstance(answer, Answer)
        return answer

    def _decide(self, customer_id: CustomerId, command: GateCommand) -> Answer:
        ask: Ask | DenialReason | None = None
        if isinstance(command, (Authorize, Debit)):
            asked = self._ask(command)
            if asked is None:
                raise ProductNotFound(product_id=command.product_id)
            if isinstance(asked, Barred):
                return asked.answer
            ask = asked
            key = (customer_id, asked.entitlement.credit_type_id)
        else:
            place = self._places.get((customer_id, command.hold_id))
            if place is None:
                raise HoldNotFound(hold_id=command.hold_id)
            key = (customer_id, place.credit_type_id)
        account = self._account(key)
        if isinstance(command, ExtendHold) and command.additional is not None:
            product_id = account.holds[command.hold_id].product_id
            group_keys = self._group_keys.get(product_id)
            if group_keys is None:
                raise ProductNotFound(product_id=product_id)
            ask = extension_for(command, self._known[customer_id], group_keys, account, at=self._at)
        after, answer = decide(account, command, ask, at=account.time_at(self._at), ids=self._ids)
        if denial_of(answer) is None:
            self._after[key] = after
            self._answers[customer_id, command.request_id] = NewResponse(
                key, command.request_id, command.fingerprint, answer, self._at
            )
        return answer

    def _account(self, key: PoolKey) -> Account:
        """Return the account as the batch has left it so far; brought up to date when it is first looked at."""
        if key not in self._after:
            reading = self._readings[key]
            before = self._memory.recall(reading.account)
            settled = bring_up_to_date(
                reading,
                at=before.time_at(self._at),
                new_grant_id=lambda: GrantId(self._ids.new("grt")),
            )
            # What is due is settled on what was read for it: not on every spend that memory knows of.
            is_settled = settled.account is not reading.account
            self._before[key] = before
            self._after[key] = self._memory.recall(settled.account) if is_settled else before
            self._changed[key] = Change(before, self._after[key], tuple(settled.schedules.values()))
        return self._after[key]

    def _changes(self) -> list[Change]:
        return [
            Change(change.before, self._after[key], change.schedules) for key, change in self._changed.items()
        ]


def _covers(read: Mapping[PoolKey, AccountSelection], wanted: Mapping[PoolKey, AccountSelection]) -> bool:
    """Whether all the pools and spends that are wanted have been read."""
    return all(key in read and want.group_values <= read[key].group_values for key, want in wanted.items())
