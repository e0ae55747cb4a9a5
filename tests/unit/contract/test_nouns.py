# SPDX-License-Identifier: Apache-2.0
"""Small rules: which changes are open, how contracts end, what top-ups bring; answers and notices survive JSON."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from meshkit.errors import InvalidFields, MeshError
from meshkit.quantity import MICROS, Credits, Money
from services.contract.domain.billing.state import contract_now
from services.contract.domain.commands.contracts import ContractCreated
from services.contract.domain.commands.seats import SeatRequest
from services.contract.domain.contract import (
    end_of,
    find_subscription,
    refuse_not_in_force,
)
from services.contract.domain.customer import (
    Customer,
    Suspension,
    SuspensionReason,
    resumed,
    suspended,
    with_aliases,
)
from services.contract.domain.errors.contracts import (
    ContractEnded,
    ContractNotStarted,
    EffectiveAfterContractEnd,
    EndBeforeNow,
    OutsideOpenPeriod,
    SubscriptionNotFound,
)
from services.contract.domain.ids import (
    ContractId,
    CreditTypeId,
    CustomerId,
    GrantScheduleId,
    InvoiceId,
    ProductId,
    SeatChangeId,
    SubscriptionId,
    TopUpId,
)
from services.contract.domain.invoice import Invoice, InvoiceStatus, total_of
from services.contract.domain.notices import ContractChanged, contract_changed, top_up_paid
from services.contract.domain.schedules import GrantFrequency, GrantSchedule, GrantTerms, PeriodProration
from services.contract.domain.seats.request import planned_change, quantity_after
from services.contract.domain.seats.timeline import SEATS_MAX
from services.contract.domain.top_up import (
    AMOUNT_MAX,
    PaymentGate,
    TopUp,
    TopUpStatus,
    TopUpTerms,
    line_of,
    refuse_ungrantable,
    status_at_order,
)
from services.contract.store.formats import NOTICES, RESPONSES
from tests.unit.contract.builders import (
    CONTRACT,
    JUNE,
    SUBSCRIPTION,
    a_billing_state,
    a_rate,
    billed_through,
    changed,
    day,
)

TICK = timedelta(microseconds=1)
CHANGE = SeatChangeId("chg_9")
TERMS = TopUpTerms(
    product_id=ProductId("prd_credits"),
    credit_type_id=CreditTypeId("crt_ai"),
    amount=Credits.of(1_000),
    price=Money.of("USD", 80),
    priority=100,
    lifetime=timedelta(days=365),
)
TOP_UP = TopUp(
    top_up_id=TopUpId("top_1"),
    contract_id=CONTRACT,
    customer_id=CustomerId("cus_1"),
    top_up_pack_id=None,
    terms=TERMS,
    payment_gate=PaymentGate.EXTERNAL,
    status=TopUpStatus.PAID,
    invoice_id=InvoiceId("inv_1"),
    payment_reference="",
    create_time=JUNE,
    resolve_time=day(6, 2),
    expire_time=None,
    last_payment_error=None,
)


def _wanting(
    at: datetime | None = None, *, delta: int | None = None, quantity: int | None = None
) -> SeatRequest:
    return SeatRequest(
        contract_id=CONTRACT,
        subscription_id=None,
        new_quantity=quantity,
        quantity_delta=delta,
        effective_time=at,
    )


@pytest.mark.parametrize(
    ("now", "effective", "fault"),
    [
        # Before the contract starts, its start is the earliest.
        (day(5, 1), day(5, 1), OutsideOpenPeriod),
        (day(5, 1), JUNE - TICK, OutsideOpenPeriod),
        (day(5, 1), JUNE, None),
        # In the first year, its start is; in the second, the renewal.
        (day(7, 3), JUNE - TICK, OutsideOpenPeriod),
        (day(7, 3), JUNE, None),
        (day(6, 1, 2026) - TICK, JUNE, None),
        (day(6, 1, 2026), day(6, 1, 2026) - TICK, OutsideOpenPeriod),
        (day(6, 1, 2026), day(6, 1, 2026), None),
        # Until the contract ends.
        (day(7, 3), day(9, 1, 2026) - TICK, None),
        (day(7, 3), day(9, 1, 2026), EffectiveAfterContractEnd),
        (day(9, 1, 2026) - TICK, day(9, 1, 2026) - TICK, None),
        (day(9, 1, 2026), day(8, 1, 2026), ContractEnded),
    ],
)
def test_seats_change_from_the_open_period_s_start_until_the_contract_ends(
    now: datetime, effective: datetime, fault: type[MeshError] | None
) -> None:
    state = a_billing_state(4, end=day(9, 1, 2026))

    if fault is None:
        change, _ = planned_change(_wanting(effective, delta=1), state, seat_change_id=CHANGE, at=now)
        assert (change.effective_time, change.create_time, change.quantity_delta) == (effective, now, 1)
    else:
        with pytest.raises(fault):
            planned_change(_wanting(effective, delta=1), state, seat_change_id=CHANGE, at=now)


def test_a_wanted_number_of_seats_becomes_the_difference_to_those_in_force_then() -> None:
    state = changed(a_billing_state(4), day(8, 1), 3)

    before, _ = planned_change(_wanting(day(7, 3), quantity=5), state, seat_change_id=CHANGE, at=JUNE)
    after, timeline = planned_change(_wanting(day(8, 1), quantity=5), state, seat_change_id=CHANGE, at=JUNE)
    same, _ = planned_change(_wanting(quantity=4), state, seat_change_id=CHANGE, at=JUNE)

    assert (before.quantity_delta, after.quantity_delta, same.quantity_delta) == (1, -2, 0)
    assert (after.sequence, quantity_after(timeline, after)) == (2, 5)


@pytest.mark.parametrize(("delta", "is_possible"), [(SEATS_MAX - 4, True), (SEATS_MAX - 3, False)])
def test_there_are_a_million_seats_at_most(delta: int, *, is_possible: bool) -> None:
    if is_possible:
        planned_change(_wanting(delta=delta), a_billing_state(4), seat_change_id=CHANGE, at=JUNE)
    else:
        with pytest.raises(InvalidFields) as refusal:
            planned_change(_wanting(delta=delta), a_billing_state(4), seat_change_id=CHANGE, at=JUNE)
        assert [one.field for one in refusal.value.violations] == ["quantity_delta"]


def test_seats_that_no_invoice_can_hold_are_refused() -> None:
    dear = a_billing_state(1, rates=[a_rate(9 * 10**12)])

    with pytest.raises(InvalidFields) as refusal:
        planned_change(_wanting(quantity=2), dear, seat_change_id=CHANGE, at=JUNE)
    assert [one.field for one in refusal.value.violations] == ["new_quantity"]


@pytest.mark.parametrize(
    ("asked", "now", "ends"),
    [
        (None, day(7, 3), day(7, 3)),
        (day(7, 3), day(7, 3), day(7, 3)),
        (day(9, 1), day(7, 3), day(9, 1)),
        # One that has not begun by then ends where it begins.
        (None, day(5, 1), JUNE),
        (day(5, 2), day(5, 1), JUNE),
    ],
)
def test_a_contract_ends_now_or_later(asked: datetime | None, now: datetime, ends: datetime) -> None:
    assert end_of(a_billing_state().contract, asked, at=now) == ends


def test_a_contract_does_not_end_in_the_past_nor_twice() -> None:
    contract = a_billing_state(end=day(9, 1)).contract

    with pytest.raises(EndBeforeNow):
        end_of(contract, day(7, 3) - TICK, at=day(7, 3))
    assert end_of(contract, day(12, 1), at=day(9, 1) - TICK) == day(12, 1)
    with pytest.raises(ContractEnded):
        end_of(contract, None, at=day(9, 1))


def test_a_contract_is_in_force_from_its_start_up_to_its_end() -> None:
    contract = a_billing_state(end=day(9, 1)).contract

    with pytest.raises(ContractNotStarted):
        refuse_not_in_force(contract, at=JUNE - TICK)
    refuse_not_in_force(contract, at=JUNE)
    refuse_not_in_force(contract, at=day(9, 1) - TICK)
    with pytest.raises(ContractEnded):
        refuse_not_in_force(contract, at=day(9, 1))


def test_the_only_subscription_need_not_be_named() -> None:
    contract = a_billing_state().contract

    assert find_subscription(contract, None) == find_subscription(contract, SUBSCRIPTION)
    with pytest.raises(SubscriptionNotFound):
        find_subscription(contract, SubscriptionId("sub_other"))


OVERDUE = Suspension(reason=SuspensionReason.PAYMENT_OVERDUE, note="invoice 7", create_time=JUNE)


def _customer() -> Customer:
    return Customer(customer_id=CustomerId("cus_1"), name="Acme", aliases=(), version=1, create_time=JUNE)


def test_suspending_twice_for_one_reason_is_no_change() -> None:
    customer = _customer()
    once = suspended(customer, OVERDUE)
    assert (once.is_suspended, once.version) == (True, 2)
    assert suspended(once, replace(OVERDUE, note="again")) is once
    assert with_aliases(once, ["a"]).version == 3


def test_the_ledger_is_told_of_the_first_reason_and_of_the_last_one_lifted() -> None:
    customer = suspended(_customer(), OVERDUE)

    twice = suspended(customer, replace(OVERDUE, reason=SuspensionReason.OPERATOR))
    once = resumed(twice, SuspensionReason.PAYMENT_OVERDUE)

    assert (twice.version, once.version) == (2, 2)
    assert (once.is_suspended, [one.reason for one in once.suspensions]) == (
        True,
        [SuspensionReason.OPERATOR],
    )
    assert resumed(once, SuspensionReason.PAYMENT_OVERDUE) is once
    assert (resumed(once, SuspensionReason.OPERATOR).version, resumed(twice, None).is_suspended) == (3, False)


def test_a_top_up_without_a_gate_counts_as_paid() -> None:
    assert status_at_order(PaymentGate.NONE) is TopUpStatus.PAID
    assert status_at_order(PaymentGate.EXTERNAL) is TopUpStatus.PENDING_PAYMENT


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Credits.of(1_000), "AI credits: 1,000 credits"),
        (Credits.of("0.5"), "AI credits: 0.5 credits"),
        (Credits.of("1234567.000001"), "AI credits: 1,234,567.000001 credits"),
    ],
)
def test_a_purchase_is_charged_whole_and_told_in_words(amount: Credits, words: str) -> None:
    line = line_of(replace(TERMS, amount=amount), "AI credits")

    assert (line.total, line.exact_micros, line.description) == (Money.of("USD", 80), 80_000_000, words)


def test_a_price_of_a_fraction_of_a_cent_is_charged_to_the_nearest_cent() -> None:
    line = line_of(replace(TERMS, price=Money("USD", 12_345)), "AI credits")

    assert (line.exact_micros, line.total.micros) == (12_345, 10_000)


def test_a_grant_begins_when_it_is_paid_and_lives_as_long_as_was_bought() -> None:
    paid = top_up_paid(TOP_UP, at=day(6, 2))
    for_ever = top_up_paid(replace(TOP_UP, terms=replace(TERMS, lifetime=None)), at=day(6, 2))

    assert (paid.effective_time, paid.expire_time) == (day(6, 2), day(6, 2, 2026))
    assert (paid.cost_basis, paid.priority) == (Money.of("USD", 80), 100)
    assert for_ever.expire_time is None


def test_more_credits_than_can_be_granted_at_once_are_refused() -> None:
    refuse_ungrantable(replace(TERMS, amount=AMOUNT_MAX), field="top_up_pack_id")
    with pytest.raises(InvalidFields):
        refuse_ungrantable(replace(TERMS, amount=AMOUNT_MAX + Credits(1)), field="top_up_pack_id")


def test_an_answer_survives_being_kept() -> None:
    state, charged = billed_through(changed(a_billing_state(4), JUNE, 1), JUNE)
    lines = tuple(line for _, line in charged)
    invoice = Invoice(
        invoice_id=InvoiceId("inv_1"),
        customer_id=CustomerId("cus_1"),
        contract_id=ContractId("con_1"),
        status=InvoiceStatus.OPEN,
        lines=lines,
        total=total_of(lines),
        issue_time=JUNE,
        finalize_time=JUNE,
        number="000001",
        paid=Money.of("USD", 1),
        credited=Money.zero("USD"),
        void_time=None,
        void_reason="",
    )
    answer = ContractCreated(contract=contract_now(state.contract, [state], JUNE), invoices=(invoice,))

    stored = RESPONSES.of(ContractCreated)

    assert stored.decode(stored.encode(answer)) == answer


def test_a_notice_says_all_the_ledger_needs() -> None:
    schedule = GrantSchedule(
        grant_schedule_id=GrantScheduleId("sch_1"),
        product_id=ProductId("prd_2"),
        credit_type_id=CreditTypeId("crt_1"),
        subscription_id=SUBSCRIPTION,
        frequency=GrantFrequency.MONTHLY,
        interval_count=1,
        anchor_time=JUNE,
        end_time=None,
        terms=GrantTerms(
            unit_amount=Credits(100 * MICROS),
            priority=1,
            prorates_increases=True,
            period_proration=PeriodProration.FIRST_AND_LAST,
            commit_duration=1,
            scope_product_ids=(),
        ),
    )
    contract = replace(a_billing_state(4).contract, grant_schedules=(schedule,))
    notice = contract_changed(contract)

    stored = NOTICES.of(ContractChanged)

    assert stored.decode(stored.encode(notice)) == notice
    assert [one.initial_quantity for one in notice.subscriptions] == [4]
