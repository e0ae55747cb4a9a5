# SPDX-License-Identifier: Apache-2.0
"""A batch of gate requests: guess from memory, decide in the domain, prove in one guarded write.

1. Guess: each request is decided in order of arrival against what memory holds of its account.
2. Prove: all that was allowed is written in one statement, guarded by the versions of the pools. An account whose
   version has moved writes nothing, is forgotten, and its requests go on to 3; so do requests with a twin. While
   others write to its pool too, nothing is guessed about it.
3. Decide again: whatever memory could not answer, every denial and every fault among it, is decided on a fresh
   read under the pools' locks. This is the only place that denies.

Nothing is answered before it is committed. When a write's outcome is unknown, its callers are told so.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from meshkit.clock import Clock
from meshkit.errors import MeshError
from meshkit.ids import Ids
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.unit_of_work import Change, NewResponse, PoolKey
from services.ledger.domain.gate.commands import Authorize, Debit, ExtendHold, GateCommand
from services.ledger.domain.gate.decision import Ask, DenialReason
from services.ledger.operations.gate.fresh import Fresh, GateWaiting
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
)
from services.ledger.operations.ports import Bell, Store


@dataclass(slots=True)
class _Guess:
    """What was decided from memory: accounts as they are remembered and as they would be, answers to be proved."""

    before: dict[PoolKey, Account] = field(default_factory=dict)
    after: dict[PoolKey, Account] = field(default_factory=dict)
    decided: list[tuple[GateWaiting, PoolKey, Answer]] = field(default_factory=list)
    # Pools with a request that is decided again: those that came after it wait for it.
    closed: set[PoolKey] = field(default_factory=set)


class Unread(NamedTuple):
    """A request as it came; read gives its command, write makes of the answer what its caller is given."""

    request: object
    read: Callable[[Any], GateCommand]
    write: Callable[[Any], Any]


class Batches:
    """Carries batches out, one at a time, against one memory."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids, bell: Bell, meter: StepMeter) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._bell = bell
        self._meter = meter
        self._memory = Memory()

    async def run(self, arrived: Sequence[Waiting[GateCommand | Unread, Answer]]) -> None:
        """Answer or fail every request of a batch."""
        at = self._clock.now()
        with self._meter.step("guess"):
            batch = read(arrived)
            firsts, twins = _without_twins(batch)
            guess, again = self._guess(firsts, at)
        if guess.decided:
            again += await self._prove(guess, at)
        if again:
            arrival = {id(waiting): number for number, waiting in enumerate(batch)}
            again.sort(key=lambda waiting: arrival[id(waiting)])
            await self._decide_again(again, at)
        if twins:
            # Their firsts are answered by now: they get the same answer, or hear that the id is taken.
            await self._decide_again(twins, at)

    def _guess(self, batch: Iterable[GateWaiting], at: datetime) -> tuple[_Guess, list[GateWaiting]]:
        guess = _Guess()
        again: list[GateWaiting] = []
        # Which pool a request is about may not even be known: those of its call that come after it wait for it too.
        calls: set[int] = set()
        for waiting in batch:
            cause = "behind" if waiting.call in calls else self._try_to_guess(guess, waiting, at)
            if cause is not None:
                again.append(waiting)
                calls.add(waiting.call)
                self._meter.again(cause)
        return guess, again

    def _try_to_guess(self, guess: _Guess, waiting: GateWaiting, at: datetime) -> str | None:
        try:
            return self._guess_one(guess, waiting, at)
        except Exception:  # poison: it is decided again, and fails by itself
            return "denied"

    def _guess_one(self, guess: _Guess, waiting: GateWaiting, at: datetime) -> str | None:
        """Decide one request into the guess; returns why that cannot be done, or None when it was."""
        command = waiting.item
        known = self._memory.customer(command.customer)
        if known is None:
            return "unknown"
        if isinstance(command, (Authorize, Debit)):
            group_keys = self._memory.group_keys.get(command.product_id)
            if group_keys is None or command.product_id not in known.prices:
                return "unknown"
            asked = ask_for(command, known, group_keys, at=at)
            if isinstance(asked, Barred):
                return "denied"
            account = known.accounts.get(asked.entitlement.credit_type_id)
        else:
            asked = None
            account = known.account_with(command.hold_id)
        if account is None:
            return "unknown"
        key = (account.customer_id, account.credit_type_id)
        if key in guess.closed:
            return "behind"
        now = guess.after.get(key, account)
        cause, ask = self._extension(command, known, now, asked, at)
        if cause is None:
            cause = _unfit(now, ask, at)
        if cause is None:
            cause = self._decide_into(guess, waiting, key, account, now, ask, at)
        if cause is not None:
            guess.closed.add(key)
        return cause

    def _extension(
        self, command: GateCommand, known: Known, account: Account, ask: Ask | None, at: datetime
    ) -> tuple[str | None, Ask | None]:
        if not isinstance(command, ExtendHold) or command.additional is None:
            return None, ask
        product_id = account.holds[command.hold_id].product_id
        group_keys = self._memory.group_keys.get(product_id)
        if group_keys is None or product_id not in known.prices:
            return "unknown", None
        extension = extension_for(command, known, group_keys, account, at=at)
        return ("denied", None) if isinstance(extension, DenialReason) else (None, extension)

    def _decide_into(
        self,
        guess: _Guess,
        waiting: GateWaiting,
        key: PoolKey,
        account: Account,
        now: Account,
        ask: Ask | None,
        at: datetime,
    ) -> str | None:
        try:
            after, answer = decide(now, waiting.item, ask, at=now.time_at(at), ids=self._ids)
        except MeshError:
            return "denied"
        if denial_of(answer) is not None:
            return "denied"
        guess.before.setdefault(key, account)
        guess.after[key] = after
        guess.decided.append((waiting, key, answer))
        return None

    async def _prove(self, guess: _Guess, at: datetime) -> list[GateWaiting]:
        """Write the guess; answers what was written, and returns what must be decided again."""
        changes = [Change(before, guess.after[key]) for key, before in guess.before.items()]
        answers = [
            NewResponse(key, waiting.item.request_id, waiting.item.fingerprint, answer, at)
            for waiting, key, answer in guess.decided
        ]
        try:
            with self._meter.step("prove"):
                written = await self._store.write_guess(changes, answers, epoch=self._memory.epoch)
        except MeshError as error:
            for customer_id, _ in guess.before:
                self._memory.forget(customer_id)
            for waiting, _, _ in guess.decided:
                waiting.fail(error)
            return []
        except Exception:  # one of them is poison: each is decided again, and fails or succeeds by itself
            written = None
        if written is None:
            self._meter.again("twin", len(guess.decided))
            for customer_id, _ in guess.before:
                self._memory.forget(customer_id)
            return [waiting for waiting, _, _ in guess.decided]
        for change in changes:
            if change.key in written:
                self._memory.saved(change.after.as_saved(version=change.before.version + 1))
        for customer_id, credit_type_id in guess.before:
            if (customer_id, credit_type_id) not in written:
                self._memory.outrun(customer_id)
        if any(change.after.crossings for change in changes):
            self._bell.wake()
        outrun = []
        allowed: Counter[type[GateCommand]] = Counter()
        for waiting, key, answer in guess.decided:
            if key in written:
                allowed[type(waiting.item)] += 1
                waiting.answer(answer)
            else:
                outrun.append(waiting)
        for command_type, count in allowed.items():
            self._meter.decided(command_type.__name__, "ALLOWED", count)
        if outrun:
            self._meter.again("outrun", len(outrun))
        return outrun

    async def _decide_again(self, batch: Sequence[GateWaiting], at: datetime) -> None:
        """Decide requests on a fresh read under lock, in order; one that breaks the others is decided by itself."""
        fresh = Fresh(batch, at=at, ids=self._ids, memory=self._memory, meter=self._meter)
        try:
            await self._store.run(fresh.work)
        except MeshError as error:
            for waiting in batch:
                waiting.fail(error)
            return
        except Exception as error:
            if len(batch) == 1:
                batch[0].fail(error)
                return
            for waiting in batch:
                await self._decide_again([waiting], at)
            return
        fresh.learn()
        if fresh.has_crossings:
            self._bell.wake()
        for waiting, outcome in fresh.outcomes:
            if isinstance(outcome, MeshError):
                self._meter.decided(type(waiting.item).__name__, outcome.reason)
                waiting.fail(outcome)
            else:
                self._answer(waiting, outcome)

    def _answer(self, waiting: GateWaiting, answer: Answer) -> None:
        reason = denial_of(answer)
        self._meter.decided(type(waiting.item).__name__, "ALLOWED" if reason is None else reason.name)
        waiting.answer(answer)


def read(arrived: Iterable[Waiting[Any, Answer]]) -> list[GateWaiting]:
    """Return the requests whose commands could be read; the others hear what is wrong with them."""
    batch: list[GateWaiting] = []
    for waiting in arrived:
        unread = waiting.item
        if isinstance(unread, Unread):
            try:
                waiting.item = unread.read(unread.request)
            except Exception as error:
                waiting.fail(error)
                continue
            waiting.write = unread.write
        batch.append(waiting)
    return batch


def _without_twins(batch: Sequence[GateWaiting]) -> tuple[list[GateWaiting], list[GateWaiting]]:
    """Return the first request of each id, and the repetitions, which wait for their first's answer."""
    seen: set[tuple[str, str]] = set()
    firsts: list[GateWaiting] = []
    twins: list[GateWaiting] = []
    for waiting in batch:
        name = (waiting.item.customer, waiting.item.request_id)
        (twins if name in seen else firsts).append(waiting)
        seen.add(name)
    return firsts, twins


def _unfit(account: Account, ask: Ask | None, at: datetime) -> str | None:
    """Return why an account from memory cannot answer: something is due, or a spend is not known."""
    if account.is_due(at):
        return "due"
    if ask is not None and any(value not in account.spends for value in ask.counted_group_values.items()):
        return "unknown"
    return None
