# SPDX-License-Identifier: Apache-2.0
"""The faults of Contract: one class per reason that contract.proto promises."""

from meshkit.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    InvalidFields,
    NotFound,
    Unavailable,
)


class AliasTaken(AlreadyExists):
    """The alias names another customer."""

    reason = "ALIAS_TAKEN"

    def __init__(self, *, alias: str) -> None:
        super().__init__(f"alias {alias!r} names another customer; an alias names one only", alias=alias)


class CustomerNotFound(NotFound):
    """No customer has the id or alias."""

    reason = "CUSTOMER_NOT_FOUND"

    def __init__(self, *, customer: str) -> None:
        super().__init__(
            f"customer {customer!r} is not known by id or alias; ListCustomers tells which are",
            customer=customer,
        )


class ContractNotFound(NotFound):
    """No contract has the id."""

    reason = "CONTRACT_NOT_FOUND"

    def __init__(self, *, contract_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} is not known; ListContracts tells which are", contract_id=contract_id
        )


class SubscriptionNotFound(NotFound):
    """The contract has no such subscription."""

    reason = "SUBSCRIPTION_NOT_FOUND"

    def __init__(self, *, contract_id: str, subscription_id: str) -> None:
        super().__init__(
            f"contract {contract_id!r} has no subscription {subscription_id!r}; GetContract tells which it has",
            contract_id=contract_id,
            subscription_id=subscription_id,
        )


class TopUpNotFound(NotFound):
    """No top-up has the id."""

    reason = "TOP_UP_NOT_FOUND"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} is not known; ListTopUps tells which are", top_up_id=top_up_id
        )


class InvoiceNotFound(NotFound):
    """No invoice has the id."""

    reason = "INVOICE_NOT_FOUND"

    def __init__(self, *, invoice_id: str) -> None:
        super().__init__(
            f"invoice {invoice_id!r} is not known; ListInvoices tells which are", invoice_id=invoice_id
        )


class RateCardNotFound(NotFound):
    """The Catalog has no such rate card."""

    reason = "RATE_CARD_NOT_FOUND"

    def __init__(self, *, rate_card_id: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} is not known to the Catalog; its ListRateCards tells which are",
            rate_card_id=rate_card_id,
        )


class ProductNotFound(NotFound):
    """The Catalog has no such product."""

    reason = "PRODUCT_NOT_FOUND"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not known to the Catalog; its ListProducts tells which are",
            product_id=product_id,
        )


class CreditTypeNotFound(NotFound):
    """The Catalog has no such credit type."""

    reason = "CREDIT_TYPE_NOT_FOUND"

    def __init__(self, *, credit_type_id: str) -> None:
        super().__init__(
            f"credit type {credit_type_id!r} is not known to the Catalog; its ListCreditTypes tells which are",
            credit_type_id=credit_type_id,
        )


class TopUpPackNotFound(NotFound):
    """The Catalog has no such pack."""

    reason = "TOP_UP_PACK_NOT_FOUND"

    def __init__(self, *, top_up_pack_id: str) -> None:
        super().__init__(
            f"top-up pack {top_up_pack_id!r} is not known to the Catalog; its ListTopUpPacks tells which are",
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
    """Seats are sold as SUBSCRIPTION products only."""

    reason = "PRODUCT_NOT_SUBSCRIPTION"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not a SUBSCRIPTION product; seats are sold as one",
            product_id=product_id,
        )


class ProductNotFixed(FailedPrecondition):
    """Credits are sold and shown as FIXED products only."""

    reason = "PRODUCT_NOT_FIXED"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not a FIXED product; credits are sold and shown as one",
            product_id=product_id,
        )


class ContractEnded(FailedPrecondition):
    """The contract is over."""

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


class EndBeforeNow(FailedPrecondition):
    """A contract cannot end in the past."""

    reason = "END_BEFORE_NOW"

    def __init__(self, *, end_time: str, now_time: str) -> None:
        super().__init__(
            f"end_time {end_time} is before now ({now_time}); leave it out to end the contract now",
            end_time=end_time,
            now_time=now_time,
        )


class SeatsBelowZero(FailedPrecondition):
    """Somewhere on the timeline there would be less than no seat."""

    reason = "SEATS_BELOW_ZERO"

    def __init__(self, *, subscription_id: str, at: str, quantity: str) -> None:
        super().__init__(
            f"subscription {subscription_id!r} would have {quantity} seats at {at}; remove fewer",
            subscription_id=subscription_id,
            at=at,
            quantity=quantity,
        )


class OutsideOpenPeriod(FailedPrecondition):
    """The past before the open billing period is closed."""

    reason = "OUTSIDE_OPEN_PERIOD"

    def __init__(self, *, effective_time: str, open_from_time: str) -> None:
        super().__init__(
            f"effective_time {effective_time} is before the open billing period; {open_from_time} is its start",
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
    """The payment ended the other way."""

    reason = "TOP_UP_ALREADY_RESOLVED"

    def __init__(self, *, top_up_id: str, status: str) -> None:
        super().__init__(
            f"top-up {top_up_id!r} is {status} already and stays so; order a new one",
            top_up_id=top_up_id,
            status=status,
        )


class PeerUnavailable(Unavailable):
    """A peer that must be asked is away; nothing was done."""

    reason = "PEER_UNAVAILABLE"

    def __init__(self, *, peer: str, details: str) -> None:
        super().__init__(f"{peer} did not answer ({details}); nothing was done, safe to retry", peer=peer)


class AmountTooLarge(InvalidFields):
    """The seats of a contract cost more together than an invoice can hold."""

    def __init__(self, *, micros: int) -> None:
        said = f"cost {micros} micros together, more than an invoice can hold"
        super().__init__((FieldViolation("subscriptions", said),))
