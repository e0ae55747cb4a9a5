# SPDX-License-Identifier: Apache-2.0
"""Overage on an account: the room for it, and what holds, captures and debits make of it.

Rule: services/ledger/README.md, "Overage".
"""

from datetime import timedelta

import pytest

from meshkit.evolve import evolve
from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import EntryKind
from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.gate import capturing, gate
from services.ledger.domain.gate.decision import CREDITS_MAX, DenialReason
from services.ledger.domain.gate.hold import Hold, HoldId
from services.ledger.domain.gate.overage import (
    WITHOUT_CAP,
    captured_more,
    held_in,
    held_more,
    overage_now,
    room,
    totals_for,
)
from services.ledger.domain.gate.spend_cap import Spend
from tests.unit.ledger.builders import AUGUST, JULY, JUNE, TICK, a_grant, an_account, an_ask, when

CONTRACT = "con_1"
MAY = when("05-01")
NOON = when("06-15 12:00")


def an_overage(cap: int | None, *grants: Grant) -> Account:
    """Return an account whose contract allows overage up to whole credits, read for May to September."""
    instants = (MAY, JUNE, JULY, AUGUST)
    totals = totals_for([CONTRACT], JUNE, instants)
    return evolve(
        an_account(*grants, spends={total: Spend() for total in totals}),
        usage_anchor=JUNE,
        overage_caps={CONTRACT: None if cap is None else Credits.of(cap)},
    )


def capturing_so_far(account: Account, credits: int, *, used: object) -> Account:
    more = captured_more(account, CONTRACT, Credits.of(credits), used_time=used)  # type: ignore[arg-type]
    return account.with_changes(spends=more)


def holding(account: Account, credits: int) -> Account:
    return account.with_changes(spends=held_more(account, CONTRACT, Credits.of(credits)))


def held(account: Account, credits: int) -> tuple[Account, Hold]:
    account, answer = gate.authorize(
        account,
        an_ask(credits),
        hold_id=HoldId("hld_1"),
        expire_time=NOON + timedelta(hours=1),
        allows_part=False,
        at=NOON,
    )
    assert answer.reason is None
    return account, account.holds[HoldId("hld_1")]


def test_there_is_no_room_without_a_policy_or_under_another_contract() -> None:
    assert room(an_account(), CONTRACT, at=NOON) == Credits(0)
    assert room(an_overage(50), "con_2", at=NOON) == Credits(0)
    assert room(an_overage(50), None, at=NOON) == Credits(0)


def test_the_room_is_the_cap_less_what_is_held_and_captured() -> None:
    account = capturing_so_far(holding(an_overage(50), 12), 30, used=NOON)

    assert room(account, CONTRACT, at=NOON) == Credits.of(8)
    assert room(capturing_so_far(account, 8, used=NOON), CONTRACT, at=NOON) == Credits(0)
    assert room(capturing_so_far(account, 30, used=NOON), CONTRACT, at=NOON) == Credits(0)


def test_without_a_cap_there_is_room_for_a_billion_credits() -> None:
    assert room(an_overage(None), CONTRACT, at=NOON) == WITHOUT_CAP == CREDITS_MAX


@pytest.mark.parametrize(
    ("at", "left"),
    [(JULY - TICK, 20), (JULY, 50)],
    ids=["the last instant of the usage period", "the first of the next one"],
)
def test_each_usage_period_has_its_own_room(at: object, left: int) -> None:
    account = capturing_so_far(an_overage(50), 30, used=NOON)

    assert room(account, CONTRACT, at=at) == Credits.of(left)  # type: ignore[arg-type]


def test_late_usage_has_the_room_of_its_own_period_which_no_hold_takes() -> None:
    account = holding(capturing_so_far(an_overage(50), 30, used=NOON), 50)

    assert room(account, CONTRACT, at=JULY, used_time=NOON) == Credits.of(20)
    assert room(account, CONTRACT, at=JULY, used_time=JULY) == Credits(0)


def test_what_is_dated_ahead_leaves_less_room_for_holds_which_may_be_captured_then() -> None:
    account = capturing_so_far(an_overage(50), 35, used=JULY)

    assert room(account, CONTRACT, at=JULY - TICK) == Credits.of(15)


def test_totals_of_periods_that_were_not_read_are_an_error_and_not_zero() -> None:
    with pytest.raises(KeyError):
        room(an_overage(50), CONTRACT, at=when("12-01"))


def test_a_verdict_says_how_much_of_the_ask_is_overage() -> None:
    account = an_overage(50, a_grant(100))

    within = gate.judge(account, an_ask(150), Credits.of(150), at=NOON)
    beyond = gate.judge(account, an_ask(150), Credits(150_000_001), at=NOON)

    assert (within.reason, within.overage, within.affordable) == (None, Credits.of(50), Credits.of(150))
    assert (beyond.reason, beyond.available) == (DenialReason.INSUFFICIENT_CREDITS, Credits.of(100))


def test_a_debit_writes_overage_behind_the_captures() -> None:
    account, answer = gate.debit(an_overage(50, a_grant(100)), an_ask(120), cause_id="req-1", at=NOON)

    assert (answer.debited, answer.overage) == (Credits.of(120), Credits.of(20))
    assert [(one.kind, one.amount, one.shortfall) for one in account.entries] == [
        (EntryKind.CAPTURE, -Credits.of(100), Credits(0)),
        (EntryKind.OVERAGE, Credits(0), Credits.of(20)),
    ]
    assert account.shortfall == Credits.of(20)


def test_a_hold_reserves_and_a_release_returns_overage() -> None:
    account, hold = held(an_overage(50, a_grant(100)), 130)

    released, answer = gate.release(account, hold, at=NOON)

    assert (hold.amount, hold.drawn, hold.overage) == tuple(map(Credits.of, (130, 100, 30)))
    assert account.spends[held_in(CONTRACT)].held == Credits.of(30)
    assert answer.released == Credits.of(130)
    assert released.spends[held_in(CONTRACT)].held == Credits(0)


@pytest.mark.parametrize(
    ("used", "captured", "overage", "released", "shortfall"),
    [
        (0, 0, 0, 130, 0),
        (99, 99, 0, 31, 0),
        (100, 100, 0, 30, 0),
        (101, 101, 1, 29, 0),
        (130, 130, 30, 0, 0),
        (150, 150, 50, 0, 0),
        (151, 150, 50, 0, 1),
    ],
)
def test_a_capture_takes_credits_first_then_overage_then_a_shortfall(
    used: int, captured: int, overage: int, released: int, shortfall: int
) -> None:
    account, hold = held(an_overage(50, a_grant(100)), 130)

    account, answer = capturing.capture(account, hold, Credits.of(used), cause_id="req-1", at=NOON)

    assert (answer.captured, answer.overage) == (Credits.of(captured), Credits.of(overage))
    assert (answer.released, answer.shortfall) == (Credits.of(released), Credits.of(shortfall))
    (now,) = overage_now(account, NOON)
    assert (now.captured, now.held) == (Credits.of(overage), Credits(0))


def test_what_a_hold_reserves_is_overage_although_the_cap_was_lowered() -> None:
    account, hold = held(an_overage(50, a_grant(100)), 130)
    lowered = evolve(account, overage_caps={CONTRACT: Credits.of(10)})

    _, answer = capturing.capture(lowered, hold, Credits.of(140), cause_id="req-1", at=NOON)

    assert (answer.overage, answer.shortfall) == (Credits.of(30), Credits.of(10))
