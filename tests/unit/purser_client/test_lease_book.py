# SPDX-License-Identifier: Apache-2.0
"""Which lease serves a call."""

from datetime import UTC, datetime

import pytest

from purser_client.leases.book import FORGOTTEN_AFTER_SECONDS, SLOTS_MAX, LeaseBook, Slot, is_well_formed
from purser_client.leases.lease import Lease, LeaseTerms

PRODUCT = "prd_assistant"


class Book(LeaseBook):
    """A book whose time is `at`."""

    def __init__(self) -> None:
        self.at = 0.0
        super().__init__(now=lambda: self.at)

    def slot(self, who: dict[str, str], customer: str = "acme") -> Slot | None:
        return self.note(customer, PRODUCT, who, micros=1, available_micros=1)


def give(slot: Slot | None) -> Lease:
    """Give a slot a lease."""
    assert slot is not None
    slot.lease = Lease(
        lease_id="lse_1",
        customer=slot.customer,
        product=slot.product,
        group_values=dict(slot.group_values),
        credit_type_id="ct_ai",
        terms=LeaseTerms(
            leased_micros=100,
            ends=30.0,
            expire_time=datetime(2025, 6, 1, tzinfo=UTC),
            price_micros=1,
            per_micros=1,
            available_micros=0,
        ),
        use_ids=1,
    )
    return slot.lease


def test_without_capped_keys_one_lease_serves_all_users() -> None:
    book = Book()
    lease = give(book.slot({"user_id": "ann"}))

    assert book.find("acme", PRODUCT, {"user_id": "bob"}) is lease
    assert book.find("acme", "prd_other", {}) is None
    assert book.find("other", PRODUCT, {}) is None


def test_with_a_capped_key_a_lease_serves_only_its_own_value_of_it() -> None:
    book = Book()
    whole = give(book.slot({}))
    book.tell_capped_keys(whole, ("user_id",))
    of_ann = give(book.slot({"user_id": "ann", "team_id": "red"}))

    assert book.find("acme", PRODUCT, {"user_id": "ann", "team_id": "blue"}) is of_ann
    assert book.find("acme", PRODUCT, {"user_id": "bob"}) is None
    assert book.find("acme", PRODUCT, {"team_id": "blue"}) is whole


def test_a_lease_that_serves_no_more_is_not_found() -> None:
    book = Book()
    give(book.slot({})).stop()

    assert book.find("acme", PRODUCT, {}) is None


def test_slots_without_a_lease_are_forgotten_after_a_minute_without_use() -> None:
    book = Book()
    used, leased = book.slot({}, "used"), book.slot({}, "leased")
    give(leased)
    book.at = FORGOTTEN_AFTER_SECONDS - 1
    book.forget_idle()
    assert book.slot({}, "used") is used

    book.at = 2 * FORGOTTEN_AFTER_SECONDS + 1
    book.forget_idle()

    assert book.slot({}, "used") is not used
    assert book.slot({}, "leased") is leased


def test_a_book_is_bounded() -> None:
    book = Book()
    for number in range(SLOTS_MAX):
        assert book.slot({}, f"cus_{number}") is not None

    assert book.slot({}, "one_more") is None
    assert book.slot({}, "cus_0") is not None


@pytest.mark.parametrize(
    ("who", "is_accepted"),
    [
        ({f"key{number}": "value" for number in range(10)}, True),
        ({f"key{number}": "value" for number in range(11)}, False),
        ({"k" * 64: "v" * 200}, True),
        ({"k" * 65: "value"}, False),
        ({"key": "v" * 201}, False),
        ({"": "value"}, False),
        ({"key": ""}, False),
        ({"key": "a\nb"}, False),
        ({"key": 1}, False),
    ],
)
def test_only_group_values_that_the_ledger_accepts_are_served(who: dict[str, str], is_accepted: bool) -> None:
    assert is_well_formed(who) is is_accepted
