# SPDX-License-Identifier: Apache-2.0
"""The faults of the Catalog, one class per reason in catalog.proto."""

from meshkit.errors import AlreadyExists, FailedPrecondition, NotFound


class CreditTypeNameTaken(AlreadyExists):
    """Another credit type has the name."""

    reason = "CREDIT_TYPE_NAME_TAKEN"

    def __init__(self, *, name: str) -> None:
        super().__init__(f"a credit type named {name!r} exists; choose another name", name=name)


class CreditTypeNotFound(NotFound):
    """No credit type has the id."""

    reason = "CREDIT_TYPE_NOT_FOUND"

    def __init__(self, *, credit_type_id: str) -> None:
        super().__init__(
            f"credit type {credit_type_id!r} does not exist; ListCreditTypes lists all",
            credit_type_id=credit_type_id,
        )


class BillableMetricNotFound(NotFound):
    """No metric has the id."""

    reason = "BILLABLE_METRIC_NOT_FOUND"

    def __init__(self, *, billable_metric_id: str) -> None:
        super().__init__(
            f"billable metric {billable_metric_id!r} does not exist; ListBillableMetrics lists all",
            billable_metric_id=billable_metric_id,
        )


class BillableMetricArchived(FailedPrecondition):
    """New products may not use an archived metric."""

    reason = "BILLABLE_METRIC_ARCHIVED"

    def __init__(self, *, billable_metric_id: str) -> None:
        super().__init__(
            f"billable metric {billable_metric_id!r} is archived; use another one for new products",
            billable_metric_id=billable_metric_id,
        )


class ProductNotFound(NotFound):
    """No product has the id."""

    reason = "PRODUCT_NOT_FOUND"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} does not exist; ListProducts lists all", product_id=product_id
        )


class ProductArchived(FailedPrecondition):
    """The product is no longer sold. It gets no new name, rates or packs."""

    reason = "PRODUCT_ARCHIVED"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is archived; it cannot be renamed or get new rates or packs",
            product_id=product_id,
        )


class ProductNotUsage(FailedPrecondition):
    """The Ledger has no copy of the product."""

    reason = "PRODUCT_NOT_USAGE"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not PRODUCT_TYPE_USAGE, so the Ledger does not get it",
            product_id=product_id,
        )


class ProductNotFixed(FailedPrecondition):
    """Packs can only be sold as FIXED products."""

    reason = "PRODUCT_NOT_FIXED"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not a FIXED product; a pack must be invoiced as one",
            product_id=product_id,
        )


class RateCardNotFound(NotFound):
    """No rate card has the id."""

    reason = "RATE_CARD_NOT_FOUND"

    def __init__(self, *, rate_card_id: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} does not exist; ListRateCards lists all",
            rate_card_id=rate_card_id,
        )


class RateCardFull(FailedPrecondition):
    """The card has as many rates as the Ledger accepts in one message."""

    reason = "RATE_CARD_FULL"

    def __init__(self, *, rate_card_id: str, rates_max: str, bytes_max: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} would have more than {rates_max} rates, or usage rates of more than"
            f" {bytes_max} bytes; create another card",
            rate_card_id=rate_card_id,
            rates_max=rates_max,
            bytes_max=bytes_max,
        )


class RateOverlaps(FailedPrecondition):
    """A rate of the same line is in force at an instant of the new rate."""

    reason = "RATE_OVERLAPS"

    def __init__(
        self,
        *,
        product_id: str,
        effective_time: str,
        other_rate_id: str,
        other_effective_time: str,
        other_end_time: str,
    ) -> None:
        until = f"until {other_end_time}" if other_end_time else "with no end"
        super().__init__(
            f"the rate of product {product_id!r} from {effective_time} overlaps rate {other_rate_id!r} from"
            f" {other_effective_time} {until}; start one where the other ends, set end_previous, or replace it",
            product_id=product_id,
            effective_time=effective_time,
            other_rate_id=other_rate_id,
            other_effective_time=other_effective_time,
            other_end_time=other_end_time,
        )


class RateNotFound(NotFound):
    """No rate has the id, or no rate of the card."""

    reason = "RATE_NOT_FOUND"

    def __init__(self, *, rate_id: str) -> None:
        super().__init__(f"rate {rate_id!r} does not exist; ListRates lists all of a card", rate_id=rate_id)


class RateBegun(FailedPrecondition):
    """The rate begins in less than a minute, or has begun; usage may have been priced by it."""

    reason = "RATE_BEGUN"

    def __init__(self, *, rate_id: str, effective_time: str) -> None:
        super().__init__(
            f"rate {rate_id!r} begins at {effective_time}, and can be withdrawn until one minute before that;"
            " EndRate ends it, CorrectRate corrects its price",
            rate_id=rate_id,
            effective_time=effective_time,
        )


class RateNotBegun(FailedPrecondition):
    """The rate has not begun, so there is nothing to correct."""

    reason = "RATE_NOT_BEGUN"

    def __init__(self, *, rate_id: str, effective_time: str) -> None:
        super().__init__(
            f"rate {rate_id!r} begins at {effective_time}; until then it can be withdrawn or replaced",
            rate_id=rate_id,
            effective_time=effective_time,
        )


class RateWithdrawn(FailedPrecondition):
    """The rate was withdrawn and prices nothing."""

    reason = "RATE_WITHDRAWN"

    def __init__(self, *, rate_id: str, withdraw_time: str) -> None:
        super().__init__(
            f"rate {rate_id!r} was withdrawn at {withdraw_time}; add another rate",
            rate_id=rate_id,
            withdraw_time=withdraw_time,
        )


class RateIsCorrection(FailedPrecondition):
    """A correction follows the rate that it corrects, which must be named instead."""

    reason = "RATE_IS_CORRECTION"

    def __init__(self, *, rate_id: str, corrects_rate_id: str) -> None:
        super().__init__(
            f"rate {rate_id!r} is a correction; name the rate that it corrects, {corrects_rate_id!r}",
            rate_id=rate_id,
            corrects_rate_id=corrects_rate_id,
        )


class RateEnded(FailedPrecondition):
    """The end of the rate has passed and stays."""

    reason = "RATE_ENDED"

    def __init__(self, *, rate_id: str, end_time: str) -> None:
        super().__init__(
            f"rate {rate_id!r} ended at {end_time}, which cannot be changed any more",
            rate_id=rate_id,
            end_time=end_time,
        )


class EndInPast(FailedPrecondition):
    """A rate ends now or later: usage until now was priced by it."""

    reason = "END_IN_PAST"

    def __init__(self, *, rate_id: str, end_time: str, now_time: str) -> None:
        super().__init__(
            f"rate {rate_id!r} cannot end at {end_time}, because it is {now_time}; end it now or later, or correct it",
            rate_id=rate_id,
            end_time=end_time,
            now_time=now_time,
        )


class EndBeforeStart(FailedPrecondition):
    """A rate ends after it begins."""

    reason = "END_BEFORE_START"

    def __init__(self, *, rate_id: str, end_time: str, effective_time: str) -> None:
        super().__init__(
            f"rate {rate_id!r} cannot end at {end_time}, because it begins at {effective_time}; withdraw it instead",
            rate_id=rate_id,
            end_time=end_time,
            effective_time=effective_time,
        )


class RateDoesNotSuitProduct(FailedPrecondition):
    """A product of this type cannot be priced in this way."""

    reason = "RATE_DOES_NOT_SUIT_PRODUCT"

    def __init__(self, *, product_id: str, problem: str) -> None:
        super().__init__(
            f"the rate does not suit product {product_id!r}: {problem}",
            product_id=product_id,
            problem=problem,
        )


class DimensionUnknown(FailedPrecondition):
    """The product has no such pricing dimension."""

    reason = "DIMENSION_UNKNOWN"

    def __init__(self, *, product_id: str, dimension: str) -> None:
        super().__init__(
            f"product {product_id!r} has no pricing dimension {dimension!r}; GetProduct lists its dimensions",
            product_id=product_id,
            dimension=dimension,
        )


class DimensionValueUnknown(FailedPrecondition):
    """The pricing dimension has known values, and this is none of them."""

    reason = "DIMENSION_VALUE_UNKNOWN"

    def __init__(self, *, product_id: str, dimension: str, value: str) -> None:
        super().__init__(
            f"pricing dimension {dimension!r} of product {product_id!r} has no value {value!r};"
            " GetProduct lists its values",
            product_id=product_id,
            dimension=dimension,
            value=value,
        )


class CurrencyDiffers(FailedPrecondition):
    """A price in money must be in the currency of its rate card."""

    reason = "CURRENCY_DIFFERS"

    def __init__(self, *, rate_card_id: str, currency_code: str, expected: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} is in {expected}, so it cannot have a price in {currency_code}",
            rate_card_id=rate_card_id,
            currency_code=currency_code,
            expected=expected,
        )


class ConversionMissing(FailedPrecondition):
    """The card does not convert credits of this type into money."""

    reason = "CONVERSION_MISSING"

    def __init__(self, *, rate_card_id: str, credit_type_id: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} has no conversion for credit type {credit_type_id!r};"
            " use a card that was created with one",
            rate_card_id=rate_card_id,
            credit_type_id=credit_type_id,
        )


class TopUpPackNotFound(NotFound):
    """No pack has the id."""

    reason = "TOP_UP_PACK_NOT_FOUND"

    def __init__(self, *, top_up_pack_id: str) -> None:
        super().__init__(
            f"top-up pack {top_up_pack_id!r} does not exist; ListTopUpPacks lists all",
            top_up_pack_id=top_up_pack_id,
        )
