# SPDX-License-Identifier: Apache-2.0
"""A batch of gate requests or usage events: guess from the cache, prove in one guarded write, or decide under locks.

1. Guess: each request is decided, in order of arrival, on what the cache holds of its customer (decision.py).
2. Prove: everything that was allowed is written in one statement, guarded by the versions of the pools. A pool whose
   version has moved is not written; it leaves the cache, and its requests go on to 3. So do requests whose request_id
   has a stored response. While other replicas write to a pool, nothing is guessed about it.
   Denials write nothing. One statement, which begins after they were decided, confirms those whose pools still have the
   cached version and whose request_id has no stored response; the others go on to 3.
3. Decide under locks: every request that the cache could not answer, each fault among them, is decided on a fresh read
   under the pools' locks (locked.py). If another transaction has locked a customer's pool, this customer's requests are
   decided beside the lane, which goes on (side_queues.py).

No response is given before it is committed or confirmed. When the outcome of a write is unknown, its callers get that
as the error.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.ledger.domain.credits.grant import CustomerId
from services.ledger.domain.credits.unit_of_work import Change, GuessedDenial, LockHeld, NewEvent, NewResponse
from services.ledger.domain.gate.commands import RespondsWith
from services.ledger.domain.responses import LaneResponse
from services.ledger.domain.usage.event import EventResult, RecordEvent
from services.ledger.operations.gate.cache import CustomerCache
from services.ledger.operations.gate.decision import Command, decide, denial_of, name_of
from services.ledger.operations.gate.guess import Guess
from services.ledger.operations.gate.lane import QueuedRequest
from services.ledger.operations.gate.locked import LaneRequest, LockedBatch
from services.ledger.operations.gate.meters import StepMeter
from services.ledger.operations.gate.outcome import Allowed, Denied, Uncharged, Unknown
from services.ledger.operations.gate.side_queues import SideQueues
from services.ledger.operations.ports import Relay
from services.ledger.store import PostgresStore, Transaction

Request = TypeVar("Request")
Response = TypeVar("Response")
WireResponse = TypeVar("WireResponse")

RunTransaction: TypeAlias = Callable[[Callable[[Transaction], Awaitable[None]]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class GateRpc(Generic[Request, Response, WireResponse]):
    """How one rpc of the gate is read and written.

    read: returns the command of a request, or raises what is wrong with it. write: returns the wire's form of the
    command's response. The type ties the two to one command, so a pair of different commands is a type error.
    """

    read: Callable[[Request], RespondsWith[Response]]
    write: Callable[[Response], WireResponse]


class UnreadRequest(NamedTuple):
    """A request as it came over the wire, to be read and answered in its batch."""

    request: Any
    rpc: GateRpc[Any, Any, Any]


LaneItem = RespondsWith[LaneResponse] | UnreadRequest


class Batches:
    """Carries out batches on one cache: one at a time, and beside them those of customers that are locked elsewhere."""

    def __init__(
        self, *, store: PostgresStore, clock: Clock, ids: Ids, relay: Relay, meter: StepMeter
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._relay = relay
        self._meter = meter
        self._cache = CustomerCache()
        self._side = SideQueues(self._decide_beside)

    def waiting_for(self, items: Sequence[LaneItem]) -> int:
        """Return how many requests wait beside the lane for the customers of these."""
        return self._side.waiting_for(
            item.request.customer if isinstance(item, UnreadRequest) else item.customer for item in items
        )

    async def finish(self) -> None:
        """Return once no request waits beside the lane."""
        await self._side.finish()

    async def run(self, arrived: Sequence[QueuedRequest[LaneItem, LaneResponse]]) -> None:
        """Respond to every request of a batch, or fail it."""
        at = self._clock.now()
        with self._meter.step("guess"):
            batch = read(arrived)
            firsts, twins = _without_twins(batch)
            guess, again = self._guess(firsts, at)
        if guess.decided:
            again += await self._prove(guess, at)
        if guess.denied:
            again += await self._confirm(guess)
        if again:
            arrival = {id(request): number for number, request in enumerate(batch)}
            again.sort(key=lambda request: arrival[id(request)])
            await self._decide_in_lane(again, at)
        if twins:
            # The first request of each id is done by now, or it waits beside the lane, and they follow it: its twins
            # get the same response, or REQUEST_ID_REUSED.
            await self._decide_in_lane(twins, at)

    def _guess(self, batch: Iterable[LaneRequest], at: datetime) -> tuple[Guess, list[LaneRequest]]:
        """Decide on the cache what it can answer; returns also the requests that it cannot."""
        guess = Guess(self._cache, at, self._side, self._cache.copies.epoch)
        again: list[LaneRequest] = []
        # The pool of a request may not even be known, so later requests of its call wait for it too.
        calls: set[int] = set()
        for request in batch:
            cause = "behind" if request.call in calls else self._try_to_guess(guess, request)
            if cause is not None:
                again.append(request)
                calls.add(request.call)
                self._meter.again(cause)
        return guess, again

    def _try_to_guess(self, guess: Guess, request: LaneRequest) -> str | None:
        """Decide one request into the guess; returns why it must be decided under locks, or None."""
        if request.caller.customer_ids is not None and not self._is_visible(request):
            return "denied"
        try:
            outcome = decide(guess, request.item, at=guess.at, ids=self._ids)
        except Exception:  # a poison request: it is decided again, and fails alone
            return "denied"
        match outcome:
            case Allowed() if len(outcome.changes) == 1:
                return guess.add(request, outcome)
            case Allowed():
                # A guard per pool could write one of them and not the other.
                guess.closed.update(key for key, _, _ in outcome.changes)
                return "pools"
            case Denied():
                return guess.deny(request, outcome)
            case Uncharged():
                return "denied"
            case _:
                if outcome.key is not None:
                    guess.closed.add(outcome.key)
                return outcome.cause if isinstance(outcome, Unknown) else "denied"

    def _is_visible(self, request: LaneRequest) -> bool:
        """Whether the caller may see the customer, as far as the cache knows."""
        customer = self._cache.customer(request.item.customer)
        return customer is not None and request.caller.may_see(customer.record.customer_id)

    async def _prove(self, guess: Guess, at: datetime) -> list[LaneRequest]:
        """Write the guess; responds to what was written, and returns what must be decided under locks."""
        changes = [Change(before, guess.after[key]) for key, before in guess.before.items()]
        responses: list[NewResponse] = []
        events: list[NewEvent] = []
        for request, key, response in guess.decided:
            command, subject = request.item, request.caller.subject
            if isinstance(command, RecordEvent):
                assert isinstance(response, EventResult)
                received = command.receive_time or at
                events.append(NewEvent(key, command, response, received, command.subject or subject))
            else:
                assert not isinstance(response, EventResult)
                responses.append(
                    NewResponse(key, command.request_id, command.fingerprint, response, at, subject)
                )
        cause = "twin"
        try:
            with self._meter.step("prove"):
                written = await self._store.write_guess(changes, responses, events, epoch=guess.epoch)
        except MeshError as error:
            for customer_id, _ in guess.before:
                self._cache.drop(customer_id)
            for request, _, _ in guess.decided:
                request.fail(error)
            return []
        except LockHeld:
            written, cause = None, "locked"
        except Exception:
            # One of them is a poison request: each is decided again, and fails or succeeds alone.
            written = None
        if written is None:
            self._meter.again(cause, len(guess.decided))
            for customer_id, _ in guess.before:
                self._cache.drop(customer_id)
            return [request for request, _, _ in guess.decided]
        for change in changes:
            if change.key in written:
                self._cache.replace(change.after.as_saved(version=change.before.version + 1))
        for customer_id, credit_type_id in guess.before:
            if (customer_id, credit_type_id) not in written:
                self._cache.outrun(customer_id)
        if any(change.after.crossings for change in changes):
            self._relay.wake()
        outrun = []
        allowed: Counter[type[Command]] = Counter()
        for request, key, response in guess.decided:
            if key in written:
                allowed[type(request.item)] += 1
                request.respond(response)
            else:
                outrun.append(request)
        for command_type, count in allowed.items():
            self._meter.decided(command_type.__name__, "ALLOWED", count)
        if outrun:
            self._meter.again("outrun", len(outrun))
        return outrun

    async def _confirm(self, guess: Guess) -> list[LaneRequest]:
        """Respond to the denials that hold, and return the requests that must be decided under locks."""
        cause = "denied"
        holding: set[GuessedDenial] = set()
        try:
            with self._meter.step("confirm"):
                holding = await self._store.confirm_denials(
                    [denial for _, denial, _ in guess.denied], epoch=guess.epoch
                )
        except MeshError as error:
            for request, _, _ in guess.denied:
                request.fail(error)
            return []
        except LockHeld:
            cause = "locked"
        except Exception:
            # One of them is a poison request: each is decided again, and fails or is denied alone.
            pass
        again = []
        for request, denial, response in guess.denied:
            if denial in holding:
                self._meter.decided(type(request.item).__name__, _outcome_of(response))
                request.respond(response)
            else:
                again.append(request)
        if again:
            self._meter.again(cause, len(again))
        return again

    async def _decide_in_lane(self, batch: Sequence[LaneRequest], at: datetime) -> None:
        """Decide requests under locks, unless their customers wait beside the lane already, or have to now.

        Those that other replicas write to have to: the lane would mostly find their pools locked.
        """
        rest: list[LaneRequest] = []
        # An unknown name may be another one of a customer that waits, so later requests of its call go with it.
        calls: set[int] = set()
        for request in batch:
            if request.call not in calls:
                if self._side.follow(request):
                    continue
                contended = self._cache.contended(request.item.customer)
                if contended is not None:
                    self._side.add(contended, request)
                    continue
            rest.append(request)
            calls.add(request.call)
        if rest:
            # As of now: a customer whose queue ends while the batch reads would be decided on what was not read.
            elsewhere = self._side.customers()
            await self._decide_under_locks(rest, at, self._store.run_in_lane, elsewhere=elsewhere)

    async def _decide_beside(
        self, customer_id: CustomerId, take: Callable[[], Sequence[LaneRequest]]
    ) -> None:
        """Decide what waits for a customer once its pools are locked, so that what arrives until then is decided too.

        Replicas that write to one pool take turns: each decides in its turn what has arrived during the other's.
        """
        batch: list[LaneRequest] = []

        async def run(work: Callable[[Transaction], Awaitable[None]]) -> None:
            async def work_in_turn(tx: Transaction) -> None:
                await tx.accounts.lock_all(customer_id)
                if not batch:
                    batch.extend(take())
                if batch:
                    await work(tx)

            try:
                await self._store.run_beside_lane(work_in_turn)
            except Exception:
                if not batch:  # it did not get so far, and fails what it would have decided
                    batch.extend(take())
                raise

        await self._decide_under_locks(batch, self._clock.now(), run)

    async def _decide_under_locks(
        self,
        batch: Sequence[LaneRequest],
        at: datetime,
        run: RunTransaction,
        *,
        elsewhere: frozenset[CustomerId] = frozenset(),
    ) -> None:
        """Decide requests on a fresh read under locks, in order; one that breaks the others is decided alone."""
        locked = LockedBatch(
            batch, at=at, ids=self._ids, cache=self._cache, meter=self._meter, elsewhere=elsewhere
        )
        try:
            await run(locked.work)
        except MeshError as error:
            for request in batch:
                request.fail(error)
            return
        except LockHeld:
            # Not of a pool: of a table, by a migration, or of a row that is about to be made. All wait for it.
            await self._decide_under_locks(batch, at, self._store.run_beside_lane)
            return
        except Exception as error:
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for request in batch:
                await self._decide_under_locks([request], at, run, elsewhere=elsewhere)
            return
        locked.fill_cache()
        for request, customer_id in locked.handed_over:
            self._side.add(customer_id, request)
        if locked.has_crossings:
            self._relay.wake()
        for request, result in locked.results:
            if isinstance(result, MeshError):
                self._meter.decided(type(request.item).__name__, result.reason)
                request.fail(result)
            else:
                self._meter.decided(type(request.item).__name__, _outcome_of(result))
                request.respond(result)


def _outcome_of(response: LaneResponse) -> str:
    if isinstance(response, EventResult):
        return "DUPLICATE" if response.is_duplicate else response.status.name
    reason = denial_of(response)
    return "ALLOWED" if reason is None else reason.name


def read(arrived: Iterable[QueuedRequest[Any, LaneResponse]]) -> list[LaneRequest]:
    """Return the requests that are to be decided; the others get what is wrong with them."""
    batch: list[LaneRequest] = []
    for request in arrived:
        unread = request.item
        if isinstance(unread, UnreadRequest):
            request.write = unread.rpc.write
            try:
                request.item = unread.rpc.read(unread.request)
            except Exception as error:
                request.fail(error)
                continue
            if isinstance(request.item, RecordEvent) and request.item.rejection is not None:
                request.respond(request.item.rejection)
                continue
        batch.append(request)
    return batch


def _without_twins(batch: Sequence[LaneRequest]) -> tuple[list[LaneRequest], list[LaneRequest]]:
    """Return the first request of each id, and the repetitions, which wait for the first one's response."""
    seen: set[tuple[str, str, str]] = set()
    firsts: list[LaneRequest] = []
    twins: list[LaneRequest] = []
    for request in batch:
        name = name_of(request.item)
        (twins if name in seen else firsts).append(request)
        seen.add(name)
    return firsts, twins
