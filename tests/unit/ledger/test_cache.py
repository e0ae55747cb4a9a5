# SPDX-License-Identifier: Apache-2.0
"""What a replica remembers: found by any name it was asked by, bounded, and dropped when it may be so no more."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CreditTypeId, CustomerId, ProductId
from services.ledger.domain.gate.hold import Hold, HoldId, HoldState
from services.ledger.domain.gate.in_flight import WHOLE_CUSTOMER, ConcurrencyCap
from services.ledger.domain.gate.spend_cap import GroupValue, Spend
from services.ledger.domain.gate.standing import CustomerRecord
from services.ledger.operations.gate.cache import CustomerCache, CustomerState
from tests.unit.ledger.builders import (
    ACME,
    AI,
    ASSISTANT,
    IMAGES,
    JULY,
    JUNE,
    a_book,
    a_grant,
    a_price,
    an_account,
)

GLOBEX, INITECH = CustomerId("cus_globex"), CustomerId("cus_initech")
IMAGE_CREDITS = CreditTypeId("crt_images")
ANN, BOB = ("user_id", "ann"), ("user_id", "bob")


def a_hold(hold_id: str, user: str = "ann") -> Hold:
    return Hold(
        hold_id=HoldId(hold_id),
        product_id=ASSISTANT,
        contract_id="con_1",
        anchor=JUNE,
        price=a_price(),
        group_values={"user_id": user},
        counted_group_values={"user_id": user},
        state=HoldState.HELD,
        draws=(),
        create_time=JUNE,
        expire_time=JULY,
    )


def a_pool(
    version: int,
    *,
    holds: Iterable[Hold] = (),
    spends: Iterable[GroupValue] = (),
    customer_id: CustomerId = ACME,
    credit_type_id: CreditTypeId = AI,
) -> Account:
    return replace(
        an_account(a_grant(100), spends=dict.fromkeys(spends, Spend())),
        customer_id=customer_id,
        credit_type_id=credit_type_id,
        version=version,
        holds={hold.hold_id: hold for hold in holds},
    )


def learn(
    cache: CustomerCache,
    *accounts: Account,
    names: Iterable[str] = ("acme",),
    read: Mapping[CreditTypeId, int] | None = None,
    prices: Iterable[ProductId] = (ASSISTANT,),
    epoch: int = 1,
    is_suspended: bool = False,
) -> None:
    """Let cache learn accounts of one customer, read at the versions they have unless `read` says otherwise."""
    record = CustomerRecord(customer_id=accounts[0].customer_id, is_suspended=is_suspended)
    books = {product_id: a_book(product_id) for product_id in prices}
    told = CustomerState(record, names=set(names), books=books)
    told.accounts |= {account.credit_type_id: account for account in accounts}
    versions = {account.credit_type_id: account.version for account in accounts}
    cache.put(told, versions if read is None else read, cache.copies.at(epoch))


def test_nobody_is_known_before_somebody_was_read() -> None:
    assert CustomerCache().customer("acme") is None


def test_a_customer_is_known_by_the_names_it_was_asked_by_and_by_no_other() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3), names=["acme"])
    learn(cache, a_pool(3), names=["cus_acme"])

    assert cache.customer("acme") is cache.customer("cus_acme") is not None
    assert cache.customer("acme-too") is None


def test_what_was_learnt_of_other_products_and_pools_is_kept_while_a_version_stands() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3, holds=[a_hold("hld_1")]), prices=[ASSISTANT])
    learn(cache, a_pool(7, credit_type_id=IMAGE_CREDITS), a_pool(3, holds=[a_hold("hld_1")]), prices=[IMAGES])

    known = cache.customer("acme")

    assert known is not None
    assert set(known.books) == {ASSISTANT, IMAGES}
    assert {account.version for account in known.accounts.values()} == {3, 7}
    assert known.account_with(HoldId("hld_1")) is known.accounts[AI]
    assert known.account_with(HoldId("hld_2")) is None


def test_all_that_was_known_is_forgotten_when_no_pool_has_the_version_it_had() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3), a_pool(7, credit_type_id=IMAGE_CREDITS), names=["acme"], prices=[ASSISTANT])

    learn(cache, a_pool(5), names=["cus_acme"], read={AI: 4}, prices=[IMAGES], is_suspended=True)

    known = cache.customer("cus_acme")
    assert known is not None
    assert (known.record.is_suspended, set(known.books), set(known.accounts)) == (True, {IMAGES}, {AI})
    assert cache.customer("acme") is None


def test_an_account_just_read_is_completed_by_what_is_known_of_it_if_nothing_has_changed() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3, holds=[a_hold("hld_1")], spends=[ANN]))

    same = cache.completed(a_pool(3, holds=[a_hold("hld_2", "bob")], spends=[BOB]))
    later = cache.completed(a_pool(4, holds=[a_hold("hld_2", "bob")], spends=[BOB]))
    nobodys = cache.completed(a_pool(3, customer_id=GLOBEX))

    assert (set(same.holds), set(same.spends)) == ({"hld_1", "hld_2"}, {ANN, BOB})
    assert (set(later.holds), set(later.spends)) == ({"hld_2"}, {BOB})
    assert not nobodys.holds


def test_what_was_read_is_believed_before_what_is_known() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3, holds=[a_hold("hld_1")]))
    ended = replace(a_hold("hld_1"), state=HoldState.CAPTURED)

    assert cache.completed(a_pool(3, holds=[ended])).holds[HoldId("hld_1")] == ended


def test_a_write_of_ours_is_what_is_known_next() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3))

    cache.replace(a_pool(4, holds=[a_hold("hld_1")]))
    cache.replace(a_pool(9, customer_id=GLOBEX))

    known = cache.customer("acme")
    assert known is not None
    assert known.accounts[AI].version == 4
    assert cache.customer("cus_globex") is None


def test_a_new_epoch_begins_with_nothing() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3), names=["acme"], prices=[ASSISTANT], epoch=1)

    learn(cache, a_pool(3, customer_id=GLOBEX), names=["globex"], prices=[IMAGES], epoch=2)

    assert cache.customer("acme") is None
    assert cache.customer("globex") is not None
    assert cache.copies.epoch == 2


def test_an_alias_that_went_to_another_customer_is_that_ones() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3), names=["acme", "cus_acme"])
    learn(cache, a_pool(1, customer_id=GLOBEX), names=["acme"])

    known = cache.customer("acme")
    assert known is not None
    assert known.record.customer_id == GLOBEX
    cache.drop(ACME)
    assert cache.customer("cus_acme") is None


def test_who_was_forgotten_is_known_by_none_of_its_names() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(3), names=["acme", "cus_acme"])

    cache.drop(ACME)
    cache.drop(ACME)

    assert cache.customer("acme") is cache.customer("cus_acme") is None


def accounts_of(cache: CustomerCache, name: str = "acme") -> dict[CreditTypeId, Account]:
    known = cache.customer(name)
    return {} if known is None else known.accounts


def test_while_others_write_to_its_pools_none_is_learnt() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(5))

    cache.outrun(ACME)
    assert accounts_of(cache) == {}
    learn(cache, a_pool(7), read={AI: 6})
    assert accounts_of(cache) == {}
    learn(cache, a_pool(10), read={AI: 9})
    assert accounts_of(cache) == {}


def test_they_are_learnt_again_once_nobody_has_written_since_our_own_last_write() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(5))

    cache.outrun(ACME)
    learn(cache, a_pool(7), read={AI: 6})
    learn(cache, a_pool(8), read={AI: 7})

    assert accounts_of(cache)[AI].version == 8


def test_its_names_and_prices_are_known_meanwhile() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(5), names=["acme"])

    cache.outrun(ACME)
    learn(cache, a_pool(7), read={AI: 6}, names=["acme-corp"], prices=[IMAGES])

    known = cache.customer("acme-corp")
    assert known is cache.customer("acme")
    assert known is not None
    assert set(known.books) == {ASSISTANT, IMAGES}


def test_names_and_prices_from_before_are_not_believed_once_its_pools_are_learnt_again() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(5), names=["acme"], prices=[ASSISTANT, IMAGES])

    cache.outrun(ACME)
    learn(cache, a_pool(7), read={AI: 6}, names=["cus_acme"], prices=[ASSISTANT])
    learn(cache, a_pool(8), read={AI: 7}, names=["cus_acme"], prices=[ASSISTANT])

    known = cache.customer("cus_acme")
    assert known is not None
    assert set(known.books) == {ASSISTANT}
    assert cache.customer("acme") is None


def test_pools_of_others_are_learnt_all_the_same() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(5))

    cache.outrun(ACME)
    learn(cache, a_pool(7, customer_id=GLOBEX), names=["globex"])

    assert set(accounts_of(cache, "globex")) == {AI}


def test_who_was_not_asked_about_for_longest_makes_room() -> None:
    cache = CustomerCache(customers_max=2)
    learn(cache, a_pool(1), names=["acme"])
    learn(cache, a_pool(1, customer_id=GLOBEX), names=["globex"])
    assert cache.customer("acme") is not None

    learn(cache, a_pool(1, customer_id=INITECH), names=["initech"])

    assert cache.customer("globex") is None
    assert cache.customer("acme") is not None
    assert cache.customer("initech") is not None


def test_of_too_many_holds_none_is_remembered() -> None:
    cache = CustomerCache(holds_max=2)
    holds = [a_hold(f"hld_{number}") for number in range(3)]
    learn(cache, a_pool(3, holds=holds[:2], spends=[ANN]))
    cache.replace(a_pool(4, holds=holds, spends=[ANN]))

    known = cache.customer("acme")

    assert known is not None
    assert not known.accounts[AI].holds
    assert set(known.accounts[AI].spends) == {ANN}


def test_of_too_many_open_holds_that_a_cap_counts_none_is_remembered() -> None:
    cap = ConcurrencyCap(
        concurrency_cap_id="ccp_1", credit_type_id=AI, subject=ANN, holds_max=9, create_time=JUNE
    )
    cache = CustomerCache(holds_max=2)

    def open_holds(count: int) -> Account:
        expire_times = {HoldId(f"hld_{number}"): JULY for number in range(count)}
        in_flight = {ANN: expire_times, WHOLE_CUSTOMER: expire_times}
        return replace(a_pool(3), concurrency_caps={ANN: cap}, in_flight=in_flight)

    learn(cache, open_holds(2))
    known = cache.customer("acme")
    assert known is not None
    assert known.accounts[AI].in_flight is not None

    cache.replace(open_holds(3))
    assert known.accounts[AI].in_flight is None


def test_no_hold_is_remembered_without_the_spends_that_its_end_is_counted_in() -> None:
    cache = CustomerCache(spends_max=1)
    learn(cache, a_pool(3, holds=[a_hold("hld_1")], spends=[ANN]))
    cache.replace(a_pool(4, holds=[a_hold("hld_1"), a_hold("hld_2", "bob")], spends=[ANN, BOB]))

    known = cache.customer("acme")

    assert known is not None
    assert not known.accounts[AI].spends
    assert not known.accounts[AI].holds
    assert known.accounts[AI].available(JUNE) == Credits.of(100)


def test_a_customer_is_contended_from_when_it_was_outrun_until_others_have_stopped() -> None:
    cache = CustomerCache()
    learn(cache, a_pool(5))
    assert cache.contended("acme") is None

    cache.outrun(ACME)
    assert cache.contended("nobody") is None
    assert cache.contended("acme") == ACME
    learn(cache, a_pool(7), read={AI: 6})
    assert cache.contended("acme") == ACME

    learn(cache, a_pool(8), read={AI: 7})
    assert cache.contended("acme") is None
