# SPDX-License-Identifier: Apache-2.0
"""Every type that Contract stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats, Json
from services.contract.domain.auto_top_up import AutoTopUp
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.billing.tiers import SeatPrice, TieredSeatRate
from services.contract.domain.commands.contracts import ContractCreated, ScheduleChanged
from services.contract.domain.commands.customers import BillingDetailsSet
from services.contract.domain.commands.invoices import (
    InvoiceAttempt,
    InvoiceCredited,
    InvoicePaid,
    InvoicePaymentRefunded,
    InvoiceVoided,
)
from services.contract.domain.commands.plan_changes import PlanChangeMade
from services.contract.domain.commands.responses import Response
from services.contract.domain.commands.seats import SeatsMoved, SeatsRepriced, SubscriptionChanged
from services.contract.domain.commands.top_ups import TopUpAndInvoice
from services.contract.domain.contract import ContractNow
from services.contract.domain.customer import Customer, Suspension
from services.contract.domain.events import VendorEvent
from services.contract.domain.invoice import Invoice, InvoiceLine
from services.contract.domain.invoice_parties import BillingDetails, InvoiceParties, Party
from services.contract.domain.notices import (
    ContractChanged,
    CustomerChanged,
    Payload,
    PlanChanged,
    SeatsChanged,
    TopUpLevelChanged,
    TopUpPaid,
    TopUpRefunded,
    TopUpRefundReversed,
)
from services.contract.domain.overage import OverageLimit
from services.contract.domain.payment_setups import PaymentSetup
from services.contract.domain.payments import PaymentMethod
from services.contract.domain.plan_change import PaidSeats, UnusedShare
from services.contract.domain.plan_offer import OfferedTerms, PlanOffer
from services.contract.domain.refunds import TopUpRefund
from services.contract.domain.schedules import Rollover, ScheduleEdition
from services.contract.domain.seats.voids import SeatVoid
from services.contract.domain.usage.report import UsageReport


def _seats_moved_2(data: Json) -> Json:
    """Absolute counts: until then every change was a difference."""
    listed = data["listed"]
    return data | {"listed": listed | {"change": listed["change"] | {"new_quantity": None}}}


def _carried_on_lines(invoice: Json) -> Json:
    """Fractions of cents that are carried to the next line: until then each line was rounded separately."""
    return invoice | {"lines": [line | {"carried_micros": 0} for line in invoice["lines"]]}


def _carried_on_invoices(response: Json) -> Json:
    return response | {"invoices": [_carried_on_lines(one) for one in response["invoices"]]}


def _carried_on_both_invoices(response: Json) -> Json:
    regenerated = response["regenerated"]
    return _carried_on_its_invoice(response) | {
        "regenerated": None if regenerated is None else _carried_on_lines(regenerated)
    }


def _carried_on_its_invoice(response: Json) -> Json:
    invoice = response["invoice"]
    return response | {"invoice": None if invoice is None else _carried_on_lines(invoice)}


def _seats_changed_2(data: Json) -> Json:
    return data | {"new_quantity": None, "accept_time": None}


def _accepted_contract(now: Json) -> Json:
    """When a contract's terms were accepted: until then only when it was signed."""
    return now | {"contract": now["contract"] | {"accept_time": None}}


def _accepted_signed(created: Json) -> Json:
    return created | {"contract": _accepted_contract(created["contract"])}


def _term_of_contract(now: Json) -> Json:
    """Terms: until then there were none."""
    return now | {"contract": now["contract"] | {"term": None}}


def _term_of_signed(created: Json) -> Json:
    return created | {"contract": _term_of_contract(created["contract"])}


def _contract_changed_2(data: Json) -> Json:
    return data | {"accept_time": None}


def _unbilled(paid: Json) -> Json:
    """Seats that are not billed yet: until then they were left out."""
    nothing = {"currency_code": paid["charged"]["currency_code"], "micros": 0}
    return paid | {"unbilled": nothing, "unbilled_passed": {"numerator": 0, "denominator": 1}}


def _unbilled_of_all(changed: Json) -> Json:
    return changed | {"paid": [_unbilled(one) for one in changed["paid"]]}


def _customer_2(data: Json) -> Json:
    """Why a customer is suspended: until then only whether."""
    unexplained = {"reason": "OPERATOR", "note": "", "create_time": None}
    suspensions = [unexplained] if data.pop("is_suspended") else []
    return data | {"suspensions": suspensions, "archive_time": None}


def _rhythm(subscription: Json) -> Json:
    """Arrears, several periods in one, anchors: until then everything was billed in advance from the start."""
    return subscription | {"collection_schedule": "ADVANCE", "interval_count": 1, "anchor_time": None}


def _rhythm_of_seats(now: Json) -> Json:
    return now | {"subscription": _rhythm(now["subscription"])}


def _rhythms_of_contract(now: Json) -> Json:
    contract = now["contract"]
    return now | {
        "contract": contract | {"subscriptions": [_rhythm(one) for one in contract["subscriptions"]]},
        "subscriptions": [_rhythm_of_seats(one) for one in now["subscriptions"]],
    }


def _rhythms_of_signed(created: Json) -> Json:
    return created | {"contract": _rhythms_of_contract(created["contract"])}


def _rhythm_of_moved(moved: Json) -> Json:
    return moved | {"subscription": _rhythm_of_seats(moved["subscription"])}


def _life_of_invoice(invoice: Json) -> Json:
    """Numbers and payments: until then there were none, and FINALIZED stood for OPEN."""
    nothing = {"currency_code": invoice["total"]["currency_code"], "micros": 0}
    return {
        **invoice,
        "status": "OPEN" if invoice["status"] == "FINALIZED" else invoice["status"],
        "number": "",
        "paid": nothing,
        "credited": nothing,
        "void_time": None,
        "void_reason": "",
    }


def _life_of_invoices(response: Json) -> Json:
    return {**response, "invoices": [_life_of_invoice(one) for one in response["invoices"]]}


def _life_of_its_invoice(response: Json) -> Json:
    invoice = response["invoice"]
    return {**response, "invoice": None if invoice is None else _life_of_invoice(invoice)}


def _one_attempt(ordered: Json) -> Json:
    """Attempts of a payment: until then an order waited without end, and a declined payment ended it."""
    return ordered | {"top_up": ordered["top_up"] | {"expire_time": None, "last_payment_error": None}}


_TERMS = (
    "unit_amount",
    "priority",
    "prorates_increases",
    "period_proration",
    "commit_duration",
    "scope_product_ids",
)


def _edited_schedules(contract: Json) -> Json:
    """Schedules with editions: until then their terms were their fields, and neither changed nor rolled over."""
    schedules = [
        {name: value for name, value in one.items() if name not in _TERMS}
        | {"terms": {name: one[name] for name in _TERMS} | {"rollover": None}}
        | {"interval_count": 1, "end_time": None, "editions": []}
        for one in contract["grant_schedules"]
    ]
    return contract | {"grant_schedules": schedules}


def _edited_schedules_now(now: Json) -> Json:
    return now | {"contract": _edited_schedules(now["contract"])}


def _edited_schedules_created(created: Json) -> Json:
    return created | {"contract": _edited_schedules_now(created["contract"])}


def _edited_schedules_of_both(changed: Json) -> Json:
    return changed | {name: _edited_schedules(changed[name]) for name in ("ended", "begun")}


def _counted_seats(subscription: Json) -> Json:
    """Named seats: until then all seats were only counted, and all credits pooled."""
    return subscription | {"named": None}


def _pooled(schedule: Json) -> Json:
    return schedule | {"allocation": "POOLED"}


def _counted_seats_of(contract: Json) -> Json:
    return contract | {
        "subscriptions": [_counted_seats(one) for one in contract["subscriptions"]],
        "grant_schedules": [_pooled(one) for one in contract["grant_schedules"]],
    }


def _counted_seats_of_both(changed: Json) -> Json:
    return changed | {name: _counted_seats_of(changed[name]) for name in ("ended", "begun")}


def _counted_now(now: Json) -> Json:
    return now | {"subscription": _counted_seats(now["subscription"]), "assigned_quantity": 0}


def _counted_contract(now: Json) -> Json:
    return now | {
        "contract": _counted_seats_of(now["contract"]),
        "subscriptions": [_counted_now(one) for one in now["subscriptions"]],
    }


def _counted_created(created: Json) -> Json:
    return created | {"contract": _counted_contract(created["contract"])}


def _counted_schedule(changed: Json) -> Json:
    return changed | {"grant_schedule": _pooled(changed["grant_schedule"])}


_NO_NAMES: Final[Json] = {"assign": [], "unassign": [], "transfers": []}


def _counted_moved(moved: Json) -> Json:
    listed = moved["listed"]
    return moved | {
        "listed": listed | {"change": listed["change"] | {"assigned_delta": 0}, "names": _NO_NAMES},
        "subscription": _counted_now(moved["subscription"]),
    }


def _counted_change(changed: Json) -> Json:
    return changed | {"names": _NO_NAMES}


def _change_that_counts(changed: Json) -> Json:
    return changed | {"is_void": False}


def _without_money(changed: Json) -> Json:
    """Voids of changes in effect, whose money is settled: until then only changes to come could be voided."""
    return changed | {"seat_void_id": None, "paid": None}


def _without_first_seats(changed: Json) -> Json:
    """Seat ids of the plan that begins: until then they came only after it."""
    return changed | {"first_seats": []}


def _hard_stop(data: Json) -> Json:
    """Overage: until then every contract stopped hard."""
    return data | {"overage": []}


def _hard_stop_of_contract(now: Json) -> Json:
    return now | {"contract": _hard_stop(now["contract"])}


def _hard_stop_of_signed(created: Json) -> Json:
    return created | {"contract": _hard_stop_of_contract(created["contract"])}


def _hard_stop_of_both(changed: Json) -> Json:
    begun = changed["begun"]  # a contract may end without another one
    return changed | {
        "ended": _hard_stop(changed["ended"]),
        "begun": None if begun is None else _hard_stop(begun),
    }


def _not_free(data: Json) -> Json:
    """Free schedules: until then none was known to be free."""
    return data | {"free": []}


def _not_free_of_both(changed: Json) -> Json:
    begun = changed["begun"]
    return changed | {
        "ended": _not_free(changed["ended"]),
        "begun": None if begun is None else _not_free(begun),
    }


def _default_end(now: Json) -> Json:
    """Money that comes back at an end to come: until then only an end now gave any back."""
    return now | {"contract": now["contract"] | {"end_money_back": None, "settles_end": False}}


def _default_end_of_signed(created: Json) -> Json:
    return created | {"contract": _default_end(created["contract"])}


def _sent(now: Json) -> Json:
    """How invoices are collected: until then the vendor sent them and reported their payments."""
    sent = {"method": "SEND", "retry_days": [2, 7, 14, 21], "after_last_retry": "NOTHING"}
    return now | {"contract": now["contract"] | {"collection": sent}}


def _sent_of_signed(created: Json) -> Json:
    return created | {"contract": _sent(created["contract"])}


def _served_in_debt(now: Json) -> Json:
    """A debt suspends nobody: until then there was none."""
    contract = now["contract"]
    return now | {"contract": contract | {"collection": contract["collection"] | {"suspend_in_debt": False}}}


def _served_in_debt_of_signed(created: Json) -> Json:
    return created | {"contract": _served_in_debt(created["contract"])}


def _not_reversed(done: Json) -> Json:
    """Refunds that the provider has made, and disputes: until then there were only those that we ask for."""
    return done | {"refund": done["refund"] | {"provider_refund_id": "", "reverse_time": None}}


# The columns seller_details.details, billing_details.details and invoice_parties.parties; Party is a response, too.
PARTY: Final = Format("Party", Party)
BILLING_DETAILS: Final = Format("BillingDetails", BillingDetails)
INVOICE_PARTIES: Final = Format("InvoiceParties", InvoiceParties)


def _by_request(refund: Json) -> Json:
    """TopUpRefund 1 to 2: money can go back for credits that were spent, and without us."""
    return {
        **refund,
        "accept_debt": False,
        "cause": "REQUEST",
        "provider_refund_id": "",
        "owed": {"micros": 0},
    }


def _pays_no_debts(paid: Json) -> Json:
    """TOP_UP_PAID 1 to 2: a part of a grant can pay a debt. What was sent before is repeated as it was."""
    return {**paid, "pays_debts": False}


def _unspent_only(refunded: Json) -> Json:
    """TOP_UP_REFUNDED 1 to 2: it can leave a debt."""
    return {**refunded, "accept_debt": False, "currency_code": ""}


RESPONSES: Final = Formats[Response](
    Format("Customer", Customer, (_customer_2,)),
    Format(
        "ContractCreated",
        ContractCreated,
        (
            _life_of_invoices,
            _carried_on_invoices,
            _rhythms_of_signed,
            _accepted_signed,
            _term_of_signed,
            _edited_schedules_created,
            _counted_created,
            _hard_stop_of_signed,
            _default_end_of_signed,
            _sent_of_signed,
            _served_in_debt_of_signed,
        ),
    ),
    Format(
        "ContractNow",
        ContractNow,
        (
            _rhythms_of_contract,
            _accepted_contract,
            _term_of_contract,
            _edited_schedules_now,
            _counted_contract,
            _hard_stop_of_contract,
            _default_end,
            _sent,
            _served_in_debt,
        ),
    ),
    Format(
        "SeatsMoved",
        SeatsMoved,
        (_seats_moved_2, _life_of_its_invoice, _carried_on_its_invoice, _rhythm_of_moved, _counted_moved),
    ),
    Format("TopUpAndInvoice", TopUpAndInvoice, (_life_of_its_invoice, _carried_on_its_invoice, _one_attempt)),
    Format("Invoice", Invoice, (_carried_on_lines,)),
    Format("InvoiceVoided", InvoiceVoided, (_carried_on_both_invoices,)),
    Format("SeatsRepriced", SeatsRepriced),
    Format("PlanChangeMade", PlanChangeMade),
    Format("PlanOffer", PlanOffer),
    Format("InvoicePaid", InvoicePaid, (_carried_on_its_invoice,)),
    Format("ScheduleChanged", ScheduleChanged, (_counted_schedule,)),
    Format("SubscriptionChanged", SubscriptionChanged),
    Format("InvoiceCredited", InvoiceCredited),
    Format("BillingDetailsSet", BillingDetailsSet),
    PARTY,
    Format("PaymentMethod", PaymentMethod),
    Format("PaymentSetup", PaymentSetup),
    Format("InvoiceAttempt", InvoiceAttempt),
    Format("InvoicePaymentRefunded", InvoicePaymentRefunded, (_not_reversed,)),
    Format("TopUpRefund", TopUpRefund, (_by_request,)),
    Format("AutoTopUp", AutoTopUp),
)
NOTICES: Final = Formats[Payload](
    Format("CUSTOMER_CHANGED", CustomerChanged),
    Format(
        "CONTRACT_CHANGED",
        ContractChanged,
        (_contract_changed_2, _edited_schedules, _counted_seats_of, _hard_stop, _not_free),
    ),
    Format(
        "SEATS_CHANGED",
        SeatsChanged,
        (_seats_changed_2, _counted_change, _change_that_counts, _without_money),
    ),
    Format("TOP_UP_PAID", TopUpPaid, (_pays_no_debts,)),
    Format("TOP_UP_REFUNDED", TopUpRefunded, (_unspent_only,)),
    Format("TOP_UP_REFUND_REVERSED", TopUpRefundReversed),
    Format("TOP_UP_LEVEL_CHANGED", TopUpLevelChanged),
    Format("VENDOR_EVENT", VendorEvent),
    Format(
        "PLAN_CHANGED",
        PlanChanged,
        (
            _edited_schedules_of_both,
            _unbilled_of_all,
            _counted_seats_of_both,
            _without_first_seats,
            _hard_stop_of_both,
            _not_free_of_both,
        ),
    ),
)
# One element of subscriptions.rates, the copy of the Catalog's rates.
SEAT_RATE: Final = Format("SeatRate", SeatRate)
TIERED_SEAT_RATE: Final = Format("TieredSeatRate", TieredSeatRate)
# One element of customers.suspensions.
SUSPENSION: Final = Format("Suspension", Suspension)
# One element of plan_changes.paid, and of plan_changes.unused.
PAID_SEATS: Final = Format("PaidSeats", PaidSeats, (_unbilled,))
UNUSED_SHARE: Final = Format("UnusedShare", UnusedShare)
# seat_voids.void.
SEAT_VOID: Final = Format("SeatVoid", SeatVoid)
# grant_schedules.rollover, and one element of grant_schedules.editions.
ROLLOVER: Final = Format("GrantRollover", Rollover)
EDITION: Final = Format("GrantEdition", ScheduleEdition)
# invoice_usage.report, and one element of invoice_usage.draft_lines.
USAGE_REPORT: Final = Format("UsageReport", UsageReport)
DRAFT_LINE: Final = Format("DraftLine", InvoiceLine)
# One element of contracts.overage.
OVERAGE_LIMIT: Final = Format("OverageLimit", OverageLimit)
# plan_offers.terms.
OFFERED_TERMS: Final = Format("OfferedTerms", OfferedTerms)
Column = (
    SeatRate
    | TieredSeatRate
    | Suspension
    | PaidSeats
    | UnusedShare
    | SeatVoid
    | Rollover
    | ScheduleEdition
    | OverageLimit
    | OfferedTerms
    | Party
    | BillingDetails
    | InvoiceParties
    | UsageReport
    | InvoiceLine
)
COLUMNS: Final = Formats[Column](
    SEAT_RATE,
    TIERED_SEAT_RATE,
    SUSPENSION,
    PAID_SEATS,
    UNUSED_SHARE,
    SEAT_VOID,
    ROLLOVER,
    EDITION,
    OVERAGE_LIMIT,
    OFFERED_TERMS,
    PARTY,
    BILLING_DETAILS,
    INVOICE_PARTIES,
    USAGE_REPORT,
    DRAFT_LINE,
)


def encode_price(price: SeatPrice) -> Json:
    """Return a price of seats as JSON. One without tiers is stored as it was before there were tiers."""
    return SEAT_RATE.encode(price) if isinstance(price, SeatRate) else TIERED_SEAT_RATE.encode(price)


def decode_price(data: Json) -> SeatPrice:
    return TIERED_SEAT_RATE.decode(data) if "tiers" in data else SEAT_RATE.decode(data)
