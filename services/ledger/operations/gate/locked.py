# SPDX-License-Identifier: Apache-2.0
"""Requests and events decided on a fresh read, under the locks of their pools."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from meshkit.errors import MeshError, RequestIdReused
from meshkit.ids import Ids
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId
from services.ledger.domain.credits.unit_of_work import (
    NewResponse,
    PoolKey,
    StoredResponse,
)
from services.ledger.domain.errors import CustomerNotFound
from services.ledger.domain.gate.commands import Capture, CaptureLines, GateCommand
from services.ledger.domain.gate.hold import Hold
from services.ledger.domain.gate.standing import CatalogCopies
from services.ledger.domain.responses import LaneResponse
from services.ledger.domain.usage.event import CUSTOMER_NOT_FOUND, EventResult, RecordEvent
from services.ledger.operations.gate.cache import CustomerCache
from services.ledger.operations.gate.decision import Command, decide, used_of
from services.ledger.operations.gate.lane import QueuedRequest
from services.ledger.operations.gate.locked_view import LockedView
from services.ledger.operations.gate.meters import StepMeter
from services.ledger.operations.gate.outcome import Allowed, Denied, Fault, Uncharged, Unknown
from services.ledger.operations.usage.captured_holds import CapturedHolds
from services.ledger.operations.usage.decision import products_of_hold
from services.ledger.operations.usage.event_log import EventLog
from services.ledger.store import Transaction

LaneRequest = QueuedRequest[Command, LaneResponse]
Result = LaneResponse | MeshError


class LockedBatch:
    """Decides a batch in a transaction, on what that transaction has read (locked_view.py).

    `work` may be run several times, in a transaction each; the last run counts. elsewhere: customers whose requests
    are not decided here. results: of those that were; handed_over: the others, of them and of customers whose pools
    are locked elsewhere.
    """

    def __init__(
        self,
        batch: Sequence[LaneRequest],
        *,
        at: datetime,
        ids: Ids,
        cache: CustomerCache,
        meter: StepMeter,
        elsewhere: frozenset[CustomerId] = frozenset(),
    ) -> None:
        self._elsewhere = elsewhere
        self._batch = batch
        self._at = at
        self._ids = ids
        self._cache = cache
        self._meter = meter
        self._attempts = 0
        self._begin(CatalogCopies())

    def _begin(self, copies: CatalogCopies) -> None:
        self.results: list[tuple[LaneRequest, Result]] = []
        self.handed_over: list[tuple[LaneRequest, CustomerId]] = []
        self._view = LockedView(
            [request.item for request in self._batch],
            at=self._at,
            ids=self._ids,
            cache=self._cache,
            copies=copies,
            elsewhere=self._elsewhere,
        )
        self._stored: dict[tuple[CustomerId, str], StoredResponse] = {}
        self._responses: dict[tuple[CustomerId, str], NewResponse] = {}
        self._events = EventLog(self._at)
        self._captured = CapturedHolds()

    @property
    def has_crossings(self) -> bool:
        return self._view.has_crossings

    async def work(self, tx: Transaction) -> None:
        """Read, decide, save. Raises AccountsMoved when other pools or spends are needed than were read."""
        self._attempts += 1
        with self._meter.step("read"):
            # The epoch is read first: a change of the Catalog's copies during the reads then differs from the cache.
            self._begin(self._cache.copies.at(await tx.standings.epoch()))
            # From the cache, the first time: what may be wrong there is read again under locks.
            await self._view.read(tx, trusts_cache=self._attempts == 1)
            # A twin may have held the lock before us; what it did then stands in the way of this request.
            self._stored = await tx.responses.find_many(
                {
                    (self._view.names[command.customer], command.request_id)
                    for command in self._view.known_commands()
                    if not isinstance(command, RecordEvent)
                }
            )
            events = [request.item for request in self._batch if isinstance(request.item, RecordEvent)]
            if events:
                await self._events.look_up(tx, events, self._view.names)
            await self._captured.look_up(tx, self._captured_again())
        with self._meter.step("decide"):
            for request in self._batch:
                customer_id = self._view.customer_elsewhere(request.item)
                if customer_id is None:
                    self.results.append((request, self._result_for(request)))
                else:
                    self.handed_over.append((request, customer_id))
        with self._meter.step("save"):
            await tx.accounts.save_many(
                self._view.changes(), list(self._responses.values()), self._events.charged
            )
            await self._events.save_uncharged(tx)

    def fill_cache(self) -> None:
        """Cache the accounts as they are now; call it after the commit."""
        with_response = {response.key for response in self._responses.values()}
        versions: dict[CustomerId, dict[CreditTypeId, int]] = defaultdict(dict)
        for change in self._view.changes():
            is_written = change.key in with_response or not change.is_empty
            version = max(change.before.version, 1) + 1 if is_written else change.before.version
            if version:
                customer_id, credit_type_id = change.key
                self._view.customers[customer_id].accounts[credit_type_id] = change.after.as_saved(
                    version=version
                )
                versions[customer_id][credit_type_id] = change.before.version
        for customer_id, customer in self._view.customers.items():
            if customer.accounts:
                self._cache.put(customer, versions[customer_id], self._view.copies)

    def _captured_again(self) -> list[tuple[PoolKey, Hold]]:
        """Return the captured holds of events and of new Captures; a repeated one has its stored response."""
        found = [
            self._view.captured_hold(command)
            for command in self._view.known_commands()
            if isinstance(command, RecordEvent)
            or (self._view.names[command.customer], command.request_id) not in self._stored
        ]
        return [one for one in found if one is not None]

    def _result_for(self, request: LaneRequest) -> Result:
        """Return the result of a request; to a caller who may not see the customer, as if there were none."""
        command = request.item
        customer_id = self._view.names.get(command.customer)
        if request.caller.customer_ids is None or (
            customer_id is not None and request.caller.may_see(customer_id)
        ):
            return self._result(command, request.caller.subject)
        return (
            CUSTOMER_NOT_FOUND
            if isinstance(command, RecordEvent)
            else CustomerNotFound(customer=command.customer)
        )

    def _result(self, command: Command, subject: str) -> Result:
        if isinstance(command, RecordEvent):
            return self._event_result(command, command.subject or subject)
        try:
            stored = self._stored_response(command)
        except RequestIdReused as error:
            return error
        if stored is not None:
            return stored
        outcome = decide(self._view, command, at=self._at, ids=self._ids)
        match outcome:
            case Allowed():
                ((key, _, after),) = outcome.changes
                assert not isinstance(outcome.response, EventResult)
                self._view.apply(key, after)
                self._responses[key[0], command.request_id] = NewResponse(
                    key, command.request_id, command.fingerprint, outcome.response, self._at, subject
                )
                return outcome.response
            case Denied():
                return outcome.response
            case Fault():
                try:
                    return self._capture_after_event(command) or outcome.error
                except MeshError as error:
                    return error
            case Unknown() | Uncharged():
                raise AssertionError("everything that a decision needs was read")

    def _event_result(self, event: RecordEvent, subject: str) -> Result:
        customer_id = self._view.names.get(event.customer)
        duplicate = self._events.earlier(event, customer_id)
        if duplicate is not None:
            return duplicate
        captured = self._view.captured_hold(event)
        if captured is not None:
            key, hold = captured
            customer = self._view.customer(event.customer)
            products = products_of_hold(self._view, customer, hold)
            return self._captured.result(self._view.account(customer, key), hold, event, products)
        outcome = decide(self._view, event, at=self._at, ids=self._ids)
        match outcome:
            case Allowed():
                result = outcome.response
                assert isinstance(result, EventResult)
                for key, _, after in outcome.changes:
                    self._view.apply(key, after)
                key = outcome.changes[0][0]
                self._events.record(event, result, customer_id=customer_id, key=key, subject=subject)
                return result
            case Uncharged():
                self._events.record(
                    event, outcome.response, customer_id=customer_id, key=None, subject=subject
                )
                return outcome.response
            case Denied():
                return outcome.response
            case Fault():
                return outcome.error
            case Unknown():
                raise AssertionError("everything that a decision needs was read")

    def _capture_after_event(self, command: GateCommand) -> LaneResponse | None:
        """Return the response to the Capture of a hold that an event has captured; None for anything else."""
        captured = self._view.captured_hold(command)
        if captured is None or not isinstance(command, (Capture, CaptureLines)):
            return None
        key, hold = captured
        customer = self._view.customer(command.customer)
        account = self._view.account(customer, key)
        if not self._captured.is_of_event(account, hold):
            return None
        used = used_of(self._view, customer, hold, command)
        return self._captured.response(account, hold, used, at=account.time_at(self._at))

    def _stored_response(self, command: GateCommand) -> LaneResponse | None:
        """Return the response to this request, stored earlier or made in this batch. Raises RequestIdReused."""
        customer_id = self._view.names.get(command.customer)
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
