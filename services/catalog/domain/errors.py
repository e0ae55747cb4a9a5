# SPDX-License-Identifier: Apache-2.0
"""The faults of the Catalog: one class per reason that catalog.proto promises."""

from meshkit.errors import AlreadyExists, FailedPrecondition, NotFound


class CreditTypeNameTaken(AlreadyExists):
    """Another credit type bears the name."""

    reason = "CREDIT_TYPE_NAME_TAKEN"

    def __init__(self, *, name: str) -> None:
        super().__init__(f"a credit type named {name!r} exists; choose another name", name=name)


class CreditTypeNotFound(NotFound):
    """No credit type has the id."""

    reason = "CREDIT_TYPE_NOT_FOUND"

    def __init__(self, *, credit_type_id: str) -> None:
        super().__init__(
            f"credit type {credit_type_id!r} is not known; ListCreditTypes tells which are",
            credit_type_id=credit_type_id,
        )


class BillableMetricNotFound(NotFound):
    """No metric has the id."""

    reason = "BILLABLE_METRIC_NOT_FOUND"

    def __init__(self, *, billable_metric_id: str) -> None:
        super().__init__(
            f"billable metric {billable_metric_id!r} is not known; ListBillableMetrics tells which are",
            billable_metric_id=billable_metric_id,
        )


class BillableMetricArchived(FailedPrecondition):
    """New products may not use an archived metric."""

    reason = "BILLABLE_METRIC_ARCHIVED"

    def __init__(self, *, billable_metric_id: str) -> None:
        super().__init__(
            f"billable metric {billable_metric_id!r} is archived; measure new products by another one",
            billable_metric_id=billable_metric_id,
        )


class ProductNotFound(NotFound):
    """No product has the id."""

    reason = "PRODUCT_NOT_FOUND"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not known; ListProducts tells which are", product_id=product_id
        )


class ProductArchived(FailedPrecondition):
    """The product is no longer sold: no new name, rates or packs."""

    reason = "PRODUCT_ARCHIVED"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is archived and cannot be changed, priced or packed any more",
            product_id=product_id,
        )


class ProductNotFixed(FailedPrecondition):
    """Packs are sold as FIXED products only."""

    reason = "PRODUCT_NOT_FIXED"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"product {product_id!r} is not a FIXED product; a pack is invoiced as one", product_id=product_id
        )


class RateCardNotFound(NotFound):
    """No rate card has the id."""

    reason = "RATE_CARD_NOT_FOUND"

    def __init__(self, *, rate_card_id: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} is not known; ListRateCards tells which are",
            rate_card_id=rate_card_id,
        )


class RateCardFull(FailedPrecondition):
    """The card has as many rates as the Ledger takes in one message."""

    reason = "RATE_CARD_FULL"

    def __init__(self, *, rate_card_id: str, rates_max: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} would have more than {rates_max} rates; open another card",
            rate_card_id=rate_card_id,
            rates_max=rates_max,
        )


class RateOverlaps(FailedPrecondition):
    """Another rate of the same product and billing frequency is in force at an instant the new one claims."""

    reason = "RATE_OVERLAPS"

    def __init__(
        self, *, product_id: str, effective_time: str, other_effective_time: str, other_end_time: str
    ) -> None:
        until = f"until {other_end_time}" if other_end_time else "with no end"
        super().__init__(
            f"the rate of product {product_id!r} from {effective_time} overlaps the one from"
            f" {other_effective_time} {until}; let one begin where the other ends, or set end_previous",
            product_id=product_id,
            effective_time=effective_time,
            other_effective_time=other_effective_time,
            other_end_time=other_end_time,
        )


class RateDoesNotSuitProduct(FailedPrecondition):
    """A product of this type is not priced like that."""

    reason = "RATE_DOES_NOT_SUIT_PRODUCT"

    def __init__(self, *, product_id: str, problem: str) -> None:
        super().__init__(
            f"the rate does not suit product {product_id!r}: {problem}",
            product_id=product_id,
            problem=problem,
        )


class ConversionMissing(FailedPrecondition):
    """The card cannot say what a credit of this type is worth in money."""

    reason = "CONVERSION_MISSING"

    def __init__(self, *, rate_card_id: str, credit_type_id: str) -> None:
        super().__init__(
            f"rate card {rate_card_id!r} has no conversion for credit type {credit_type_id!r};"
            " price on a card that was created with one",
            rate_card_id=rate_card_id,
            credit_type_id=credit_type_id,
        )


class TopUpPackNotFound(NotFound):
    """No pack has the id."""

    reason = "TOP_UP_PACK_NOT_FOUND"

    def __init__(self, *, top_up_pack_id: str) -> None:
        super().__init__(
            f"top-up pack {top_up_pack_id!r} is not known; ListTopUpPacks tells which are",
            top_up_pack_id=top_up_pack_id,
        )
