# SPDX-License-Identifier: Apache-2.0
"""Values as people write them: exact, or refused with what is right."""

from datetime import date
from typing import Any

import pytest

from purser.catalog.v1 import catalog_pb2 as catalog
from purser.contract.v1 import contract_pb2 as contract
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser_cli.rpc import output, requests
from purser_cli.rpc.values import WrongValue, decimal_text

GRANT = admin.IssueGrantRequest


def filled(message: Any, **plain: Any) -> Any:
    requests.fill(message, plain)
    return message


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("12.5", 12_500_000),
        ("0.000001", 1),
        ("-3", -3_000_000),
        ("9223372036854.775807", 2**63 - 1),
        ("1e3", 1_000_000_000),
        (0.1, 100_000),
    ],
)
def test_an_amount_is_an_exact_decimal(text: object, micros: int) -> None:
    assert filled(GRANT(), amount=text).amount_micros == micros


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("0.0000001", "more than 6 decimals"),
        ("9223372036854.775808", "too large"),
        ("12,5", "not a number"),
        ("twelve", "not a number"),
        ("nan", "not a number"),
        ("1e999999", "not a number"),
        ("", "not a number"),
        (True, "not a number"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_field(text: object, wrong: str) -> None:
    with pytest.raises(WrongValue, match=f"^amount: .*{wrong}"):
        filled(GRANT(), amount=text)


def test_an_amount_may_be_given_in_the_unit_of_the_proto() -> None:
    assert filled(GRANT(), amount_micros="12500000").amount_micros == 12_500_000
    assert filled(GRANT(), amountMicros=12_500_000).amount_micros == 12_500_000
    with pytest.raises(WrongValue, match=r"amount_micros: 12.5 is not a whole number"):
        filled(GRANT(), amount_micros="12.5")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("2025-07-01", "2025-07-01T00:00:00Z"),
        ("2025-07-01T09:30:00+02:00", "2025-07-01T07:30:00Z"),
        ("2025-07-01t09:30:00.000001z", "2025-07-01T09:30:00.000001Z"),
        (date(2025, 7, 1), "2025-07-01T00:00:00Z"),
    ],
)
def test_a_time_is_a_date_or_has_a_zone(text: object, written: str) -> None:
    assert filled(GRANT(), expire_time=text).expire_time.ToJsonString() == written


@pytest.mark.parametrize("text", ["2025-07-01T09:30:00", "2025-02-29", "July", "2025-7-1", "20250701"])
def test_a_time_without_a_zone_or_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(WrongValue, match=r"expire_time: .*2025-07-01T09:30:00Z"):
        filled(GRANT(), expire_time=text)


@pytest.mark.parametrize(("text", "seconds"), [("365d", 31_536_000), ("1h30m", 5_400), ("2s", 2), ("0s", 0)])
def test_a_span_has_units(text: str, seconds: int) -> None:
    assert filled(catalog.CreateTopUpPackRequest(), lifetime=text).lifetime.seconds == seconds


@pytest.mark.parametrize("text", ["3600", "1y", "", "1h 30m", "-1h", "99999999999999d"])
def test_a_span_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(WrongValue, match=r"^lifetime: "):
        filled(catalog.CreateTopUpPackRequest(), lifetime=text)


@pytest.mark.parametrize("text", ["80 USD", "80.00 usd", "USD 80"])
def test_money_has_its_currency(text: str) -> None:
    price = filled(catalog.CreateTopUpPackRequest(), price=text).price

    assert (price.micros, price.currency_code) == (80_000_000, "USD")


@pytest.mark.parametrize("text", ["80", "$80", "80 US$", "eighty USD", "80 USD EUR", "1.0000001 USD"])
def test_money_without_a_currency_or_an_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(WrongValue, match=r"^price: "):
        filled(catalog.CreateTopUpPackRequest(), price=text)


@pytest.mark.parametrize("text", ["top-up", "TOP_UP", "GRANT_KIND_TOP_UP", "grant_kind_top_up"])
def test_an_enum_has_a_short_name(text: str) -> None:
    assert filled(GRANT(), grant_kind=text).grant_kind == 2


def test_an_unknown_enum_value_is_refused_with_the_known_ones() -> None:
    with pytest.raises(WrongValue, match=r"grant_kind: 'gift' is not one of included, top-up, promotional"):
        filled(GRANT(), grant_kind="gift")


def test_key_value_leads_into_messages_lists_and_maps() -> None:
    terms = (
        "product_id=prd_1,initial_quantity=4,proration.is_prorated=true,proration.invoicing=bill-immediately"
    )

    made = filled(contract.CreateContractRequest(), subscriptions=[terms], name='"Team Plan, annual"')

    [one] = made.subscriptions
    assert (one.product_id, one.initial_quantity, one.proration.is_prorated) == ("prd_1", 4, True)
    assert one.proration.invoicing == contract.SEAT_INVOICING_BILL_IMMEDIATELY


def test_a_list_may_be_json() -> None:
    text = '[{"up_to": "10", "price_micros": "25000000"}, {"price": 20}]'

    tiers = filled(catalog.RateTerms(), tiers=text).tiers

    assert [(one.up_to_micros, one.price_micros) for one in tiers] == [
        (10_000_000, 25_000_000),
        (0, 20_000_000),
    ]


@pytest.mark.parametrize(
    ("plain", "wrong"),
    [
        ({"nothing": 1}, "there is no field 'nothing'; there are product_id, "),
        ({"tiers": [{"price": "x"}]}, r"^tiers\[0\].price: 'x' is not a number"),
        ({"tiers": ["price"]}, r"^tiers\[0\]: 'price' is neither key=value nor JSON"),
        ({"tiers": '[{"price": 1}'}, r"tiers\[0\]: "),
        ({"dimension_values": {"a": ["b"]}}, "dimension_values: 'a' has a value that is not a text"),
        ({"product_id": {"a": 1}}, "product_id: .* is not a text"),
        ({"end_previous": "perhaps"}, "end_previous: 'perhaps' is neither true nor false"),
        ({"dimension_values": "@/nowhere.json"}, "dimension_values: /nowhere.json cannot be read"),
    ],
)
def test_what_is_wrong_inside_is_said_with_its_path(plain: dict[str, Any], wrong: str) -> None:
    with pytest.raises(WrongValue, match=wrong):
        filled(catalog.RateTerms(), **plain)


def test_what_a_message_says_in_plain_values_makes_the_same_message() -> None:
    plain = {
        "product_id": "prd_1",
        "price": "12.5",
        "per": "1000",
        "effective_time": "2025-06-01",
        "rate_type": "graduated",
        "tiers": [{"up_to": "0.5", "price": "1"}],
        "dimension_values": {"model": "large"},
        "end_previous": True,
    }

    made = filled(catalog.RateTerms(), **plain)

    assert requests.plain(made) == plain
    assert filled(catalog.RateTerms(), **requests.plain(made)) == made


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0"), (-1, "-0.000001"), (-1_500_000, "-1.5"), (10**9, "1000")]
)
def test_micros_become_the_shortest_decimal(micros: int, text: str) -> None:
    assert decimal_text(micros) == text


def test_people_read_amounts_with_separators() -> None:
    assert [output.amount(micros) for micros in (0, 1_234_567_500_000, -1_500_000)] == [
        "0",
        "1,234,567.5",
        "-1.5",
    ]
