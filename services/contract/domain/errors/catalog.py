# SPDX-License-Identifier: Apache-2.0
"""What the Catalog does not have, or sells otherwise, and peers that do not answer."""

from meshkit.errors import (
    FailedPrecondition,
    NotFound,
    Unavailable,
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


class PeerUnavailable(Unavailable):
    """A peer that is needed is down. Nothing was done."""

    reason = "PEER_UNAVAILABLE"

    def __init__(self, *, peer: str, details: str) -> None:
        super().__init__(f"{peer} did not answer ({details}); nothing was done; safe to retry", peer=peer)
