# SPDX-License-Identifier: Apache-2.0
"""Several lines per call: they come to what one call after the other comes to, all of them or none."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import InvalidFields
from meshkit.quantity import Credits, Quantity, Ratio
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import Grant, ProductId
from services.ledger.domain.errors import CreditTypesDiffer, HoldHasLines, LineNotHeld
from services.ledger.domain.gate import call_lines, capturing, gate, lines
from services.ledger.domain.gate.commands import CallLine
from services.ledger.domain.gate.decision import Ask, DenialReason
from services.ledger.domain.gate.hold import NAMES_MAX, Hold, HoldId, names_of
from services.ledger.domain.gate.standing import CustomerRecord
from services.ledger.domain.rating.price import PackagePrice, Price
from services.ledger.domain.rating.tiers import GraduatedPrice, Tier
from tests.unit.ledger.builders import (
    ACME,
    ASSISTANT,
    IMAGES,
    PROPERTY,
    SEARCH,
    a_book,
    a_cap,
    a_contract,
    a_grant,
    a_product,
    a_rate,
    an_account,
    an_ask,
    units,
    when,
)

NOON = when("06-15 12:00")
LATER = NOON + timedelta(minutes=5)
HOLD = HoldId("hld_1")
PRODUCTS = (ASSISTANT, IMAGES, SEARCH)
FALLING = GraduatedPrice((Tier(units(3), Ratio(2_000_000, 1_000_000)), Tier(None, Ratio(500_000, 1_000_000))))
PRICES: tuple[Ratio | Price, ...] = (
    Ratio(1_000_000, 1_000_000),
    Ratio(7, 3),
    FALLING,
    PackagePrice(Ratio(5_000_000, 4_000_000)),
)


@st.composite
def grants(draw: st.DrawFn) -> list[Grant]:
    scopes = st.sampled_from([(), (), (ASSISTANT,), (IMAGES,), (ASSISTANT, IMAGES), (SEARCH, IMAGES)])
    return [
        a_grant(
            draw(st.integers(1, 40)),
            grant_id=f"grt_{number}",
            priority=draw(st.sampled_from([1, 100])),
            only_for=draw(scopes),
        )
        for number in range(draw(st.integers(0, 4)))
    ]


@st.composite
def asks(draw: st.DrawFn) -> list[Ask]:
    """Draw the lines of a call by ann. Some of them are on one meter."""
    found = []
    for number in range(draw(st.integers(1, 5))):
        ask = an_ask(
            Quantity(draw(st.integers(0, 9_000_000))),
            user="ann",
            product_id=draw(st.sampled_from(PRODUCTS)),
            price=draw(st.sampled_from(PRICES)),
        )
        entitlement = replace(ask.entitlement, dimension_values={"line": str(number)})
        found.append(replace(ask, entitlement=entitlement))
    return found


def held(account: Account, wanted: Sequence[Ask]) -> tuple[Account, Hold | None]:
    after, answer = lines.authorize(account, wanted, hold_id=HOLD, expire_time=LATER, at=NOON)
    return after, after.holds[HOLD] if answer.reason is None else None


@PROPERTY
@given(of_pool=grants(), wanted=asks())
def test_a_debit_of_lines_is_that_of_one_line_after_the_other_or_nothing(
    of_pool: list[Grant], wanted: list[Ask]
) -> None:
    account = an_account(*of_pool)

    after, answer = lines.debit(account, wanted, cause_id="req", at=NOON)

    each, debited = account, Credits(0)
    for ask in wanted:
        each, single = gate.debit(each, ask, cause_id="req", at=NOON)
        debited += single.debited
        if single.reason is not None:
            assert answer.reason is DenialReason.INSUFFICIENT_CREDITS
            assert after is account
            assert answer.affordable == answer.available
            return
    assert (answer.reason, answer.debited) == (None, debited)
    assert (after.grants, after.meters, after.spends) == (each.grants, each.meters, each.spends)
    assert after.entries == each.entries


@PROPERTY
@given(of_pool=grants(), wanted=asks())
def test_a_hold_of_lines_is_that_of_one_line_after_the_other_or_nothing(
    of_pool: list[Grant], wanted: list[Ask]
) -> None:
    account = an_account(*of_pool)

    after, answer = lines.authorize(account, wanted, hold_id=HOLD, expire_time=LATER, at=NOON)

    each, amount, draws = account, Credits(0), []
    for number, ask in enumerate(wanted):
        each, single = gate.authorize(
            each, ask, hold_id=HoldId(f"hld_{number}"), expire_time=LATER, allows_part=False, at=NOON
        )
        if single.reason is not None:
            assert answer.reason is DenialReason.INSUFFICIENT_CREDITS
            assert after is account
            return
        amount += single.held
        draws += each.holds[HoldId(f"hld_{number}")].draws
    assert (answer.reason, answer.held) == (None, amount)
    assert after.holds[HOLD].draws == tuple(draws)
    assert (after.grants, after.spends, after.next_due_time) == (each.grants, each.spends, each.next_due_time)
    assert answer.available == min(each.available(NOON, ask.product_id) for ask in wanted)


@PROPERTY
@given(of_pool=grants(), wanted=asks(), used=st.lists(st.integers(0, 20_000_000), min_size=5, max_size=5))
def test_captured_lines_cost_what_single_holds_cost_and_are_never_covered_worse(
    of_pool: list[Grant], wanted: list[Ask], used: list[int]
) -> None:
    account, hold = held(an_account(*of_pool), wanted)
    if hold is None:
        return
    amounts = [Quantity(one) for one in used[: len(wanted)]]

    after, answer = capturing.capture_lines(account, hold, amounts, cause_id="req", at=NOON)

    each = an_account(*of_pool)
    for number, ask in enumerate(wanted):
        each, _ = gate.authorize(
            each, ask, hold_id=HoldId(f"hld_{number}"), expire_time=LATER, allows_part=False, at=NOON
        )
    shortfall = Credits(0)
    for number, (amount, line) in enumerate(zip(amounts, answer.lines, strict=True)):
        hold_of_one = each.holds[HoldId(f"hld_{number}")]
        each, single = capturing.capture(each, hold_of_one, amount, cause_id="req", at=NOON)
        assert line.credits + line.shortfall == single.captured + single.shortfall
        shortfall += single.shortfall
    assert answer.shortfall <= shortfall
    assert after.meters == each.meters
    assert answer.captured == Credits(sum(line.credits.micros for line in answer.lines))
    for grant in after.grants.values():
        figures = (grant.captured, grant.held, grant.expired, grant.voided, grant.rest)
        assert min(figures) >= Credits(0)
        assert sum(figure.micros for figure in figures) == grant.granted.micros
        assert grant.held == Credits(0)
    assert _spent(after) == answer.captured.micros + answer.shortfall.micros


@PROPERTY
@given(
    of_pool=grants(),
    wanted=asks(),
    used=st.lists(st.integers(0, 20_000_000), min_size=5, max_size=5),
    are_dead=st.booleans(),
)
def test_no_line_has_a_shortfall_while_credits_that_it_could_draw_come_back(
    of_pool: list[Grant], wanted: list[Ask], used: list[int], are_dead: bool
) -> None:
    if are_dead:  # before the capture; the hold outlives them
        of_pool = [replace(grant, expire_time=NOON + timedelta(minutes=1)) for grant in of_pool]
    account, hold = held(an_account(*of_pool), wanted)
    if hold is None:
        return
    at = NOON
    if are_dead:
        at = NOON + timedelta(minutes=2)
        dead = [replace(grant, expired=grant.rest, is_closed=True) for grant in account.grants.values()]
        account = account.with_changes(grants=dead)
    amounts = [Quantity(one) for one in used[: len(wanted)]]

    after, answer = capturing.capture_lines(account, hold, amounts, cause_id="req", at=at)

    captured: Counter[str] = Counter()
    for entry in after.entries:
        if entry.usage is not None and entry.grant_id is not None:
            captured[entry.grant_id] -= entry.amount.micros
    back = _held_by(hold)
    back.subtract(captured)
    for line in answer.lines:
        if line.shortfall:
            assert not [
                grant_id
                for grant_id, micros in back.items()
                if micros > 0 and account.grants[grant_id].covers(line.product_id)  # type: ignore[index]
            ]
    assert answer.released.micros == sum(micros for micros in back.values() if micros > 0)


@PROPERTY
@given(of_pool=grants(), wanted=asks(), used=st.integers(0, 20_000_000), is_late=st.booleans())
def test_one_line_comes_to_the_same_in_either_form(
    of_pool: list[Grant], wanted: list[Ask], used: int, is_late: bool
) -> None:
    ask = replace(wanted[0], amount=Quantity(max(1, wanted[0].amount.micros)))
    account = an_account(*of_pool)

    one, single = gate.authorize(account, ask, hold_id=HOLD, expire_time=LATER, allows_part=False, at=NOON)
    other, answer = lines.authorize(account, [ask], hold_id=HOLD, expire_time=LATER, at=NOON)

    assert (one, answer.held, answer.available) == (other, single.held, single.available)
    assert (answer.reason, answer.affordable) == (single.reason, single.affordable)
    if single.reason is None:
        hold = one.holds[HOLD]
        plain, captured = capturing.capture(one, hold, Quantity(used), cause_id="req", at=NOON)
        by_line, of_line = capturing.capture_lines(one, hold, [Quantity(used)], cause_id="req", at=NOON)
        assert plain == by_line
        assert (captured.captured, captured.released, captured.shortfall) == (
            of_line.captured,
            of_line.released,
            of_line.shortfall,
        )


@PROPERTY
@given(of_pool=grants(), wanted=asks())
def test_lines_that_cost_at_most_what_is_affordable_are_allowed(
    of_pool: list[Grant], wanted: list[Ask]
) -> None:
    account = an_account(*of_pool, caps=(a_cap(30, user="ann"),))

    after, answer = lines.authorize(account, wanted, hold_id=HOLD, expire_time=LATER, at=NOON)

    room = min([*(account.available(NOON, ask.product_id) for ask in wanted), Credits.of(30)])
    cost = lines.judge(account, wanted, at=NOON).whole.credits
    assert answer.reason is None or cost > room
    if answer.reason is None:
        assert answer.affordable == min(
            [*(after.available(NOON, ask.product_id) for ask in wanted), Credits.of(30) - cost]
        )
    else:
        assert answer.affordable == room
        assert answer.reason is (
            DenialReason.SPEND_CAP_REACHED if cost > Credits.of(30) else DenialReason.INSUFFICIENT_CREDITS
        )


def test_a_cap_on_what_one_line_counts_limits_the_whole_call() -> None:
    account = an_account(a_grant(100), caps=(a_cap(20, user="ann"),))
    uncounted = replace(an_ask(units(9), price=PRICES[0], product_id=IMAGES), group_values={"user_id": "ann"})
    counted = an_ask(units(12), price=PRICES[0], user="ann")

    _, over = lines.authorize(account, [uncounted, counted], hold_id=HOLD, expire_time=LATER, at=NOON)
    less = replace(counted, amount=units(11))
    after, within = lines.authorize(account, [uncounted, less], hold_id=HOLD, expire_time=LATER, at=NOON)
    spent, _ = capturing.capture(after, after.holds[HOLD], None, cause_id="req", at=NOON)

    assert (over.reason, within.reason) == (DenialReason.SPEND_CAP_REACHED, None)
    assert after.spends["user_id", "ann"].held == Credits.of(20)
    assert spent.spends["user_id", "ann"].held == Credits(0)
    period = spent.spends["user_id", "ann"].period
    assert period is not None
    assert period.spent == Credits.of(11)


def test_a_call_that_costs_a_billion_credits_is_the_most() -> None:
    account = an_account()
    half = an_ask(Quantity(5 * 10**14), price=PRICES[0])
    more = replace(half, amount=Quantity(5 * 10**14 + 1))

    assert lines.judge(account, [half, half], at=NOON).whole.reason is DenialReason.INSUFFICIENT_CREDITS
    with pytest.raises(InvalidFields) as together:
        lines.judge(account, [half, more], at=NOON)
    with pytest.raises(InvalidFields) as alone:
        lines.debit(account, [half, replace(half, amount=Quantity(10**15 + 1))], cause_id="req", at=NOON)
    assert [one.field for one in together.value.violations] == ["lines"]
    assert [one.field for one in alone.value.violations] == ["lines[1].quantity_micros"]


class TestAsking:
    """What lines are asked for, and which lines of a hold a capture names."""

    RECORD = CustomerRecord(customer_id=ACME, is_suspended=False)
    PRODUCT = a_product(dimensions=["kind"])
    BOOK = a_book(
        ASSISTANT,
        a_contract(a_rate(rate_id="rat_in", kind="in"), a_rate(rate_id="rat_any"), dimensions=["kind"]),
        product=PRODUCT,
    )

    def _asks(self, *properties: dict[str, str]) -> tuple[Ask, ...]:
        wanted = [_line(one) for one in properties]
        found = call_lines.asks_of(self.RECORD, [self.BOOK] * len(wanted), wanted, {}, at=NOON)
        assert isinstance(found, tuple)
        return found

    def test_lines_differ_by_dimension_values_not_by_other_properties(self) -> None:
        assert len(self._asks({"kind": "in"}, {"kind": "out"}, {})) == 3
        with pytest.raises(InvalidFields) as refused:
            self._asks({"kind": "in"}, {"kind": "out"}, {"kind": "in", "region": "eu"})
        assert [one.field for one in refused.value.violations] == ["lines[2]"]

    def test_all_lines_are_in_one_credit_type(self) -> None:
        other = a_book(IMAGES, a_contract(a_rate(product_id=IMAGES, credit_type_id="crt_other")))  # type: ignore[arg-type]
        wanted = [_line({"kind": "in"}), replace(_line({}), product_id=IMAGES)]

        with pytest.raises(CreditTypesDiffer):
            call_lines.asks_of(self.RECORD, [self.BOOK, other], wanted, {}, at=NOON)

    def test_a_capture_names_lines_in_any_order(self) -> None:
        _, hold = held(an_account(a_grant(1_000)), self._asks({"kind": "in"}, {"kind": "out"}, {}))
        assert hold is not None
        named = [replace(_line({"region": "eu"}), quantity=units(2)), _line({"kind": "in"})]

        assert call_lines.used_of(hold, named, {ASSISTANT: self.PRODUCT}) == [units(1), units(0), units(2)]
        with pytest.raises(LineNotHeld):
            call_lines.used_of(hold, [_line({"kind": "odd"})], {ASSISTANT: self.PRODUCT})
        with pytest.raises(InvalidFields):
            call_lines.used_of(hold, [_line({}), _line({"region": "eu"})], {ASSISTANT: self.PRODUCT})
        with pytest.raises(HoldHasLines):
            capturing.used_of(hold, units(1))

    def test_the_names_of_long_lines_are_cut(self) -> None:
        _, hold = held(an_account(a_grant(1_000)), self._asks(*({"kind": f"{n}" * 200} for n in range(9))))
        assert hold is not None

        assert len(names_of(hold)) == NAMES_MAX + 1


def _line(properties: dict[str, str]) -> CallLine:
    return CallLine(product_id=ProductId(ASSISTANT), quantity=units(1), properties=properties)


def _held_by(hold: Hold) -> Counter[str | None]:
    found: Counter[str | None] = Counter()
    for draw in hold.draws:
        found[draw.grant_id] += draw.amount.micros
    return found


def _spent(account: Account) -> int:
    period = account.spends["user_id", "ann"].period
    return 0 if period is None else period.spent.micros
