# SPDX-License-Identifier: Apache-2.0
"""Rate cards in any currency: all money of a card is in its own."""

from grpc import StatusCode

from purser.catalog.v1 import catalog_pb2 as pb
from tests.support.catalog import CatalogStub, Shop, a_rate
from tests.support.faults import fault

MONTHLY = pb.BILLING_FREQUENCY_MONTHLY


async def test_a_card_brings_the_credit_type_of_its_currency(catalog: CatalogStub, shop: Shop) -> None:
    first = await shop.card(currency="JPY")
    second = await shop.card(currency="JPY")

    listed = await catalog.ListCreditTypes(pb.ListCreditTypesRequest())
    assert first.fiat_credit_type_id == second.fiat_credit_type_id == "JPY"
    assert [(one.credit_type_id, one.name) for one in listed.credit_types] == [("JPY", "JPY"), ("USD", "USD")]


async def test_a_currency_is_not_mixed_up_with_a_vendor_s_own_credit_type(shop: Shop) -> None:
    await shop.credit_type("EUR")

    with fault(StatusCode.ALREADY_EXISTS, "CREDIT_TYPE_NAME_TAKEN", name="EUR"):
        await shop.card(currency="EUR")


async def test_prices_in_money_are_in_the_currency_of_their_card(shop: Shop) -> None:
    team_plan, assistant = await shop.seats(), await shop.usage()
    card = await shop.card(currency="JPY")

    for product, frequency in ((team_plan, MONTHLY), (assistant, pb.BILLING_FREQUENCY_UNSPECIFIED)):
        for currency in ("USD", "EUR"):
            with fault(
                StatusCode.FAILED_PRECONDITION, "CURRENCY_DIFFERS", currency_code=currency, expected="JPY"
            ):
                await shop.add(card, a_rate(product, credit_type_id=currency, frequency=frequency))
        added = await shop.add(card, a_rate(product, credit_type_id="JPY", frequency=frequency))
        assert [rate.credit_type_id for rate in added.rates] == ["JPY"]
