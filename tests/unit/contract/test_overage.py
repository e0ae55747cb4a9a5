# SPDX-License-Identifier: Apache-2.0
"""What a cap in money buys. Rule: services/contract/README.md, "Overage"."""

import pytest

from meshkit.quantity import INT64_MAX, Credits, Money
from services.contract.domain.errors.catalog import ConversionMissing, CurrencyDiffers
from services.contract.domain.ids import CreditTypeId, RateCardId
from services.contract.domain.overage import CardMoney, OverageTerms, limits_at

AI = CreditTypeId("crt_ai")
CARD = RateCardId("rcd_1")
DOLLARS = 1_000_000


def cap_at(
    per_credit_micros: int, *, cap: int | None = None, dollars_micros: int | None = None
) -> Credits | None:
    """Return the cap in credits of overage at a price."""
    terms = OverageTerms(
        credit_type_id=AI,
        cap=None if cap is None else Credits(cap),
        fiat_cap=None if dollars_micros is None else Money("USD", dollars_micros),
    )
    money = CardMoney(currency_code="USD", per_credit_micros={AI: per_credit_micros})
    return limits_at([terms], money, CARD)[0].credits_cap


@pytest.mark.parametrize(
    ("dollars_micros", "credits"),
    [
        (20 * DOLLARS, "66.666666"),
        (30 * DOLLARS - 1, "99.999996"),
        (30 * DOLLARS, "100"),
        (0, "0"),
    ],
)
def test_a_cap_in_money_buys_whole_micros_at_thirty_cents_a_credit(dollars_micros: int, credits: str) -> None:
    assert cap_at(300_000, dollars_micros=dollars_micros) == Credits.of(credits)


def test_what_a_cap_in_money_allows_never_costs_more_than_it() -> None:
    for price in (1, 7, 299_999, 300_000, 333_333, 1_000_003):
        for micros in (1, 999_999, 20 * DOLLARS, 20 * DOLLARS + 1):
            cap = cap_at(price, dollars_micros=micros)

            assert cap is not None
            assert cap.micros * price <= micros * 1_000_000 < (cap.micros + 1) * price


def test_of_two_caps_the_lower_one_counts_and_none_is_none() -> None:
    assert cap_at(300_000, cap=99_999_999, dollars_micros=30 * DOLLARS) == Credits(99_999_999)
    assert cap_at(300_000, cap=100_000_001, dollars_micros=30 * DOLLARS) == Credits.of(100)
    assert cap_at(300_000, cap=0) == Credits(0)
    assert cap_at(300_000) is None


def test_a_cap_that_buys_more_than_can_be_counted_is_the_most_that_can() -> None:
    assert cap_at(1, dollars_micros=INT64_MAX) == Credits(INT64_MAX)


def test_a_type_without_a_price_or_a_cap_in_another_currency_is_refused() -> None:
    money = CardMoney(currency_code="EUR", per_credit_micros={AI: DOLLARS})
    unknown = OverageTerms(credit_type_id=CreditTypeId("crt_other"), cap=None, fiat_cap=None)
    in_dollars = OverageTerms(credit_type_id=AI, cap=None, fiat_cap=Money("USD", 1))

    with pytest.raises(ConversionMissing):
        limits_at([unknown], money, CARD)
    with pytest.raises(CurrencyDiffers):
        limits_at([in_dollars], money, CARD)
    assert limits_at([], money, CARD) == ()
