# SPDX-License-Identifier: Apache-2.0
"""Commands about customers, and about the parties of their invoices."""

from dataclasses import dataclass

from services.contract.domain.customer import SuspensionReason
from services.contract.domain.ids import (
    CustomerId,
)
from services.contract.domain.invoice_parties import BillingDetails, Party


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCustomer:
    request_id: str
    fingerprint: bytes
    name: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCustomerAliases:
    request_id: str
    fingerprint: bytes
    customer: str
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameCustomer:
    request_id: str
    fingerprint: bytes
    customer: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendCustomer:
    request_id: str
    fingerprint: bytes
    customer: str
    reason: SuspensionReason = SuspensionReason.OPERATOR
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCustomer:
    """reason None: lifts all suspensions."""

    request_id: str
    fingerprint: bytes
    customer: str
    reason: SuspensionReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveCustomer:
    request_id: str
    fingerprint: bytes
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnarchiveCustomer:
    request_id: str
    fingerprint: bytes
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendCustomer:
    request_id: str
    fingerprint: bytes
    customer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBillingDetails:
    request_id: str
    fingerprint: bytes
    customer: str
    billing_details: BillingDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingDetailsSet:
    customer_id: CustomerId
    billing_details: BillingDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSellerDetails:
    request_id: str
    fingerprint: bytes
    seller: Party
