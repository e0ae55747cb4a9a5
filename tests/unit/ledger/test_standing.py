# SPDX-License-Identifier: Apache-2.0
"""Which contract and rate entitle at an instant, on which meter, and what is decided before caps and credits."""

from collections.abc import Mapping
from datetime import datetime

import pytest

from meshkit.quantity import Credits, Ratio
from services.ledger.domain.errors import RateNotFound
from services.ledger.domain.gate.decision import Ask, DenialReason, Entitlement
from services.ledger.domain.gate.standing import CustomerRecord, PriceBook, PricedContract, ask_of
from services.ledger.domain.rating.price import FlatPrice
from services.ledger.domain.usage.meter import MeterKey
from tests.unit.ledger.builders import (
    ACME,
    ASSISTANT,
    AUGUST,
    JULY,
    JUNE,
    PRICE,
    TICK,
    a_book,
    a_contract,
    a_product,
    a_rate,
    when,
)

CHEAP = Ratio(1, 1)


def entitled(book: PriceBook, at: datetime, **properties: str) -> Entitlement:
    """Return the entitlement that there must be."""
    found = book.entitlement_at(at, properties)
    assert found is not None
    return found


def asked(
    book: PriceBook, *, is_suspended: bool = False, group_values: Mapping[str, str] | None = None
) -> Ask | DenialReason:
    record = CustomerRecord(customer_id=ACME, is_suspended=is_suspended)
    return ask_of(record, book, Credits.of(1), group_values or {}, {}, at=JUNE)


# Each row: the one contract there is, an instant, and whether it entitles then.
@pytest.mark.parametrize(
    ("contract", "at", "entitles"),
    [
        (a_contract(), JUNE - TICK, False),
        (a_contract(), JUNE, True),
        (a_contract(end=JULY), JULY - TICK, True),
        (a_contract(end=JULY), JULY, False),
        (a_contract(a_rate(start=when("06-10"))), when("06-10") - TICK, False),
        (a_contract(a_rate(start=when("06-10"))), when("06-10"), True),
        (a_contract(a_rate(end=JULY)), JULY - TICK, True),
        (a_contract(a_rate(end=JULY)), JULY, False),
    ],
)
def test_a_product_is_entitled_while_its_contract_and_its_rate_are_in_force(
    contract: PricedContract, at: datetime, entitles: bool
) -> None:
    book = a_book(ASSISTANT, contract)

    assert (book.entitlement_at(at, {}) is not None) is entitles
    assert book.entitles_at(at) is entitles


def test_the_answer_does_not_depend_on_what_was_asked_before() -> None:
    contract = a_contract(a_rate(start=when("06-10"), end=JULY))
    instants = [when("06-10") - TICK, when("06-10"), JULY - TICK, JULY]
    alone = [a_book(ASSISTANT, contract).entitlement_at(at, {}) for at in instants]

    book = a_book(ASSISTANT, contract)

    assert [book.entitlement_at(at, {}) for at in instants] == alone
    assert [book.entitlement_at(at, {}) for at in reversed(instants)] == alone[::-1]


def test_of_several_contracts_the_one_that_began_first_entitles_as_long_as_it_is_in_force() -> None:
    first = a_contract(a_rate(rate_id="rat_1"), contract_id="con_1", end=JULY)
    second = a_contract(a_rate(CHEAP, rate_id="rat_2"), contract_id="con_2", start=when("06-10"))
    book = a_book(ASSISTANT, second, first)

    in_june, in_july = entitled(book, when("06-20")), entitled(book, JULY)

    assert (in_june.contract_id, in_june.price.pricing.price) == ("con_1", FlatPrice(PRICE))
    assert (in_july.contract_id, in_july.price.pricing.price) == ("con_2", FlatPrice(CHEAP))


def test_usage_periods_are_the_customers_whichever_contract_entitles() -> None:
    second = a_contract(contract_id="con_2", start=when("06-10"))
    book = a_book(ASSISTANT, second, anchor=when("05-20"))

    before, after = entitled(book, when("06-20") - TICK), entitled(book, when("06-20"))

    assert before.price.meter_key == MeterKey("rat_1", when("05-20"))
    assert after.price.meter_key == MeterKey("rat_1", when("06-20"))


def test_the_rate_in_force_prices_from_its_very_first_instant() -> None:
    dearer = a_rate(Ratio(20, 1), rate_id="rat_2", start=JULY, end=AUGUST)
    book = a_book(ASSISTANT, a_contract(a_rate(end=JULY), dearer))

    before, after = entitled(book, JULY - TICK), entitled(book, JULY)

    assert (before.price.rate_id, after.price.rate_id) == ("rat_1", "rat_2")


def test_a_dimension_value_without_a_rate_is_never_free() -> None:
    product = a_product(dimensions=["model"])
    contract = a_contract(a_rate(model="small"), dimensions=["model"])
    book = a_book(ASSISTANT, contract, product=product)

    assert entitled(book, JUNE, model="small").dimension_values == {"model": "small"}
    for properties in ({"model": "large"}, {}):
        with pytest.raises(RateNotFound):
            book.entitlement_at(JUNE, properties)
    assert book.entitlement_at(JUNE - TICK, {"model": "large"}) is None


def test_a_suspension_is_the_first_reason() -> None:
    nothing = a_book(ASSISTANT, a_contract(start=JULY))

    assert asked(a_book(), is_suspended=True) is DenialReason.CUSTOMER_SUSPENDED
    assert asked(nothing, is_suspended=True) is DenialReason.CUSTOMER_SUSPENDED
    assert asked(nothing) is DenialReason.NOT_ENTITLED
    assert isinstance(asked(a_book()), Ask)


def test_reasons_are_listed_in_the_order_of_the_checks() -> None:
    assert list(DenialReason) == [
        DenialReason.CUSTOMER_SUSPENDED,
        DenialReason.NOT_ENTITLED,
        DenialReason.SEAT_NOT_ASSIGNED,
        DenialReason.TOO_MANY_IN_FLIGHT,
        DenialReason.SPEND_CAP_REACHED,
        DenialReason.INSUFFICIENT_CREDITS,
    ]


def test_only_properties_by_which_the_metric_groups_are_counted() -> None:
    book = a_book(product=a_product(group_keys=["team"]))

    ask = asked(book, group_values={"user_id": "ann", "team": "red"})

    assert isinstance(ask, Ask)
    assert ask.counted_group_values == {"team": "red"}
    assert ask.group_values == {"user_id": "ann", "team": "red"}
