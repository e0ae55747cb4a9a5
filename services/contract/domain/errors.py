# SPDX-License-Identifier: Apache-2.0
"""The faults of Contract, one class per reason in contract.proto."""

from meshkit.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    Invalid,
    InvalidFields,
    NotFound,
    Unavailable,
)


class AliasTaken(AlreadyExists):
    """The alias belongs to another customer."""

    reason = "ALIAS_TAKEN"

    def __init__(self, *, alias: str) -> None:
        super().__init__(
            f"alias {alias!r} belongs to another customer; an alias names one customer only", alias=alias
        )


class CustomerNotFound(NotFound):
    """No customer has the id or alias."""

    reason = "CUSTOMER_NOT_FOUND"

    def __init__(self, *, customer: str) -> None:
        super().__init__(
            f"customer {customer!r} does not exist, by id or alias; ListCustomers lists all",
            customer=customer,
        )


class CustomerArchived(FailedPrecondition):
    """The customer is archived."""

    reason = "CUSTOMER_ARCHIVED"

    def __init__(self, *, customer_id: str, archive_time: str) -> None:
        super().__init__(
            f"customer {customer_id!r} was archived at {archive_time}; UnarchiveCustomer undoes it",
            customer_id=customer_id,
            archive_time=archive_time,
        )


class CustomerHasContract(FailedPrecondition):
    """A contract of the customer has not ended."""

    reason = "CUSTOMER_HAS_CONTRACT"

    def __init__(self, *, customer_id: str, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} of customer {customer_id!r} has not ended; end it first",
            customer_id=customer_id,
            contract_id=contract_id,
        )


class ContractNotFound(NotFound):
    """No contract has the id."""

    reason = "CONTRACT_NOT_FOUND"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} does not exist; ListContracts lists all", contract_id=contract_id
        )


class TermNotOver(FailedPrecondition):
    """The contract would end before its term, or without the notice that was agreed."""

    reason = "TERM_NOT_OVER"

    def __init__(self, *, end_time: str, earliest_end_time: str) -> None:
        super().__init__(
            f"the contract can end at {earliest_end_time} at the earliest, by its term and notice period, and not at"
            f" {end_time}; END_OPTION_TERM_END ends it then, ignores_term ends it anyway",
            end_time=end_time,
            earliest_end_time=earliest_end_time,
        )


class NoTerm(FailedPrecondition):
    """The contract has no term that renews, so there is no end of it to wait for."""

    reason = "NO_TERM"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no term that renews; END_OPTION_PERIOD_END or an end_time ends it",
            contract_id=contract_id,
        )


class PlanChangeNotFound(NotFound):
    """No change of plan has the id."""

    reason = "PLAN_CHANGE_NOT_FOUND"

    def __init__(self, *, plan_change_id: str) -> None:
        super().__init__(
            f"change of plan {plan_change_id!r} does not exist; ListPlanChanges lists a contract's",
            plan_change_id=plan_change_id,
        )


class PlanUnchanged(FailedPrecondition):
    """The new plan has the terms and seats of the old one."""

    reason = "PLAN_UNCHANGED"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has these terms and seats already; nothing was changed",
            contract_id=contract_id,
        )


class PlanNotProrated(FailedPrecondition):
    """A plan's credits are not prorated like its money, or are granted for longer than a billing period."""

    reason = "PLAN_NOT_PRORATED"

    def __init__(self, *, grant_schedule: str) -> None:
        super().__init__(
            f"{grant_schedule} is not prorated like its seats, or grants for longer than they are billed; changing such"
            " plans back and forth can bring more credits than were paid for: set accept_unprorated to allow it",
            grant_schedule=grant_schedule,
        )


class SubscriptionNotFound(NotFound):
    """The contract has no such subscription."""

    reason = "SUBSCRIPTION_NOT_FOUND"

    def __init__(self, *, contract_id: str, subscription_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no subscription {subscription_id!r}; GetContract lists them",
            contract_id=contract_id,
            subscription_id=subscription_id,
        )


class TopUpNotFound(NotFound):
    """No top-up has the id."""

    reason = "TOP_UP_NOT_FOUND"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(f"top-up {top_up_id!r} does not exist; ListTopUps lists all", top_up_id=top_up_id)


class InvoiceNotFound(NotFound):
    """No invoice has the id."""

    reason = "INVOICE_NOT_FOUND"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} does not exist; ListInvoices lists all", invoice_id=invoice_id
        )


class RateCardNotFound(NotFound):
    """The Catalog has no such rate card."""

    reason = "RATE_CARD_NOT_FOUND"

    def __init__(self, *, rate_card_id: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} does not exist in the Catalog; its ListRateCards lists all",
            rate_card_id=rate_card_id,
        )


class ProductNotFound(NotFound):
    """The Catalog has no such product."""

    reason = "PRODUCT_NOT_FOUND"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} does not exist in the Catalog; its ListProducts lists all",
            product_id=product_id,
        )


class CreditTypeNotFound(NotFound):
    """The Catalog has no such credit type."""

    reason = "CREDIT_TYPE_NOT_FOUND"

    def __init__(self, *, credit_type_id: str) -> None:
        super().__init__(
            f"credit type {credit_type_id!r} does not exist in the Catalog; its ListCreditTypes lists all",
            credit_type_id=credit_type_id,
        )


class TopUpPackNotFound(NotFound):
    """The Catalog has no such pack."""

    reason = "TOP_UP_PACK_NOT_FOUND"

    def __init__(self, *, top_up_pack_id: str) -> None:
        super().__init__(
            f"top-up pack {top_up_pack_id!r} does not exist in the Catalog; its ListTopUpPacks lists all",
            top_up_pack_id=top_up_pack_id,
        )


class RateNotFound(FailedPrecondition):
    """The rate card does not price the product at that frequency and instant."""

    reason = "RATE_NOT_FOUND"

    def __init__(self, *, rate_card_id: str, product_id: str, billing_frequency: str, at: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} has no {billing_frequency} price of product {product_id!r} at {at};"
            " add one with the Catalog's AddRates",
            rate_card_id=rate_card_id,
            product_id=product_id,
            billing_frequency=billing_frequency,
            at=at,
        )


class ProductNotSubscription(FailedPrecondition):
    """Seats can only be sold as SUBSCRIPTION products."""

    reason = "PRODUCT_NOT_SUBSCRIPTION"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not a SUBSCRIPTION product; seats must be sold as one",
            product_id=product_id,
        )


class ProductNotFixed(FailedPrecondition):
    """Credits can only be sold as FIXED products."""

    reason = "PRODUCT_NOT_FIXED"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not a FIXED product; credits must be sold as one",
            product_id=product_id,
        )


class ContractEnded(FailedPrecondition):
    """The contract has ended."""

    reason = "CONTRACT_ENDED"

    def __init__(self, *, contract_id: str, end_time: str) -> None:
        super().__init__(
            f"contract {contract_id!r} ended at {end_time}; sign a new one",
            contract_id=contract_id,
            end_time=end_time,
        )


class ContractNotStarted(FailedPrecondition):
    """The contract is not in force yet."""

    reason = "CONTRACT_NOT_STARTED"

    def __init__(self, *, contract_id: str, start_time: str) -> None:
        super().__init__(
            f"contract {contract_id!r} starts at {start_time}; order from then on",
            contract_id=contract_id,
            start_time=start_time,
        )


class GrantScheduleNotFound(NotFound):
    """The contract has no such grant schedule."""

    reason = "GRANT_SCHEDULE_NOT_FOUND"

    def __init__(self, *, contract_id: str, grant_schedule_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no grant schedule {grant_schedule_id!r}; GetContract lists them",
            contract_id=contract_id,
            grant_schedule_id=grant_schedule_id,
        )


class GrantScheduleEnded(FailedPrecondition):
    """The grant schedule has ended."""

    reason = "GRANT_SCHEDULE_ENDED"

    def __init__(self, *, grant_schedule_id: str, end_time: str) -> None:
        super().__init__(
            f"grant schedule {grant_schedule_id!r} ended at {end_time}; what has ended stays as it is",
            grant_schedule_id=grant_schedule_id,
            end_time=end_time,
        )


class EditBeforeNow(FailedPrecondition):
    """A grant schedule cannot be edited for periods that have begun."""

    reason = "EDIT_BEFORE_NOW"

    def __init__(self, *, effective_time: str, now_time: str) -> None:
        super().__init__(
            f"effective_time {effective_time} is before now ({now_time}); grants that have begun keep their terms",
            effective_time=effective_time,
            now_time=now_time,
        )


class TooManyEditions(FailedPrecondition):
    """The grant schedule was edited too often."""

    reason = "TOO_MANY_EDITIONS"

    def __init__(self, *, grant_schedule_id: str, editions_max: int) -> None:
        super().__init__(
            f"grant schedule {grant_schedule_id!r} has {editions_max} editions; end it, and sign another",
            grant_schedule_id=grant_schedule_id,
            editions_max=str(editions_max),
        )


class EndBeforeNow(FailedPrecondition):
    """Neither a contract nor a grant schedule can end in the past."""

    reason = "END_BEFORE_NOW"

    def __init__(self, *, end_time: str, now_time: str) -> None:
        super().__init__(
            f"end_time {end_time} is before now ({now_time}); leave it out to end it now",
            end_time=end_time,
            now_time=now_time,
        )


class AnchorAfterStart(Invalid):
    """Billing periods are counted from an instant at or before the contract's start."""

    reason = "ANCHOR_AFTER_START"

    def __init__(self, *, field: str, anchor_time: str, start_time: str) -> None:
        super().__init__(
            f"{field} {anchor_time} is after the contract's start at {start_time}; use anchor_day to fix only the day",
            field=field,
            anchor_time=anchor_time,
            start_time=start_time,
        )


class NoBillingPeriod(FailedPrecondition):
    """A contract without seats has no billing period to end with."""

    reason = "NO_BILLING_PERIOD"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no seats and so no billing period; name an end_time",
            contract_id=contract_id,
        )


class PeriodStartedTooLongAgo(FailedPrecondition):
    """Only within 24 h of its start is a billing period not wanted."""

    reason = "PERIOD_STARTED_TOO_LONG_AGO"

    def __init__(self, *, period_start: str, now_time: str) -> None:
        super().__init__(
            f"the open billing period started at {period_start}, more than 24 h before now ({now_time});"
            " leave end_option out to end the contract now",
            period_start=period_start,
            now_time=now_time,
        )


class SeatsBelowZero(FailedPrecondition):
    """At some instant the number of seats would be negative."""

    reason = "SEATS_BELOW_ZERO"

    def __init__(self, *, subscription_id: str, at: str, quantity: str) -> None:
        super().__init__(
            f"subscription {subscription_id!r} would have {quantity} seats at {at}; remove fewer",
            subscription_id=subscription_id,
            at=at,
            quantity=quantity,
        )


class TooFewSeats(FailedPrecondition):
    """At some instant more seat ids would have a seat than there are seats."""

    reason = "TOO_FEW_SEATS"

    def __init__(self, *, subscription_id: str, at: str, quantity: str, assigned: str) -> None:
        super().__init__(
            f"subscription {subscription_id!r} would have {quantity} seats at {at}, and {assigned} assigned ids;"
            " unassign ids, or add seats",
            subscription_id=subscription_id,
            at=at,
            quantity=quantity,
            assigned=assigned,
        )


class SeatAlreadyAssigned(FailedPrecondition):
    """The id would get a second seat."""

    reason = "SEAT_ALREADY_ASSIGNED"

    def __init__(self, *, seat_id: str, at: str) -> None:
        super().__init__(
            f"{seat_id!r} has a seat at {at} already; an id has one seat", seat_id=seat_id, at=at
        )


class SeatNotAssigned(FailedPrecondition):
    """The id has no seat that it could lose."""

    reason = "SEAT_NOT_ASSIGNED"

    def __init__(self, *, seat_id: str, at: str) -> None:
        super().__init__(
            f"{seat_id!r} has no seat at {at}; ListSeats lists who has one", seat_id=seat_id, at=at
        )


class SeatChangeNotFound(NotFound):
    """No seat change of the contract has the id, or it is void."""

    reason = "SEAT_CHANGE_NOT_FOUND"

    def __init__(self, *, contract_id: str, seat_change_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no seat change {seat_change_id!r}; ListSeatChanges lists all that count",
            contract_id=contract_id,
            seat_change_id=seat_change_id,
        )


class SeatChangeInEffect(FailedPrecondition):
    """The change has taken effect, and only says who has a seat."""

    reason = "SEAT_CHANGE_IN_EFFECT"

    def __init__(self, *, seat_change_id: str, effective_time: str) -> None:
        super().__init__(
            f"seat change {seat_change_id!r} took effect at {effective_time} and changed seat ids only;"
            " assign, unassign or transfer them back with ChangeSeats",
            seat_change_id=seat_change_id,
            effective_time=effective_time,
        )


class SeatChangePeriodOver(FailedPrecondition):
    """The change took effect in a billing period that is over."""

    reason = "SEAT_CHANGE_PERIOD_OVER"

    def __init__(self, *, seat_change_id: str, effective_time: str, open_from_time: str) -> None:
        super().__init__(
            f"seat change {seat_change_id!r} took effect at {effective_time}, before the open billing period, which"
            f" began at {open_from_time}; make the opposite change with ChangeSeats, and give money back with"
            " CreateCreditNote",
            seat_change_id=seat_change_id,
            effective_time=effective_time,
            open_from_time=open_from_time,
        )


class SeatsPromised(FailedPrecondition):
    """An end that was set ahead charges the seats by use when it passes."""

    reason = "SEATS_PROMISED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"seats of subscription {subscription_id!r} that are not billed yet are charged by use at an end that was"
            " set ahead; take them away with ChangeSeats",
            subscription_id=subscription_id,
        )


class PeriodNotBilled(FailedPrecondition):
    """The open billing period has no price yet, so what its seats cost is not known."""

    reason = "PERIOD_NOT_BILLED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"the open billing period of subscription {subscription_id!r} is not billed yet; repeat the call"
            " when it is",
            subscription_id=subscription_id,
        )


class SeatsNotNamed(FailedPrecondition):
    """The seats of the subscription are only counted."""

    reason = "SEATS_NOT_NAMED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"the seats of subscription {subscription_id!r} are only counted; NameSeats makes them named seats",
            subscription_id=subscription_id,
        )


class SeatsAlreadyNamed(FailedPrecondition):
    """The seats of the subscription are named already."""

    reason = "SEATS_ALREADY_NAMED"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"the seats of subscription {subscription_id!r} are named already; ChangeSeats assigns them",
            subscription_id=subscription_id,
        )


class OutsideOpenPeriod(FailedPrecondition):
    """Seats cannot change before the start of the open billing period."""

    reason = "OUTSIDE_OPEN_PERIOD"

    def __init__(self, *, effective_time: str, open_from_time: str) -> None:
        super().__init__(
            f"effective_time {effective_time} is before the open billing period, which starts at {open_from_time}",
            effective_time=effective_time,
            open_from_time=open_from_time,
        )


class EffectiveAfterContractEnd(FailedPrecondition):
    """The change would never take effect."""

    reason = "EFFECTIVE_AFTER_CONTRACT_END"

    def __init__(self, *, effective_time: str, end_time: str) -> None:
        super().__init__(
            f"effective_time {effective_time} is not before the contract's end at {end_time}",
            effective_time=effective_time,
            end_time=end_time,
        )


class TopUpAlreadyResolved(FailedPrecondition):
    """The payment had another outcome already."""

    reason = "TOP_UP_ALREADY_RESOLVED"

    def __init__(self, *, top_up_id: str, status: str, outcome: str) -> None:
        advice = "; order a new one" if outcome == "PAID" else ""
        super().__init__(
            f"top-up {top_up_id!r} is {status} and cannot become {outcome}{advice}",
            top_up_id=top_up_id,
            status=status,
            outcome=outcome,
        )


class InvoiceAlreadyFinalized(FailedPrecondition):
    """The invoice was issued before."""

    reason = "INVOICE_ALREADY_FINALIZED"

    def __init__(self, *, invoice_id: str, number: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} was issued already, under the number {number!r}",
            invoice_id=invoice_id,
            number=number,
        )


class InvoiceNotFinalized(FailedPrecondition):
    """The invoice is still a draft."""

    reason = "INVOICE_NOT_FINALIZED"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} is a draft; issue it first with FinalizeInvoice", invoice_id=invoice_id
        )


class InvoiceVoid(FailedPrecondition):
    """The invoice was cancelled."""

    reason = "INVOICE_VOID"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(f"invoice {invoice_id!r} is void, which is final", invoice_id=invoice_id)


class InvoiceAlreadyPaid(FailedPrecondition):
    """Nothing is due any more."""

    reason = "INVOICE_ALREADY_PAID"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} is paid; a credit note gives money back", invoice_id=invoice_id
        )


class InvoiceHasPayments(FailedPrecondition):
    """A part of the invoice was paid or credited, so it can no longer be cancelled."""

    reason = "INVOICE_HAS_PAYMENTS"

    def __init__(self, *, invoice_id: str, settled_micros: str) -> None:
        super().__init__(
            f"of invoice {invoice_id!r}, {settled_micros} micros are paid or credited already;"
            " a credit note takes off the rest",
            invoice_id=invoice_id,
            settled_micros=settled_micros,
        )


class InvoiceZero(FailedPrecondition):
    """An invoice without a line that is not 0 is not issued."""

    reason = "INVOICE_ZERO"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"every line of invoice {invoice_id!r} is 0, so there is nothing to issue", invoice_id=invoice_id
        )


class TopUpPending(FailedPrecondition):
    """The invoice follows its top-up, whose payment is not decided yet."""

    reason = "TOP_UP_PENDING"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} belongs to a top-up that waits for its payment; report that with"
            " ResolveTopUpPayment, or give it up with CancelTopUp",
            invoice_id=invoice_id,
        )


class PlanChangePending(FailedPrecondition):
    """The invoice is issued when the Ledger has said what comes back of the old plan."""

    reason = "PLAN_CHANGE_PENDING"

    def __init__(self, *, invoice_id: str, plan_change_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} waits for what the Ledger says of change of plan {plan_change_id!r};"
            " it is issued then",
            invoice_id=invoice_id,
            plan_change_id=plan_change_id,
        )


class TopUpGranted(FailedPrecondition):
    """The credits that the invoice charges are granted already."""

    reason = "TOP_UP_GRANTED"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"the credits of invoice {invoice_id!r} are granted already; use a credit note",
            invoice_id=invoice_id,
        )


class InvoiceCreditsGranted(FailedPrecondition):
    """The seats that the invoice charges have brought credits."""

    reason = "INVOICE_CREDITS_GRANTED"

    def __init__(self, *, invoice_id: str, subscription_id: str) -> None:
        super().__init__(
            f"the seats of subscription {subscription_id!r} on invoice {invoice_id!r} have brought credits; use"
            " `regenerate` or a credit note, or take the seats back with EndContract or VoidSeatChange",
            invoice_id=invoice_id,
            subscription_id=subscription_id,
        )


class PaymentExceedsDue(FailedPrecondition):
    """More than what is due cannot be paid."""

    reason = "PAYMENT_EXCEEDS_DUE"

    def __init__(self, *, invoice_id: str, due_micros: str) -> None:
        super().__init__(
            f"only {due_micros} micros of invoice {invoice_id!r} are due",
            invoice_id=invoice_id,
            due_micros=due_micros,
        )


class PaymentAlreadyRecorded(AlreadyExists):
    """The invoice has a payment of this reference."""

    reason = "PAYMENT_ALREADY_RECORDED"

    def __init__(self, *, invoice_id: str, reference: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} already has a payment {reference!r}; another payment needs another reference",
            invoice_id=invoice_id,
            reference=reference,
        )


class CreditExceedsInvoice(FailedPrecondition):
    """Credit notes cannot take off more than the invoice, or its line, charged."""

    reason = "CREDIT_EXCEEDS_INVOICE"

    def __init__(self, *, invoice_id: str, left_micros: str, invoice_line_id: str = "") -> None:
        of = (
            f"line {invoice_line_id!r} of invoice {invoice_id!r}"
            if invoice_line_id
            else f"invoice {invoice_id!r}"
        )
        super().__init__(
            f"credit notes have left {left_micros} micros of {of}; take off at most that",
            invoice_id=invoice_id,
            invoice_line_id=invoice_line_id,
            left_micros=left_micros,
        )


class CurrencyDiffers(FailedPrecondition):
    """The amount is in another currency than what it belongs to."""

    reason = "CURRENCY_DIFFERS"

    def __init__(self, *, currency_code: str, expected: str) -> None:
        super().__init__(
            f"the amount is in {currency_code!r}, but must be in {expected}",
            currency_code=currency_code,
            expected=expected,
        )


class ConversionMissing(FailedPrecondition):
    """The rate card does not say what a credit of this type costs as overage."""

    reason = "CONVERSION_MISSING"

    def __init__(self, *, rate_card_id: str, credit_type_id: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} has no conversion for credit type {credit_type_id!r}, so its overage has no"
            " price; sign the contract with a card that has one",
            rate_card_id=rate_card_id,
            credit_type_id=credit_type_id,
        )


class DocumentTooLarge(FailedPrecondition):
    """The document does not fit into a response."""

    reason = "DOCUMENT_TOO_LARGE"

    def __init__(self, *, invoice_id: str, size: str) -> None:
        super().__init__(
            f"the document of invoice {invoice_id!r} has {size} bytes, more than a response can hold;"
            " GetInvoice returns its facts",
            invoice_id=invoice_id,
            size=size,
        )


class PdfUnavailable(FailedPrecondition):
    """This installation lacks a library that PDF needs."""

    reason = "PDF_UNAVAILABLE"

    def __init__(self, *, details: str) -> None:
        super().__init__(
            f"PDF needs the system's library Pango ({details}); install it (Debian: libpango-1.0-0,"
            " libpangoft2-1.0-0), or ask for HTML",
            details=details,
        )


class PaidThroughProvider(FailedPrecondition):
    """The payment provider decides, so nobody may report an outcome."""

    reason = "PAID_THROUGH_PROVIDER"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} is paid through Stripe, which Contract asks; there is nothing to report",
            top_up_id=top_up_id,
        )


class NotPaidThroughProvider(FailedPrecondition):
    """The top-up has no payment at a provider."""

    reason = "NOT_PAID_THROUGH_PROVIDER"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} was not ordered with PAYMENT_GATE_STRIPE; report its payment with"
            " ResolveTopUpPayment",
            top_up_id=top_up_id,
        )


class PaymentUnderWay(FailedPrecondition):
    """The provider is taking the money, so the payment cannot be cancelled or changed at the moment."""

    reason = "PAYMENT_UNDER_WAY"

    def __init__(self, *, top_up_id: str = "", invoice_id: str = "") -> None:
        if invoice_id:
            super().__init__(
                f"a payment of invoice {invoice_id!r} is under way; try again when its outcome is known",
                invoice_id=invoice_id,
            )
        else:
            super().__init__(
                f"the payment of top-up {top_up_id!r} is under way; if it fails, the top-up is cancelled by itself",
                top_up_id=top_up_id,
            )


class TopUpNotPaid(FailedPrecondition):
    """Only what was paid and granted can be refunded."""

    reason = "TOP_UP_NOT_PAID"

    def __init__(self, *, top_up_id: str, status: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} is {status}; only one that is PAID can be refunded",
            top_up_id=top_up_id,
            status=status,
        )


class RefundPending(FailedPrecondition):
    """The Ledger has not answered an earlier refund of the top-up yet."""

    reason = "REFUND_PENDING"

    def __init__(self, *, top_up_id: str, refund_id: str) -> None:
        super().__init__(
            f"refund {refund_id!r} of top-up {top_up_id!r} waits for the Ledger; refund again when GetTopUp shows"
            " that it has answered",
            top_up_id=top_up_id,
            refund_id=refund_id,
        )


class DisputeClosed(FailedPrecondition):
    """The dispute has had another outcome."""

    reason = "DISPUTE_CLOSED"

    def __init__(self, *, refund_id: str, status: str) -> None:
        super().__init__(
            f"the dispute of refund {refund_id!r} is closed; the refund is {status}",
            refund_id=refund_id,
            status=status,
        )


class ChargebackNotFound(NotFound):
    """Only a dispute that was reported as opened can be won or lost."""

    reason = "CHARGEBACK_NOT_FOUND"

    def __init__(self, *, top_up_id: str, chargeback_id: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} has no chargeback {chargeback_id!r}; report it as OPENED first",
            top_up_id=top_up_id,
            chargeback_id=chargeback_id,
        )


class RefundExceedsPaid(FailedPrecondition):
    """More than what the invoice charges, less its credit notes, cannot be returned."""

    reason = "REFUND_EXCEEDS_PAID"

    def __init__(self, *, top_up_id: str, left_micros: str) -> None:
        super().__init__(
            f"only {left_micros} micros of the invoice of top-up {top_up_id!r} are left to refund",
            top_up_id=top_up_id,
            left_micros=left_micros,
        )


class RefundExceedsUnspent(FailedPrecondition):
    """More than what the unspent credits cost cannot be returned. Nothing was."""

    reason = "REFUND_EXCEEDS_UNSPENT"

    def __init__(
        self,
        *,
        top_up_id: str,
        refund_id: str,
        refundable_micros: str,
        unspent_micros: str,
        held_micros: str,
    ) -> None:
        super().__init__(
            f"only {unspent_micros} micro-credits of top-up {top_up_id!r} are unspent ({held_micros} more are held), so"
            f" at most {refundable_micros} micros can be refunded; nothing was",
            top_up_id=top_up_id,
            refund_id=refund_id,
            refundable_micros=refundable_micros,
            unspent_micros=unspent_micros,
            held_micros=held_micros,
        )


class AutoTopUpNotFound(NotFound):
    """There is no such automatic top-up."""

    reason = "AUTO_TOP_UP_NOT_FOUND"

    def __init__(self, *, auto_top_up_id: str) -> None:
        super().__init__(
            f"automatic top-up {auto_top_up_id!r} does not exist; ListAutoTopUps lists those of a customer",
            auto_top_up_id=auto_top_up_id,
        )


class PaymentsNotSetUp(FailedPrecondition):
    """This Contract has no payment provider."""

    reason = "PAYMENTS_NOT_SET_UP"

    def __init__(self) -> None:
        super().__init__(
            "no payment provider is set up; set PURSER_CONTRACT_STRIPE_API_KEY, or use PAYMENT_GATE_EXTERNAL"
        )


class InvoicePaymentNotFound(NotFound):
    """The invoice has no such payment, or has several and none was named."""

    reason = "INVOICE_PAYMENT_NOT_FOUND"

    def __init__(self, *, invoice_id: str, invoice_payment_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} has no payment {invoice_payment_id!r}; name one, unless it has only one",
            invoice_id=invoice_id,
            invoice_payment_id=invoice_payment_id,
        )


class PaymentOfTopUp(FailedPrecondition):
    """The payment was the condition for credits, which are taken back with it."""

    reason = "PAYMENT_OF_TOP_UP"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(f"the payment is that of top-up {top_up_id!r}; use RefundTopUp", top_up_id=top_up_id)


class RefundExceedsPayment(FailedPrecondition):
    """More than what is left of a payment cannot be given back."""

    reason = "REFUND_EXCEEDS_PAYMENT"

    def __init__(self, *, invoice_payment_id: str, left_micros: str) -> None:
        super().__init__(
            f"only {left_micros} micros of payment {invoice_payment_id!r} are left to give back",
            invoice_payment_id=invoice_payment_id,
            left_micros=left_micros,
        )


class AmountBelowMinimum(FailedPrecondition):
    """The provider takes no amount that small. It is paid together with a later invoice."""

    reason = "AMOUNT_BELOW_MINIMUM"

    def __init__(self, *, invoice_id: str, due_micros: str, minimum_micros: str) -> None:
        super().__init__(
            f"{due_micros} micros are due of invoice {invoice_id!r}, and the payment provider takes at least"
            f" {minimum_micros}; it is paid together with a later invoice",
            invoice_id=invoice_id,
            due_micros=due_micros,
            minimum_micros=minimum_micros,
        )


class PaymentMethodMissing(FailedPrecondition):
    """The customer has no saved payment method, and none was named."""

    reason = "PAYMENT_METHOD_MISSING"

    def __init__(self, *, customer_id: str) -> None:
        super().__init__(
            f"customer {customer_id!r} has no saved payment method; name one, or save one with SetPaymentMethod",
            customer_id=customer_id,
        )


class PaymentSetupNotFound(NotFound):
    """No setup of a payment method has this id."""

    reason = "PAYMENT_SETUP_NOT_FOUND"

    def __init__(self, *, payment_setup_id: str) -> None:
        super().__init__(
            f"no setup of a payment method has the id {payment_setup_id!r}", payment_setup_id=payment_setup_id
        )


class PaymentMethodUnknown(FailedPrecondition):
    """The provider does not know the payment method, or does not let this customer use it."""

    reason = "PAYMENT_METHOD_UNKNOWN"

    def __init__(self, *, payment_method_id: str, provider_code: str) -> None:
        super().__init__(
            f"the payment provider refuses payment method {payment_method_id!r} ({provider_code}); save another one",
            payment_method_id=payment_method_id,
            provider_code=provider_code,
        )


class PaymentProviderUnavailable(Unavailable):
    """The payment provider did not answer, or not with an answer."""

    reason = "PAYMENT_PROVIDER_UNAVAILABLE"

    def __init__(self, *, details: str) -> None:
        super().__init__(
            f"the payment provider did not answer ({details}); what it did will be asked; safe to retry with the same"
            " request_id",
            details=details,
        )


class PeerUnavailable(Unavailable):
    """A peer that is needed is down. Nothing was done."""

    reason = "PEER_UNAVAILABLE"

    def __init__(self, *, peer: str, details: str) -> None:
        super().__init__(f"{peer} did not answer ({details}); nothing was done; safe to retry", peer=peer)


class AmountTooLarge(InvalidFields):
    """The seats of a contract together cost more than an invoice can hold."""

    def __init__(self, *, micros: int) -> None:
        message = f"together cost {micros} micros, more than an invoice can hold"
        super().__init__((FieldViolation("subscriptions", message),))
