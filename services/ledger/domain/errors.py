# SPDX-License-Identifier: Apache-2.0
"""Errors of the Ledger, one class per reason that the protos promise."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from meshkit.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    FieldViolation,
    Invalid,
    InvalidFields,
    NotFound,
)
from meshkit.quantity import INT64_MAX, Credits
from services.ledger.domain.rating.properties import PropertyProblem


class CustomerNotFound(NotFound):
    reason = "CUSTOMER_NOT_FOUND"

    def __init__(self, *, customer: str) -> None:
        super().__init__(
            f"customer {customer!r} is not known here; create it in the Contract service first",
            customer=customer,
        )


class ProductNotFound(NotFound):
    reason = "PRODUCT_NOT_FOUND"

    def __init__(self, *, product_id: str) -> None:
        super().__init__(
            f"usage product {product_id!r} is not known here; create it in the Catalog service first",
            product_id=product_id,
        )


class RateNotFound(NotFound):
    reason = "RATE_NOT_FOUND"

    def __init__(self, *, product_id: str, dimension_values: Mapping[str, str]) -> None:
        values = ", ".join(f"{key}={value}" for key, value in sorted(dimension_values.items()))
        super().__init__(
            f"the customer's rate card prices {product_id!r}, but not for {values or 'usage without dimensions'};"
            " add a rate in the Catalog service, or correct the properties",
            product_id=product_id,
            dimension_values=values,
        )


class EntryNotFound(NotFound):
    reason = "ENTRY_NOT_FOUND"

    def __init__(self, *, credit_type_id: str, sequence: int) -> None:
        super().__init__(
            f"this customer has no entry {sequence} in {credit_type_id!r}; use a sequence from ListEntries",
            credit_type_id=credit_type_id,
            sequence=str(sequence),
        )


class HoldNotFound(NotFound):
    reason = "HOLD_NOT_FOUND"

    def __init__(self, *, hold_id: str) -> None:
        super().__init__(
            f"this customer has no hold {hold_id!r}; use the hold_id that Authorize returned", hold_id=hold_id
        )


class LeaseNotFound(NotFound):
    reason = "LEASE_NOT_FOUND"

    def __init__(self, *, lease_id: str) -> None:
        super().__init__(
            f"this customer has no lease {lease_id!r}; use the lease_id that Lease returned",
            lease_id=lease_id,
        )


class ProductNotLeasable(FailedPrecondition):
    """why: completes the sentence "… cannot be leased, because …"."""

    reason = "PRODUCT_NOT_LEASABLE"

    def __init__(self, *, product_id: str, why: str) -> None:
        super().__init__(
            f"{product_id!r} cannot be leased, because {why}; let Authorize decide each call",
            product_id=product_id,
            why=why,
        )


class HoldAlreadyResolved(FailedPrecondition):
    reason = "HOLD_ALREADY_RESOLVED"

    def __init__(self, *, hold_id: str, state: str) -> None:
        super().__init__(
            f"hold {hold_id!r} is {state} and can no longer change", hold_id=hold_id, state=state
        )


class HoldExpired(FailedPrecondition):
    reason = "HOLD_EXPIRED"

    def __init__(self, *, hold_id: str, expire_time: datetime) -> None:
        super().__init__(
            f"hold {hold_id!r} expired at {expire_time.isoformat()}; authorize again, or capture what was used",
            hold_id=hold_id,
            expire_time=expire_time.isoformat(),
        )


class HoldHasLines(FailedPrecondition):
    reason = "HOLD_HAS_LINES"

    def __init__(self, *, hold_id: str, lines: str) -> None:
        super().__init__(
            f"hold {hold_id!r} has several lines: {lines}; capture lines, or all of it without an amount, and authorize"
            " more as another hold",
            hold_id=hold_id,
            lines=lines,
        )


class LineNotHeld(FailedPrecondition):
    reason = "LINE_NOT_HELD"

    def __init__(self, *, hold_id: str, line: str, lines: str) -> None:
        super().__init__(
            f"hold {hold_id!r} has no line {line}; it has: {lines}; authorize what may be used as a line of quantity 0",
            hold_id=hold_id,
            line=line,
            lines=lines,
        )


class CreditTypesDiffer(FailedPrecondition):
    reason = "CREDIT_TYPES_DIFFER"

    def __init__(self, *, credit_type_ids: Iterable[str]) -> None:
        names = ", ".join(sorted(credit_type_ids))
        super().__init__(
            f"the lines are priced in several credit types ({names}), and a call draws on one pool; make one call each",
            credit_type_ids=names,
        )


class CopyNotFound(NotFound):
    reason = "COPY_NOT_FOUND"

    def __init__(self, *, copy_kind: str, copy_id: str) -> None:
        super().__init__(
            f"there is no copy of a {copy_kind} {copy_id!r} here, so none to repair",
            copy_kind=copy_kind,
            copy_id=copy_id,
        )


class SubscriptionNotFound(NotFound):
    reason = "SUBSCRIPTION_NOT_FOUND"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"this customer has no subscription {subscription_id!r} here; apply its contract first",
            subscription_id=subscription_id,
        )


class GrantAlreadyExists(AlreadyExists):
    reason = "GRANT_ALREADY_EXISTS"

    def __init__(self, *, source_id: str, grant_id: str) -> None:
        super().__init__(
            f"{source_id!r} already has the grant {grant_id!r}; a source gets only one grant",
            source_id=source_id,
            grant_id=grant_id,
        )


class SourceIdReused(AlreadyExists):
    reason = "SOURCE_ID_REUSED"

    def __init__(self, *, source_id: str, grant_id: str, terms: Sequence[str]) -> None:
        super().__init__(
            f"{source_id!r} already has the grant {grant_id!r}, with another {', '.join(terms)}; nothing was granted",
            source_id=source_id,
            grant_id=grant_id,
            terms=",".join(terms),
        )


class RefundIdReused(AlreadyExists):
    reason = "REFUND_ID_REUSED"

    def __init__(self, *, refund_id: str, grant_id: str) -> None:
        super().__init__(
            f"{refund_id!r} already is a refund of the grant {grant_id!r}; nothing was voided",
            refund_id=refund_id,
            grant_id=grant_id,
        )


class SourceIdReserved(Invalid):
    reason = "SOURCE_ID_RESERVED"

    def __init__(self, *, source_id: str) -> None:
        super().__init__(
            f"the source_id {source_id!r} is that of a top-up, which only Contract grants; use another source_id",
            source_id=source_id,
        )


class GrantNotFound(NotFound):
    reason = "GRANT_NOT_FOUND"

    def __init__(self, *, grant_id: str) -> None:
        super().__init__(
            f"this customer has no grant {grant_id!r}; ListGrants lists the ones there are", grant_id=grant_id
        )


class TopUpNotGranted(NotFound):
    """Contract asks again, in case the grant is under way."""

    reason = "TOP_UP_NOT_GRANTED"

    def __init__(self, *, top_up_id: str) -> None:
        super().__init__(f"top-up {top_up_id!r} has no grant here", top_up_id=top_up_id)


class RefundUnknown(NotFound):
    """Only a refund that has left or accepted a debt can be reversed."""

    reason = "REFUND_UNKNOWN"

    def __init__(self, *, refund_id: str) -> None:
        super().__init__(f"no debt was accepted for refund {refund_id!r}", refund_id=refund_id)


class AdjustmentTooLarge(FailedPrecondition):
    reason = "ADJUSTMENT_TOO_LARGE"

    def __init__(self, *, available: Credits) -> None:
        super().__init__(
            f"only {available.micros} micro-credits are available to take; nothing was taken",
            available_micros=str(available.micros),
        )


class UsageNotFound(NotFound):
    reason = "USAGE_NOT_FOUND"

    def __init__(self, *, usage_id: str) -> None:
        super().__init__(
            f"this customer has no stored event and no captured hold {usage_id!r}; a rejected event is not stored",
            usage_id=usage_id,
        )


class UsageAlreadyVoided(FailedPrecondition):
    reason = "USAGE_ALREADY_VOIDED"

    def __init__(self, *, usage_id: str) -> None:
        super().__init__(
            f"the usage of {usage_id!r} is voided; record it again under another transaction_id",
            usage_id=usage_id,
        )


class RerateJobNotFound(NotFound):
    reason = "RERATE_JOB_NOT_FOUND"

    def __init__(self, *, rerate_job_id: str) -> None:
        super().__init__(
            f"there is no rerate job {rerate_job_id!r}; ListRerateJobs lists the ones there are",
            rerate_job_id=rerate_job_id,
        )


class RerateInProgress(Aborted):
    reason = "RERATE_IN_PROGRESS"

    def __init__(self, *, rerate_job_id: str) -> None:
        super().__init__(
            f"rerate job {rerate_job_id!r} is correcting the usage of this meter; retry when GetRerateJob says DONE",
            rerate_job_id=rerate_job_id,
        )


class TotalTooLarge(FailedPrecondition):
    reason = "TOTAL_TOO_LARGE"

    def __init__(self, *, total: str) -> None:
        super().__init__(
            f"{total} would exceed {INT64_MAX} millionths, which is the most that is counted; nothing was done",
            total=total,
        )


class SpendCapNotFound(NotFound):
    reason = "SPEND_CAP_NOT_FOUND"

    def __init__(self, *, spend_cap_id: str) -> None:
        super().__init__(f"this customer has no spend cap {spend_cap_id!r}", spend_cap_id=spend_cap_id)


class ConcurrencyCapNotFound(NotFound):
    reason = "CONCURRENCY_CAP_NOT_FOUND"

    def __init__(self, *, concurrency_cap_id: str) -> None:
        super().__init__(
            f"this customer has no concurrency cap {concurrency_cap_id!r}",
            concurrency_cap_id=concurrency_cap_id,
        )


class GroupKeyUnknown(FailedPrecondition):
    reason = "GROUP_KEY_UNKNOWN"

    def __init__(self, *, group_key: str) -> None:
        super().__init__(
            f"no usage product has the group key {group_key!r}; add it to the group_keys of a billable metric first",
            group_key=group_key,
        )


class CapGroupNotFound(NotFound):
    reason = "CAP_GROUP_NOT_FOUND"

    def __init__(self, *, cap_group_id: str) -> None:
        super().__init__(f"the customer has no group {cap_group_id!r}", cap_group_id=cap_group_id)


class CapGroupInUse(FailedPrecondition):
    reason = "CAP_GROUP_IN_USE"

    def __init__(self, *, cap_group_id: str) -> None:
        super().__init__(f"caps limit group {cap_group_id}; remove them first", cap_group_id=cap_group_id)


class GroupKeyFixed(FailedPrecondition):
    reason = "GROUP_KEY_FIXED"

    def __init__(self, *, cap_group_id: str, group_key: str) -> None:
        super().__init__(
            f"group {cap_group_id} has values of {group_key}, and never of another key",
            cap_group_id=cap_group_id,
            group_key=group_key,
        )


class ValueInOtherGroup(FailedPrecondition):
    reason = "VALUE_IN_OTHER_GROUP"

    def __init__(self, *, group_value: str, cap_group_id: str) -> None:
        super().__init__(
            f"{group_value!r} is in group {cap_group_id}; a value is in one group at most",
            group_value=group_value,
            cap_group_id=cap_group_id,
        )


def property_problem(problem: PropertyProblem) -> InvalidFields:
    """Return the error for a property by which a call of the gate cannot be priced."""
    return InvalidFields([FieldViolation(f"properties[{problem.property_name}]", problem.problem.value)])


@contextmanager
def of_line(number: int) -> Iterator[None]:
    """Let the fields of an error name the line of the request that they are in: `lines[2].properties[model]`."""
    try:
        yield
    except InvalidFields as error:
        raise InvalidFields(
            [
                FieldViolation(f"lines[{number}].{violation.field}", violation.description)
                for violation in error.violations
            ]
        ) from error


def sequence_taken(*, by: str) -> InvalidFields:
    """Return the error for a seat change whose sequence belongs to another change."""
    return InvalidFields(
        [FieldViolation("sequence", f"is the sequence of another change of this subscription, {by!r}")]
    )


def product_fixed() -> InvalidFields:
    """Return the error for a product with other terms than those that its usage was counted by."""
    return InvalidFields(
        [
            FieldViolation("group_keys", "must be those that the product had before"),
            FieldViolation("conversion", "must be the one that the product had when it was used"),
        ]
    )


def rates_fixed(rate_ids: Iterable[str]) -> InvalidFields:
    """Return the error for rates that were used at other terms."""
    return InvalidFields(
        [FieldViolation("rates", f"must not change {rate_id!r}, which was used") for rate_id in rate_ids]
    )


def too_large(field: str) -> InvalidFields:
    """Return the error for an amount that costs more than CREDITS_MAX (a billion credits)."""
    return InvalidFields([FieldViolation(field, "costs more than a billion credits")])
