# SPDX-License-Identifier: Apache-2.0
"""Random months in the life of a pool, the same for the same seed.

Two books live the same life. One is looked at only when somebody asks, as the store does; the other is looked
at all the time. They must give the same answers and hold the same, and both must add up after every step.
A seed that fails becomes a test with a name of its own.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest

from meshkit.errors import MeshError
from meshkit.quantity import Credits
from services.ledger.domain.credits.schedule import GrantFrequency, PeriodProration
from services.ledger.domain.gate.decision import Amount, Ask
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.windows import CapWindow
from tests.unit.ledger.books import Books
from tests.unit.ledger.builders import (
    ASSISTANT,
    IMAGES,
    JUNE,
    SEARCH,
    TICK,
    a_balance_watch,
    a_cap,
    a_grant,
    a_schedule,
    a_seat_change,
    a_spend_watch,
    an_ask,
    some_seats,
    units,
)

STEPS = 60
Command = Callable[[Books], object]


class Life:
    """Draws one command after the other; `now` only goes forward."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = JUNE
        self.seats = 3
        self.changes = 0
        self.grants = 0
        self.holds = 0

    def first(self) -> list[Command]:
        """Return what is told on the first day: schedules, caps and watches."""
        random = self.random
        schedules = [
            a_schedule(
                Credits(random.randrange(1, 2 * 10**8)),
                schedule_id=f"sch_{number}",
                per_seat=random.random() < 0.7,
                frequency=random.choice(
                    [GrantFrequency.MONTHLY, GrantFrequency.MONTHLY, GrantFrequency.ANNUAL]
                ),
                start=JUNE + timedelta(hours=random.choice([0, 0, 300, 900])),
                end=random.choice([None, None, JUNE + timedelta(days=70, hours=5)]),
                period_proration=random.choice(list(PeriodProration)),
                prorates_increases=random.random() < 0.7,
                commit_duration=random.choice([1, 1, 2]),
                only_for=random.choice([[], [], [ASSISTANT]]),
            )
            for number in range(random.randrange(3))
        ]
        seats = some_seats(self.seats)
        told: list[Command] = [
            lambda books, one=one: books.tell_schedule(  # type: ignore[misc]
                one, seats if one.subscription_id else None, at=JUNE
            )
            for one in schedules
        ]
        window = random.choice(list(CapWindow))
        hours = random.randrange(1, 169) if window is CapWindow.ROLLING else 0
        caps = [a_cap(random.randrange(50, 400), window=window, hours=hours)]
        caps += [a_cap(random.randrange(500), user="ann", spend_cap_id="cap_ann")]
        watches = [
            a_balance_watch(random.randrange(300)),
            a_balance_watch(random.randrange(1_000), alert_id="alr_lower", everybody=True),
            a_spend_watch(random.randrange(1, 200)),
        ]
        told += [lambda books, cap=cap: books.set_cap(cap) for cap in caps if random.random() < 0.5]  # type: ignore[misc]
        told += [lambda books, one=one: books.tell_watch(one, at=JUNE) for one in watches]  # type: ignore[misc]
        return told

    def pass_time(self) -> list[datetime]:
        """Let time pass; returns the instants at which somebody might have looked in between."""
        before = self.now
        self.now += self.random.choice(
            [
                timedelta(0),
                TICK,
                timedelta(seconds=self.random.randrange(1, 400)),
                timedelta(minutes=5),
                timedelta(hours=self.random.randrange(1, 48)),
                timedelta(days=self.random.randrange(1, 20)),
            ]
        )
        if self.random.random() < 0.1:  # midnight of a first, to the microsecond
            self.now = (self.now.replace(day=1) + timedelta(days=32)).replace(
                day=1, hour=0, minute=0, second=0, microsecond=0
            )
        span = (self.now - before) // TICK
        return sorted(before + self.random.randrange(span + 1) * TICK for _ in range(3))

    def command(self) -> Command:
        draw = self.random.choice(
            [
                self._authorize,
                self._authorize,
                self._authorize,
                self._capture,
                self._capture,
                self._release,
                self._extend,
                self._debit,
                self._debit,
                self._authorize_lines,
                self._authorize_lines,
                self._capture_lines,
                self._capture_lines,
                self._debit_lines,
                self._issue,
                self._void,
                self._change_seats,
            ]
        )
        return draw()

    def issue_or_void(self) -> Command:
        return self.random.choice([self._issue, self._void])()

    def _ask(self) -> Ask:
        random = self.random
        amount: Amount = Credits(random.randrange(1, 10**8))
        if random.random() < 0.3:
            amount = units(random.randrange(1, 12))
        return an_ask(
            amount,
            user=random.choice(["ann", "bob", "cleo", None]),
            product_id=random.choice([ASSISTANT, ASSISTANT, IMAGES]),
        )

    def _asks(self) -> list[Ask]:
        """Several lines of one call, in units; some products do not count whose they are."""
        random = self.random
        user = random.choice(["ann", "bob", "cleo", None])
        asks = [
            an_ask(
                units(random.randrange(6)),
                user=user,
                product_id=random.choice([ASSISTANT, IMAGES, SEARCH]),
            )
            for _ in range(random.randrange(1, 5))
        ]
        return [replace(ask, counted_group_values={}) if random.random() < 0.2 else ask for ask in asks]

    def _authorize_lines(self) -> Command:
        asks, now = self._asks(), self.now
        ttl = timedelta(seconds=self.random.choice([1, 300, 86_400]))
        self.holds += 1
        return lambda books: books.authorize_lines(asks, at=now, ttl=ttl)

    def _capture_lines(self) -> Command:
        if not self.holds:
            return self._authorize_lines()
        hold_id, now = self._hold_id(), self.now
        used = [units(self.random.randrange(9)) for _ in range(3)]
        return lambda books: books.capture_lines(hold_id, used, at=now)

    def _debit_lines(self) -> Command:
        asks, now = self._asks(), self.now
        return lambda books: books.debit_lines(asks, at=now)

    def _hold_id(self) -> HoldId:
        return HoldId(f"hld_{self.random.randrange(max(1, self.holds - 4), self.holds + 1)}")

    def _authorize(self) -> Command:
        ask, now = self._ask(), self.now
        ttl = timedelta(seconds=self.random.choice([1, 300, 300, 86_400]))
        allows_part = self.random.random() < 0.3
        self.holds += 1
        return lambda books: books.authorize(ask, at=now, ttl=ttl, allows_part=allows_part)

    def _capture(self) -> Command:
        if not self.holds:
            return self._authorize()
        hold_id, now = self._hold_id(), self.now
        actual = self.random.choice([None, Credits(self.random.randrange(2 * 10**8)), units(2), Credits(0)])
        return lambda books: books.capture(hold_id, actual, at=now)

    def _release(self) -> Command:
        if not self.holds:
            return self._authorize()
        hold_id, now = self._hold_id(), self.now
        return lambda books: books.release(hold_id, at=now)

    def _extend(self) -> Command:
        if not self.holds:
            return self._authorize()
        hold_id, now = self._hold_id(), self.now
        more = self.random.choice([None, Credits(self.random.randrange(1, 10**8))])
        expire_time = self.random.choice([None, now + timedelta(minutes=self.random.randrange(1, 60))])

        def extended(books: Books) -> object:
            hold = books.hold(hold_id)
            ask = None
            if more is not None:
                ask = replace(
                    an_ask(more, product_id=hold.product_id),
                    group_values=hold.group_values,
                    counted_group_values=hold.counted_group_values,
                )
            return books.extend(hold_id, ask, expire_time=expire_time, at=now)

        return extended

    def _debit(self) -> Command:
        ask, now = self._ask(), self.now
        return lambda books: books.debit(ask, at=now)

    def _issue(self) -> Command:
        random, now = self.random, self.now
        self.grants += 1
        start = now + timedelta(hours=random.choice([0, 0, 0, 30]))
        grant = a_grant(
            random.randrange(1, 400),
            grant_id=f"grt_{self.grants}",
            priority=random.choice([1, 100, 100]),
            start=start,
            end=random.choice([None, start + timedelta(minutes=3), start + timedelta(days=40)]),
            create_time=now,
            paid=random.choice([0, 80]),
            only_for=random.choice([[], [], [IMAGES]]),
        )
        return lambda books: books.issue(grant, at=now)

    def _void(self) -> Command:
        number, now = self.random.randrange(1_000), self.now
        return lambda books: books.void_any(number, at=now)

    def _change_seats(self) -> Command:
        now = self.now
        level = self.random.randrange(6)
        effective_time = now + timedelta(days=self.random.choice([0, 0, 0, 9, -9]))
        self.changes += 1
        # Dated back or ahead, a seat may be counted with others to come; it must not sink what is there below none.
        delta = level - self.seats if effective_time == now else self.random.randrange(1, 3)
        self.seats += delta
        change = a_seat_change(delta, effective_time, sequence=self.changes)
        return lambda books: books.tell_seats(change, at=now) if delta else None


def carried_out(books: Books, command: Command) -> object:
    """Return an answer, or the reason of a fault; a hold that was denied is not there to be asked about."""
    try:
        return command(books)
    except MeshError as fault:
        return fault.reason
    except KeyError:
        return "HOLD_NOT_FOUND"


@pytest.mark.parametrize("seed", range(25))
def test_a_pool_looked_at_seldom_or_always_lives_the_same_life_and_adds_up(seed: int) -> None:
    print(f"seed {seed}")  # noqa: T201
    life = Life(seed)
    seldom, always = Books(), Books()
    for told in life.first():
        told(seldom)
        told(always)

    for _ in range(STEPS):
        for instant in life.pass_time():
            always.settle(instant, settles=True)
        always.settle(life.now, settles=True)
        command = life.command()
        assert carried_out(seldom, command) == carried_out(always, command)
        seldom.check()
        always.check()

    end = life.now + timedelta(days=400)
    seldom.settle(end)
    for days in range(1, 401):
        always.settle(life.now + timedelta(days=days))
    seldom.check()
    assert written(seldom) == written(always)
    assert seldom.crossings == always.crossings
    assert seldom.stored.grants == always.stored.grants
    assert seldom.stored.holds == always.stored.holds
    assert seldom.stored.next_due_time == always.stored.next_due_time
    assert seldom.schedules == always.schedules


@pytest.mark.parametrize("seed", range(25))
def test_issuing_and_voiding_write_the_same_whether_or_not_they_read_the_other_grants(seed: int) -> None:
    print(f"seed {seed}")  # noqa: T201
    life = Life(seed)
    partial, whole = Books(), Books(reads_all=True)
    for told in life.first():
        told(partial)
        told(whole)

    for _ in range(STEPS):
        life.pass_time()
        command = life.command() if life.random.random() < 0.5 else life.issue_or_void()
        assert carried_out(partial, command) == carried_out(whole, command)
        partial.check()

        assert partial.entries == whole.entries
        assert partial.crossings == whole.crossings
        assert partial.stored.grants == whole.stored.grants
        assert partial.stored.watch_states == whole.stored.watch_states


def written(books: Books) -> list[object]:
    """Return the entries, but for when they were written."""
    return [replace(entry, create_time=JUNE) for entry in books.entries]
