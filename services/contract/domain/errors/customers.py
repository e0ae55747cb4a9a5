# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a customer."""

from meshkit.errors import (
    AlreadyExists,
    FailedPrecondition,
    NotFound,
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
