# SPDX-License-Identifier: Apache-2.0
"""Random seat changes and calls on two replicas, compared with an independent model after each step."""

import random
from datetime import timedelta
from typing import Final

import pytest

from meshkit.quantity import MICROS
from purser.ledger.v1 import ledger_admin_pb2 as apb
from purser.ledger.v1 import ledger_pb2 as pb
from tests.simulation.seat_model import SeatModel
from tests.support.ledger import JUNE, RunningLedger, running_ledger
from tests.support.postgres import Databases

STEPS = 70
NAMES: Final = tuple("abcdefgh")
TOP_UP = 500


class Run:
    """One run: the same step on one of two replicas and on the model."""

    def __init__(
        self, seed: int, first: RunningLedger, second: RunningLedger, shares: frozenset[str] | None
    ) -> None:
        self._random = random.Random(seed)
        self._replicas = (first, second)
        self._first = first
        self._sequence = 0
        self.model = SeatModel(month=JUNE, shared=TOP_UP * MICROS, shares=shares)
        self.model.add(2, JUNE)

    @property
    def _ledger(self) -> RunningLedger:
        return self._random.choice(self._replicas)

    async def step(self) -> None:
        self._first.clock.advance(timedelta(seconds=self._random.choice([1, 3_600, 86_400, 4 * 86_400])))
        self.model.advance(self._first.clock.now())
        chosen = self._random.choices(
            [self._change, self._transfer, self._debit, self._hold, self._end_hold, self._sweep],
            weights=[3, 1, 5, 3, 3, 1],
        )[0]
        await chosen()

    async def _change(self) -> None:
        model, pick = self.model, self._random
        assigned = [name for name in NAMES if model.slot_of(name)]
        leaving = pick.sample(assigned, pick.randint(0, min(2, len(assigned))))
        least = len(assigned) - len(leaving) - model.open_seats()
        delta = pick.randint(max(-2, least), 2)
        free = model.open_seats() + delta - len(assigned) + len(leaving)
        others = [name for name in NAMES if name not in assigned]
        arriving = pick.sample(others, min(free, len(others), pick.randint(0, 2)))
        if not (leaving or delta or arriving):
            return
        now = self._first.clock.now()
        for name in leaving:
            model.unassign(name)
        model.add(max(0, delta), now)
        model.remove(max(0, -delta))
        for name in arriving:
            model.assign(name)
        self._sequence += 1
        await self._ledger.change_seats(
            delta, now, sequence=self._sequence, unassign_seat_ids=leaving, assign_seat_ids=arriving
        )

    async def _transfer(self) -> None:
        assigned = [name for name in NAMES if self.model.slot_of(name)]
        others = [name for name in NAMES if name not in assigned]
        if not assigned or not others:
            return
        giver, receiver = self._random.choice(assigned), self._random.choice(others)
        slot = self.model.slot_of(giver)
        assert slot is not None
        slot.occupant = receiver
        self._sequence += 1
        await self._ledger.change_seats(
            0,
            self._first.clock.now(),
            sequence=self._sequence,
            transfers=[{"from_seat_id": giver, "to_seat_id": receiver}],
        )

    def _expected(self, name: str, amount: int) -> "pb.DenialReason":
        available = self.model.available(name)
        if available is None:
            return pb.DENIAL_REASON_SEAT_NOT_ASSIGNED
        if amount > available:
            return pb.DENIAL_REASON_INSUFFICIENT_CREDITS
        return pb.DENIAL_REASON_UNSPECIFIED

    async def _debit(self) -> None:
        name, amount = self._random.choice(NAMES), self._random.randint(1, 60)
        expected = self._expected(name, amount * MICROS)
        answer = await self._ledger.debit(amount, user=name)
        assert answer.denial_reason == expected
        if expected == pb.DENIAL_REASON_UNSPECIFIED:
            self.model.draw(name, amount * MICROS)
        assert answer.available_micros == (self.model.available(name) or 0)

    async def _hold(self) -> None:
        name, amount = self._random.choice(NAMES), self._random.randint(1, 60)
        expected = self._expected(name, amount * MICROS)
        answer = await self._ledger.authorize(amount, user=name, hold_ttl=timedelta(hours=24))
        assert answer.denial_reason == expected
        if expected == pb.DENIAL_REASON_UNSPECIFIED:
            self.model.held[answer.hold_id] = self.model.draw(name, amount * MICROS)

    async def _end_hold(self) -> None:
        """Capture a part of the youngest hold; older ones may have expired."""
        await self._expire_holds()
        if not self.model.held:
            return
        hold_id = list(self.model.held)[-1]
        whole = sum(amount for _, _, amount in self.model.held[hold_id])
        part = self._random.randint(0, whole // MICROS)
        captured = await self._ledger.capture(hold_id, part)
        assert (captured.captured_micros, captured.shortfall_micros) == (part * MICROS, 0)
        self.model.give_back(hold_id, part * MICROS)

    async def _expire_holds(self) -> None:
        """Give back in the model what has expired: the Ledger says which holds these are."""
        listed = await self._first.admin.ListHolds(
            apb.ListHoldsRequest(customer="acme", hold_state=apb.HOLD_STATE_HELD, page_size=500)
        )
        alive = {one.hold_id for one in listed.holds}
        for hold_id in [one for one in self.model.held if one not in alive]:
            self.model.give_back(hold_id, 0)

    async def _sweep(self) -> None:
        await self._ledger.app.run_due(self._first.clock.now())

    async def check(self) -> None:
        await self._expire_holds()
        found = await self._first.admin.ListSeatBalances(
            apb.ListSeatBalancesRequest(customer="acme", page_size=500)
        )
        slots = {name: self.model.slot_of(name) for name in NAMES}
        expected = {name: slot.rest for name, slot in slots.items() if slot is not None}
        assert {one.seat_id: one.available_micros for one in found.seats} == expected
        assert (await self._first.pool()).available_micros == self.model.shared


@pytest.mark.parametrize("seed", range(6))
async def test_random_seats_and_calls_equal_the_model(databases: Databases, seed: int) -> None:
    shares = [None, frozenset(), frozenset("abc")][seed % 3]
    access = ["EVERYONE", "NOBODY", "LISTED"][seed % 3]
    async with (
        running_ledger(databases) as first,
        running_ledger(databases, clock=first.clock) as second,
    ):
        await first.sell_assistant()
        await first.sign_named_seats(
            shared_pool_access=f"SHARED_POOL_ACCESS_{access}", shared_pool_seat_ids=sorted(shares or ())
        )
        await first.top_up(TOP_UP)
        run = Run(seed, first, second, shares)
        for number in range(STEPS):
            try:
                await run.step()
                await run.check()
            except AssertionError as error:
                error.add_note(f"seed {seed}, step {number}")
                raise
        await first.assert_adds_up()
