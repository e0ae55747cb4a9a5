# SPDX-License-Identifier: Apache-2.0
"""Usage, corrections, corrected prices, months and steps of jobs in random order: every figure adds up after each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

import pytest
from grpc.aio import AioRpcError

from meshkit.rpc.fields import timestamp
from purser.ledger.v1 import ledger_peer_pb2 as peer_pb
from purser.ledger.v1 import usage_pb2 as usage
from services.ledger.operations.usage.rerating import Rerating
from tests.support.ledger import CREDIT, JUNE, RunningLedger
from tests.support.ledger_sql import Sql
from tests.support.postgres import Databases
from tests.support.reported import an_event, report
from tests.support.rerating import amend, finish, flat, graduated, price, rerate, void, worker

ACTIONS = 70
A_YEAR_LATER = JUNE + timedelta(days=400)
PRICES = [
    flat(2),
    flat("0.333333"),
    flat(5),
    flat(0),
    graduated((10, "1"), (30, "0.5"), (0, "0.25")),
    graduated((10, "1"), (0, "5")),
    {"price_micros": 5 * CREDIT, "per_micros": 10 * CREDIT, "rate_type": peer_pb.RATE_TYPE_PACKAGE},
]
# What may be answered in between; nothing has been done then.
REFUSALS = ("rerate job", "is voided", "is more than 34 days ago")


@dataclass(slots=True)
class Story:
    """Acme's usage of one product. events: stored and not voided. prices: of the rate and its corrections."""

    ledger: RunningLedger
    rerating: Rerating
    dice: Random
    prices: list[dict[str, object]]
    events: list[str] = field(default_factory=list)
    refusals: int = 0

    async def act(self) -> None:
        """Do something."""
        actions: list[tuple[Callable[[], Awaitable[object]], int]] = [
            (self.report, 8),
            (self.capture, 3),
            (self.void, 2),
            (self.amend, 3),
            (self.correct_price, 2),
            (self.rerate, 2),
            (self.pass_time, 1),
            (self.rerating.step, 7),
        ]
        (action,) = self.dice.choices([one for one, _ in actions], [weight for _, weight in actions])
        try:
            await action()
        except AioRpcError as error:
            if not any(text in str(error.details()) for text in REFUSALS):
                raise
            self.refusals += 1

    async def report(self) -> None:
        name = f"e{len(self.events)}-{self.dice.random()}"
        late = timedelta(hours=self.dice.choice([0, 0, 5, 300]))
        at = max(JUNE, self.ledger.clock.now() - late)
        (result,) = await report(
            self.ledger, an_event(name, self.units(), at=at, user=self.dice.choice("abc"))
        )
        if result.event_status == usage.EVENT_STATUS_ACCEPTED:
            self.events.append(name)

    async def capture(self) -> None:
        quantity = int(self.units()) * CREDIT + CREDIT
        hold = await self.ledger.authorize(0, quantity_micros=quantity, user="b")
        if hold.hold_id:
            await self.ledger.capture(hold.hold_id, quantity_micros=int(self.units()) * CREDIT)
        await self.ledger.debit(0, quantity_micros=quantity, user="a")

    async def void(self) -> None:
        if self.events:
            name = self.dice.choice(self.events)
            await void(self.ledger, name)
            self.events.remove(name)

    async def amend(self) -> None:
        if self.events:
            await amend(self.ledger, self.dice.choice(self.events), self.units(), self.dice.choice("abd"))

    async def correct_price(self) -> None:
        self.prices.append(self.dice.choice(PRICES))
        await price(self.ledger, *self.prices, version=len(self.prices) + 1)

    async def rerate(self) -> None:
        await rerate(self.ledger, end_time=timestamp(A_YEAR_LATER))

    async def pass_time(self) -> None:
        hours = self.dice.choice([1, 40, 400])
        self.ledger.clock.advance_to(self.ledger.clock.now() + timedelta(hours=hours))

    def units(self) -> str:
        return str(self.dice.randint(0, 12))


@pytest.mark.parametrize(
    ("seed", "aggregation"),
    [
        (1, peer_pb.AGGREGATION_SUM),
        (2, peer_pb.AGGREGATION_SUM),
        (3, peer_pb.AGGREGATION_MAX),
        (4, peer_pb.AGGREGATION_UNIQUE),
    ],
)
async def test_all_figures_add_up_after_each_action_and_all_meters_have_the_last_price(
    ledger: RunningLedger, databases: Databases, sql: Sql, seed: int, aggregation: peer_pb.Aggregation
) -> None:
    dice = Random(seed)
    await ledger.tell_product(
        "prd_assistant", version=2, aggregation=aggregation, sum_property="", aggregated_property="units"
    )
    await ledger.top_up(dice.randint(1, 200))
    first = dice.choice(PRICES)
    await price(ledger, first, version=2)

    async with worker(ledger, databases, entries_max=dice.randint(1, 6)) as rerating:
        story = Story(ledger, rerating, dice, [first])
        for _ in range(ACTIONS):
            await story.act()
            await ledger.assert_adds_up()
        await story.correct_price()
        await story.rerate()
        await finish(rerating)
        await ledger.assert_adds_up()

        rates = {
            (row["rate_id"], row["unrated_micros"]) for row in await sql.rows("SELECT * FROM ledger.meters")
        }
        assert rates == {(f"rat_{len(story.prices) - 1}", 0)}
        for name in story.events:
            await void(ledger, name)
        await ledger.assert_adds_up()
    assert story.refusals < ACTIONS // 2
