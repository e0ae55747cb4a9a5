# SPDX-License-Identifier: Apache-2.0
"""Edits of a contract: of its seats, its end and its recurring credits; commits and credits that are added to it."""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar, Final, Literal

from meshkit.rpc.fields import optional_timestamp, span, timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from services.edge.wire.amounts import USD_ID, credit_type_id_from_json, micros_from_json, money_from_json
from services.edge.wire.fields import UPPER, Body, Instant, Number, Whole, one_violation, only, refused

PAYMENT_GATES: Final = {
    "NONE": pb.PAYMENT_GATE_NONE,
    "STRIPE": pb.PAYMENT_GATE_STRIPE,
    "EXTERNAL": pb.PAYMENT_GATE_EXTERNAL,
}
OUTCOMES: Final = {"paid": pb.PAYMENT_OUTCOME_PAID, "failed": pb.PAYMENT_OUTCOME_FAILED}
ONE_CHANGE: Final = (
    "must have exactly one change: send one edit for each, so that none is half done if another is refused"
)
_NO_TAGS = "name products by their ids"


class AccessItem(Body):
    amount: Number
    starting_at: Instant
    ending_before: Instant


class AccessSchedule(Body):
    schedule_items: tuple[AccessItem, ...]
    credit_type_id: str = USD_ID


class InvoiceItem(Body):
    timestamp: Instant
    amount: Number | None = None
    unit_price: Number | None = None
    quantity: Number | None = None


class InvoiceSchedule(Body):
    schedule_items: tuple[InvoiceItem, ...]
    credit_type_id: str = USD_ID
    recurring_schedule: Annotated[None, refused("add a commit for each invoice")] = None
    do_not_invoice: Annotated[bool, only(False, "give credits away with add_credits")] = False


class StripeConfig(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"invoice_metadata"})

    payment_type: Annotated[Literal["PAYMENT_INTENT", "INVOICE"], UPPER] = "PAYMENT_INTENT"
    on_session_payment: bool = False


class PaymentGate(Body):
    payment_gate_type: Annotated[Literal["NONE", "STRIPE", "EXTERNAL"], UPPER]
    stripe_config: StripeConfig | None = None
    tax_type: Annotated[Literal["NONE"], UPPER, only("NONE", "taxes are those of SetBillingDetails")] = "NONE"


class Grantable(Body):
    ignores: ClassVar[frozenset[str]] = frozenset({"name", "temporary_id"})

    product_id: str
    access_schedule: AccessSchedule
    priority: Whole = 0
    applicable_product_ids: tuple[str, ...] = ()
    applicable_product_tags: Annotated[None, refused(_NO_TAGS)] = None
    rate_type: Annotated[Literal["LIST_RATE"], UPPER] = "LIST_RATE"


class AddCommit(Grantable):
    type: Annotated[Literal["PREPAID"], UPPER]
    invoice_schedule: InvoiceSchedule
    payment_gate_config: PaymentGate | None = None


class AddCredit(Grantable):
    pass


class QuantityUpdate(Body):
    starting_at: Instant
    quantity: Whole | None = None
    quantity_delta: Whole | None = None


class SeatIds(Body):
    seat_ids: tuple[str, ...]
    starting_at: Instant


class UnassignedSeats(Body):
    quantity: Whole
    starting_at: Instant


class SeatUpdates(Body):
    add_seat_ids: tuple[SeatIds, ...] = ()
    remove_seat_ids: tuple[SeatIds, ...] = ()
    add_unassigned_seats: tuple[UnassignedSeats, ...] = ()
    remove_unassigned_seats: tuple[UnassignedSeats, ...] = ()


class NamedSeats(Body):
    seat_group_key: str


class QuantityManagement(Body):
    quantity_management_mode: Annotated[Literal["SEAT_BASED"], UPPER]
    seat_config: NamedSeats


class UpdateSubscription(Body):
    subscription_id: str
    quantity_updates: tuple[QuantityUpdate, ...] = ()
    seat_updates: SeatUpdates | None = None
    quantity_management_mode_update: QuantityManagement | None = None
    ending_before: Annotated[None, refused("subscriptions end with their contract")] = None


class NewAmount(Body):
    unit_price: Number
    quantity: Number | None = None


class UpdateRecurringCredit(Body):
    recurring_credit_id: str
    access_amount: NewAmount | None = None
    ending_before: Instant | None = None


class EditContract(Body):
    customer_id: str
    contract_id: str
    uniqueness_key: str = ""
    update_subscriptions: tuple[UpdateSubscription, ...] = ()
    add_commits: tuple[AddCommit, ...] = ()
    add_credits: tuple[AddCredit, ...] = ()
    update_recurring_credits: tuple[UpdateRecurringCredit, ...] = ()
    update_contract_end_date: Instant | None = None
    allow_contract_ending_before_finalized_invoice: bool = False


class Release(Body):
    workflow_id: str
    outcome: str


def order_from_json(commit: AddCommit, contract_id: str, request_id: str) -> pb.OrderTopUpRequest:
    """Return the order of a prepaid commit. Its credits live as long as asked for, from the payment on."""
    if commit.applicable_product_ids:
        raise one_violation(
            "add_commits[0].applicable_product_ids", "is not supported: bought credits pay for all usage"
        )
    access, length = _access_of(commit, "add_commits[0]")
    if len(commit.invoice_schedule.schedule_items) != 1:
        raise one_violation("add_commits[0].invoice_schedule.schedule_items", "must have exactly one item")
    (item,) = commit.invoice_schedule.schedule_items
    field = "add_commits[0].invoice_schedule.schedule_items[0]"
    currency = credit_type_id_from_json(commit.invoice_schedule.credit_type_id)
    credit_type_id = credit_type_id_from_json(commit.access_schedule.credit_type_id)
    gate = commit.payment_gate_config
    return pb.OrderTopUpRequest(
        request_id=request_id,
        contract_id=contract_id,
        payment_gate=PAYMENT_GATES["NONE" if gate is None else gate.payment_gate_type],
        terms=pb.TopUpTerms(
            product_id=commit.product_id,
            credit_type_id=credit_type_id,
            amount_micros=micros_from_json("add_commits[0].amount", access.amount, credit_type_id),
            price=money_from_json(field, _price_of(item, field), currency),
            priority=commit.priority,
            lifetime=span(length),
        ),
    )


def _access_of(one: Grantable, field: str) -> tuple[AccessItem, timedelta]:
    items = one.access_schedule.schedule_items
    if len(items) != 1:
        raise one_violation(f"{field}.access_schedule.schedule_items", "must have exactly one item")
    length = items[0].ending_before - items[0].starting_at
    if length <= timedelta(0):
        raise one_violation(
            f"{field}.access_schedule.schedule_items[0].ending_before", "must be after starting_at"
        )
    return items[0], length


def _price_of(item: InvoiceItem, field: str) -> Number:
    if item.amount is not None and item.unit_price is None:
        return item.amount
    if item.amount is None and item.unit_price is not None:
        return item.unit_price * (1 if item.quantity is None else item.quantity)
    raise one_violation(field, "must have either amount, or unit_price and quantity")


def grant_from_json(credit: AddCredit, customer: str, request_id: str) -> admin.IssueGrantRequest:
    access, _ = _access_of(credit, "add_credits[0]")
    credit_type_id = credit_type_id_from_json(credit.access_schedule.credit_type_id)
    return admin.IssueGrantRequest(
        request_id=request_id,
        customer=customer,
        credit_type_id=credit_type_id,
        grant_kind=ledger.GRANT_KIND_PROMOTIONAL,
        product_id=credit.product_id,
        amount_micros=micros_from_json("add_credits[0].amount", access.amount, credit_type_id),
        priority=credit.priority,
        effective_time=timestamp(access.starting_at),
        expire_time=timestamp(access.ending_before),
        scope_product_ids=credit.applicable_product_ids,
    )


def quantity_from_json(
    update: QuantityUpdate, subscription_id: str, contract_id: str, request_id: str
) -> pb.ChangeSeatsRequest:
    if (update.quantity is None) == (update.quantity_delta is None):
        raise one_violation("quantity_updates[0]", "must have either quantity or quantity_delta")
    request = _seats(request_id, contract_id, subscription_id, update.starting_at)
    if update.quantity is not None:
        request.new_quantity = update.quantity
    elif update.quantity_delta is not None:
        request.quantity_delta = update.quantity_delta
    return request


def seats_from_json(
    updates: SeatUpdates, unassigned: int, subscription_id: str, contract_id: str, request_id: str
) -> pb.ChangeSeatsRequest:
    """Return the change. As in Metronome, added ids take unassigned seats first, and removed ids give theirs up."""
    added = sum((one.seat_ids for one in updates.add_seat_ids), ())
    removed = sum((one.seat_ids for one in updates.remove_seat_ids), ())
    more = sum(one.quantity for one in updates.add_unassigned_seats)
    fewer = sum(one.quantity for one in updates.remove_unassigned_seats)
    request = _seats(request_id, contract_id, subscription_id, start_of(updates))
    request.assign_seat_ids.extend(added)
    request.unassign_seat_ids.extend(removed)
    delta = max(0, len(added) - unassigned) - len(removed) + more - fewer
    if delta:
        request.quantity_delta = delta
    return request


def start_of(updates: SeatUpdates) -> datetime:
    """Return when all updates begin. Raises InvalidBody if they do not begin together."""
    starts = {
        one.starting_at
        for group in (
            updates.add_seat_ids,
            updates.remove_seat_ids,
            updates.add_unassigned_seats,
            updates.remove_unassigned_seats,
        )
        for one in group
    }
    if len(starts) != 1:
        raise one_violation("seat_updates", "must all have the same starting_at: " + ONE_CHANGE)
    return starts.pop()


def _seats(request_id: str, contract_id: str, subscription_id: str, at: datetime) -> pb.ChangeSeatsRequest:
    return pb.ChangeSeatsRequest(
        request_id=request_id,
        contract_id=contract_id,
        subscription_id=subscription_id,
        effective_time=timestamp(at),
    )


def schedule_from_json(
    update: UpdateRecurringCredit, schedule: pb.GrantSchedule, contract_id: str, request_id: str
) -> pb.EditGrantScheduleRequest | pb.EndGrantScheduleRequest:
    if (update.access_amount is None) == (update.ending_before is None):
        raise one_violation("update_recurring_credits[0]", ONE_CHANGE)
    if update.access_amount is None:
        return pb.EndGrantScheduleRequest(
            request_id=request_id,
            contract_id=contract_id,
            grant_schedule_id=update.recurring_credit_id,
            end_time=optional_timestamp(update.ending_before),
        )
    amount = update.access_amount.unit_price * (update.access_amount.quantity or 1)
    return pb.EditGrantScheduleRequest(
        request_id=request_id,
        contract_id=contract_id,
        grant_schedule_id=update.recurring_credit_id,
        unit_amount_micros=micros_from_json(
            "update_recurring_credits[0].access_amount.unit_price", amount, schedule.credit_type_id
        ),
    )
