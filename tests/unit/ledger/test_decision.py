# SPDX-License-Identifier: Apache-2.0
"""The one decision function: its checks in order, on whatever view; what a view lacks is Unknown, never a denial."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from meshkit.quantity import Credits
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.grant import CustomerId, ProductId
from services.ledger.domain.credits.unit_of_work import PoolKey
from services.ledger.domain.errors import CustomerNotFound, HoldNotFound, ProductNotFound
from services.ledger.domain.gate.commands import Authorize, Capture, Debit, ExtendHold, GateCommand, Release
from services.ledger.domain.gate.decision import Ask, Authorized, Debited, DenialReason, Extended
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.gate.standing import CustomerRecord, PriceBook
from services.ledger.domain.usage.meter import MeteredPrice
from services.ledger.operations.gate.cache import CustomerState
from services.ledger.operations.gate.decision import decide
from services.ledger.operations.gate.outcome import Allowed, Denied, Fault, NotCached, Unknown
from tests.unit.ledger.builders import (
    ACME,
    AI,
    ASSISTANT,
    JULY,
    JUNE,
    TICK,
    a_book,
    a_cap,
    a_contract,
    a_grant,
    an_account,
)

KEY = (ACME, AI)
HOLD = HoldId("hld_1")
LOOKS = (
    "customer",
    "price_book",
    "pool_of",
    "account",
    "require_spends",
    "require_overage",
    "require_meter",
)


@dataclass
class Ids:
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def new(self, prefix: str) -> str:
        return f"{prefix}_{next(self.numbers)}"


@dataclass
class MemoryView:
    """A view of acme, one product at 12 credits a unit, and one pool. lacks: the method that cannot answer."""

    accounts: dict[PoolKey, Account]
    is_suspended: bool = False
    starts: datetime = JUNE
    lacks: str = ""

    def _look(self, name: str) -> None:
        if name == self.lacks:
            raise NotCached("unknown")

    def customer(self, name: str) -> CustomerState:
        self._look("customer")
        if name not in (ACME, "acme"):
            raise CustomerNotFound(customer=name)
        return CustomerState(CustomerRecord(customer_id=ACME, is_suspended=self.is_suspended))

    def price_book(self, customer: CustomerState, product_id: ProductId) -> PriceBook:
        self._look("price_book")
        if product_id != ASSISTANT:
            raise ProductNotFound(product_id=product_id)
        return a_book(ASSISTANT, a_contract(start=self.starts))

    def pool_of(self, customer: CustomerState, hold_id: HoldId) -> PoolKey:
        self._look("pool_of")
        if hold_id not in self.accounts[KEY].holds:
            raise HoldNotFound(hold_id=hold_id)
        return KEY

    def account(self, customer: CustomerState, key: PoolKey) -> Account:
        self._look("account")
        return self.accounts[key]

    def require_spends(self, account: Account, ask: Ask) -> None:
        self._look("require_spends")

    def require_overage(self, account: Account, group_values: Mapping[str, str], at: datetime) -> None:
        self._look("require_overage")

    def require_meter(self, account: Account, price: MeteredPrice) -> None:
        self._look("require_meter")


def a_view(credits: int = 100, *, limit: int | None = None) -> MemoryView:
    account = an_account(a_grant(credits), caps=() if limit is None else (a_cap(limit),))
    return MemoryView({KEY: account})


def an_authorize(
    credits: int = 10, *, customer: str = ACME, product_id: ProductId = ASSISTANT, user: str = "ann"
) -> Authorize:
    return Authorize(
        request_id="req",
        fingerprint=b"req",
        customer=customer,
        product_id=product_id,
        amount=Credits.of(credits),
        group_values={"user_id": user},
        hold_ttl=timedelta(minutes=5),
        allow_partial=False,
    )


def a_debit(credits: int = 10) -> Debit:
    return Debit(
        request_id="req",
        fingerprint=b"req",
        customer="acme",
        product_id=ASSISTANT,
        amount=Credits.of(credits),
        group_values={"user_id": "ann"},
    )


def an_extension(credits: int | None = 10, *, hold_id: HoldId = HOLD) -> ExtendHold:
    return ExtendHold(
        request_id="req",
        fingerprint=b"req",
        customer=ACME,
        hold_id=hold_id,
        additional=None if credits is None else Credits.of(credits),
        hold_ttl=timedelta(hours=1),
    )


def a_capture(hold_id: HoldId = HOLD) -> Capture:
    return Capture(request_id="req", fingerprint=b"req", customer=ACME, hold_id=hold_id, actual=None)


def a_release(hold_id: HoldId = HOLD) -> Release:
    return Release(request_id="req", fingerprint=b"req", customer=ACME, hold_id=hold_id)


def after(outcome: Allowed) -> Account:
    """Return the account of the one pool that changed."""
    ((_, _, account),) = outcome.changes
    return account


def with_hold(view: MemoryView) -> HoldId:
    """Authorize 10 credits on the view; returns the hold."""
    outcome = decide(view, an_authorize(), at=JUNE, ids=Ids())
    assert isinstance(outcome, Allowed)
    assert isinstance(outcome.response, Authorized)
    assert outcome.response.hold_id is not None
    view.accounts[KEY] = after(outcome)
    return outcome.response.hold_id


def reason_of(outcome: object) -> DenialReason:
    assert isinstance(outcome, Denied)
    assert isinstance(outcome.response, Authorized | Debited | Extended)
    assert outcome.response.reason is not None
    return outcome.response.reason


def test_what_is_allowed_comes_with_the_account_before_and_after_it() -> None:
    view = a_view(100)

    outcome = decide(view, a_debit(100), at=JUNE, ids=Ids())

    assert isinstance(outcome, Allowed)
    ((key, before, later),) = outcome.changes
    assert (key, before) == (KEY, view.accounts[KEY])
    assert later.available(JUNE) == Credits(0)


@pytest.mark.parametrize("command", [an_authorize(101), a_debit(101)], ids=["authorize", "debit"])
def test_one_credit_too_much_is_denied_and_the_pool_is_named(command: GateCommand) -> None:
    outcome = decide(a_view(100), command, at=JUNE, ids=Ids())

    assert reason_of(outcome) is DenialReason.INSUFFICIENT_CREDITS
    assert isinstance(outcome, Denied)
    assert outcome.key == KEY


def test_the_checks_come_in_order() -> None:
    """Each step removes the first obstacle: the next one is then the reason."""
    view = a_view(5, limit=9)
    view.is_suspended, view.starts = True, JULY
    nobody = an_authorize(10, customer="nobody", product_id=ProductId("prd_none"))
    acme = replace(nobody, customer="acme")
    assistant = replace(acme, product_id=ASSISTANT)

    no_customer = decide(view, nobody, at=JUNE, ids=Ids())
    no_product = decide(view, acme, at=JUNE, ids=Ids())
    suspended = decide(view, assistant, at=JUNE, ids=Ids())
    view.is_suspended = False
    not_entitled = decide(view, assistant, at=JULY - TICK, ids=Ids())
    view.starts = JUNE
    capped = decide(view, assistant, at=JUNE, ids=Ids())
    uncapped = decide(view, replace(assistant, amount=Credits.of(9)), at=JUNE, ids=Ids())
    allowed = decide(view, replace(assistant, amount=Credits.of(5)), at=JUNE, ids=Ids())

    assert isinstance(no_customer, Fault)
    assert isinstance(no_customer.error, CustomerNotFound)
    assert isinstance(no_product, Fault)
    assert isinstance(no_product.error, ProductNotFound)
    assert [reason_of(one) for one in (suspended, not_entitled, capped, uncapped)] == [
        DenialReason.CUSTOMER_SUSPENDED,
        DenialReason.NOT_ENTITLED,
        DenialReason.SPEND_CAP_REACHED,
        DenialReason.INSUFFICIENT_CREDITS,
    ]
    assert isinstance(allowed, Allowed)


def test_a_denial_before_any_pool_names_none() -> None:
    view = a_view()
    view.is_suspended = True

    outcome = decide(view, an_authorize(), at=JUNE, ids=Ids())

    assert isinstance(outcome, Denied)
    assert outcome.key is None


@pytest.mark.parametrize("lacks", [look for look in LOOKS if look != "pool_of"])
@pytest.mark.parametrize("credits", [10, 1_000], ids=["affordable", "not affordable"])
def test_what_a_view_does_not_know_is_unknown_whatever_is_asked(lacks: str, credits: int) -> None:
    view = a_view()
    view.lacks = lacks

    outcome = decide(view, an_authorize(credits), at=JUNE, ids=Ids())

    assert isinstance(outcome, Unknown)
    assert (outcome.cause, outcome.key) == (
        "unknown",
        KEY if lacks in ("account", "require_spends", "require_overage", "require_meter") else None,
    )


@pytest.mark.parametrize("lacks", LOOKS)
def test_an_extension_needs_all_that_an_authorize_needs_and_its_hold(lacks: str) -> None:
    view = a_view()
    hold_id = with_hold(view)
    view.lacks = lacks

    assert isinstance(decide(view, an_extension(hold_id=hold_id), at=JUNE, ids=Ids()), Unknown)


@pytest.mark.parametrize("lacks", ["price_book", "require_spends"])
def test_who_adds_nothing_needs_no_price(lacks: str) -> None:
    view = a_view()
    hold_id = with_hold(view)
    view.lacks = lacks

    for command in (an_extension(None, hold_id=hold_id), a_capture(hold_id), a_release(hold_id)):
        assert isinstance(decide(view, command, at=JUNE, ids=Ids()), Allowed)


@pytest.mark.parametrize(
    "command", [an_extension(), a_capture(), a_release()], ids=["extend", "capture", "release"]
)
def test_a_hold_that_is_not_there_is_a_fault(command: GateCommand) -> None:
    outcome = decide(a_view(), command, at=JUNE, ids=Ids())

    assert isinstance(outcome, Fault)
    assert isinstance(outcome.error, HoldNotFound)
    assert outcome.key is None


def test_a_rule_that_refuses_is_a_fault_of_its_pool() -> None:
    view = a_view()
    hold_id = with_hold(view)
    captured = decide(view, a_capture(hold_id), at=JUNE, ids=Ids())
    assert isinstance(captured, Allowed)
    view.accounts[KEY] = after(captured)

    again = decide(view, a_release(hold_id), at=JUNE, ids=Ids())

    assert isinstance(again, Fault)
    assert (again.error.reason, again.key) == ("HOLD_ALREADY_RESOLVED", KEY)


def test_a_suspended_customer_may_finish_a_hold_but_not_extend_it() -> None:
    view = a_view()
    hold_id = with_hold(view)
    view.is_suspended = True

    extended = decide(view, an_extension(hold_id=hold_id), at=JUNE, ids=Ids())
    captured = decide(view, a_capture(hold_id), at=JUNE, ids=Ids())

    assert reason_of(extended) is DenialReason.CUSTOMER_SUSPENDED
    assert isinstance(captured, Allowed)


def test_customers_are_named_by_id_and_by_alias() -> None:
    by_id = decide(a_view(), an_authorize(customer=ACME), at=JUNE, ids=Ids())
    by_alias = decide(a_view(), an_authorize(customer="acme"), at=JUNE, ids=Ids())

    assert isinstance(by_id, Allowed)
    assert by_id == by_alias
    assert after(by_id).customer_id == CustomerId("cus_acme")
