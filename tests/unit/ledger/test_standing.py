# SPDX-License-Identifier: Apache-2.0
"""Which contract and rate entitle at an instant, and what is said before caps and credits are looked at."""

from datetime import datetime

import pytest

from meshkit.quantity import Credits, Ratio
from services.ledger.domain.gate.decision import Ask, DenialReason, Entitlement
from services.ledger.domain.gate.standing import PriceLine, Standing, ask_of, entitlement_at
from tests.unit.ledger.builders import AI, AUGUST, JULY, JUNE, PRICE, TICK, a_standing, an_entitlement, when


def a_line(
    contract_id: str = "con_1",
    *,
    start: datetime = JUNE,
    end: datetime | None = None,
    rate_start: datetime = JUNE,
    rate_end: datetime | None = None,
    price: Ratio = PRICE,
) -> PriceLine:
    return PriceLine(
        entitlement=Entitlement(contract_id=contract_id, anchor=start, credit_type_id=AI, price=price),
        start_time=start,
        end_time=end,
        effective_time=rate_start,
        rate_end_time=rate_end,
    )


# Each row: the one line there is, an instant, and whether it entitles then.
@pytest.mark.parametrize(
    ("line", "at", "entitles"),
    [
        (a_line(), JUNE - TICK, False),
        (a_line(), JUNE, True),
        (a_line(end=JULY), JULY - TICK, True),
        (a_line(end=JULY), JULY, False),
        (a_line(rate_start=when("06-10")), when("06-10") - TICK, False),
        (a_line(rate_start=when("06-10")), when("06-10"), True),
        (a_line(rate_end=JULY), JULY - TICK, True),
        (a_line(rate_end=JULY), JULY, False),
    ],
)
def test_a_product_is_entitled_while_its_contract_and_its_rate_are_in_force(
    line: PriceLine, at: datetime, entitles: bool
) -> None:
    assert (entitlement_at([line], at) is not None) is entitles


def test_of_several_contracts_the_one_that_began_first_entitles_as_long_as_it_is_in_force() -> None:
    lines = [a_line("con_1", end=JULY), a_line("con_2", start=when("06-10"), price=Ratio(1, 1))]

    in_june, in_july = entitlement_at(lines, when("06-20")), entitlement_at(lines, JULY)

    assert in_june is not None
    assert in_july is not None
    assert (in_june.contract_id, in_june.anchor, in_june.price) == ("con_1", JUNE, PRICE)
    assert (in_july.contract_id, in_july.anchor, in_july.price) == ("con_2", when("06-10"), Ratio(1, 1))


def test_the_rate_in_force_prices_from_its_very_first_instant() -> None:
    lines = [a_line(rate_end=JULY), a_line(rate_start=JULY, rate_end=AUGUST, price=Ratio(20, 1))]

    before, after = entitlement_at(lines, JULY - TICK), entitlement_at(lines, JULY)

    assert before is not None
    assert after is not None
    assert (before.price, after.price) == (PRICE, Ratio(20, 1))


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (a_standing(is_suspended=True, entitlement=None), DenialReason.CUSTOMER_SUSPENDED),
        (a_standing(is_suspended=True, entitlement=an_entitlement()), DenialReason.CUSTOMER_SUSPENDED),
        (a_standing(entitlement=None), DenialReason.NOT_ENTITLED),
    ],
    ids=["suspended and not entitled", "suspended", "not entitled"],
)
def test_who_may_ask_is_settled_before_caps_and_credits(standing: Standing, reason: DenialReason) -> None:
    assert ask_of(standing, Credits.of(1), {}) is reason


def test_reasons_are_listed_in_the_order_of_the_checks() -> None:
    assert list(DenialReason) == [
        DenialReason.CUSTOMER_SUSPENDED,
        DenialReason.NOT_ENTITLED,
        DenialReason.SPEND_CAP_REACHED,
        DenialReason.INSUFFICIENT_CREDITS,
    ]


def test_only_properties_that_the_metric_tells_apart_are_counted() -> None:
    standing = a_standing(entitlement=an_entitlement(), group_keys=["team"])

    ask = ask_of(standing, Credits.of(1), {"user_id": "ann", "team": "red"})

    assert isinstance(ask, Ask)
    assert ask.counted_group_values == {"team": "red"}
    assert ask.group_values == {"user_id": "ann", "team": "red"}
