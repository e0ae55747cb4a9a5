# SPDX-License-Identifier: Apache-2.0
"""The faults of the Ledger, one class per reason promised in the protos."""

from datetime import datetime

from meshkit.errors import AlreadyExists, FailedPrecondition, FieldViolation, InvalidFields, NotFound


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


class HoldNotFound(NotFound):
    reason = "HOLD_NOT_FOUND"

    def __init__(self, *, hold_id: str) -> None:
        super().__init__(
            f"this customer has no hold {hold_id!r}; use the hold_id that Authorize gave", hold_id=hold_id
        )


class HoldAlreadyResolved(FailedPrecondition):
    reason = "HOLD_ALREADY_RESOLVED"

    def __init__(self, *, hold_id: str, state: str) -> None:
        super().__init__(f"hold {hold_id!r} is {state} and can change no more", hold_id=hold_id, state=state)


class HoldExpired(FailedPrecondition):
    reason = "HOLD_EXPIRED"

    def __init__(self, *, hold_id: str, expire_time: datetime) -> None:
        super().__init__(
            f"hold {hold_id!r} expired at {expire_time.isoformat()}; authorize anew, or capture what was used",
            hold_id=hold_id,
            expire_time=expire_time.isoformat(),
        )


class SubscriptionNotFound(NotFound):
    reason = "SUBSCRIPTION_NOT_FOUND"

    def __init__(self, *, subscription_id: str) -> None:
        super().__init__(
            f"this customer has no subscription {subscription_id!r} here; tell its contract first",
            subscription_id=subscription_id,
        )


class GrantAlreadyExists(AlreadyExists):
    reason = "GRANT_ALREADY_EXISTS"

    def __init__(self, *, source_id: str, grant_id: str) -> None:
        super().__init__(
            f"{source_id!r} was granted already, as {grant_id!r}; nothing is granted twice for it",
            source_id=source_id,
            grant_id=grant_id,
        )


class SpendCapNotFound(NotFound):
    reason = "SPEND_CAP_NOT_FOUND"

    def __init__(self, *, spend_cap_id: str) -> None:
        super().__init__(f"this customer has no spend cap {spend_cap_id!r}", spend_cap_id=spend_cap_id)


class GroupKeyUnknown(FailedPrecondition):
    reason = "GROUP_KEY_UNKNOWN"

    def __init__(self, *, group_key: str) -> None:
        super().__init__(
            f"no usage product has the group key {group_key!r}; name it in the group_keys of a billable metric first",
            group_key=group_key,
        )


def sequence_taken() -> InvalidFields:
    """Return the fault of a seat change that comes under the sequence of another."""
    return InvalidFields([FieldViolation("sequence", "is that of another change of this subscription")])


def too_large(field: str) -> InvalidFields:
    """Return the fault of an ask whose price is beyond all measure."""
    return InvalidFields([FieldViolation(field, "comes to more than a billion credits")])
