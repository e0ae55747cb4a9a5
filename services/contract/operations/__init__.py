# SPDX-License-Identifier: Apache-2.0
"""The operations of Contract, one file per rpc family: claim, lock, load, decide, save, notify."""

from dataclasses import dataclass

from services.contract.operations.auto_top_ups import AutoTopUps
from services.contract.operations.collections import Collections
from services.contract.operations.contracts import Contracts
from services.contract.operations.credit_notes import CreditNotes
from services.contract.operations.customers import Customers
from services.contract.operations.ends import Ends
from services.contract.operations.invoice_payments import InvoicePayments
from services.contract.operations.invoice_refunds import InvoiceRefunds
from services.contract.operations.invoices import Invoices
from services.contract.operations.named_seats import NamedSeats
from services.contract.operations.overage import OveragePolicies
from services.contract.operations.parties import Parties
from services.contract.operations.payment_setups import PaymentSetups
from services.contract.operations.payments import Payments
from services.contract.operations.plan_changes import PlanChanges
from services.contract.operations.plan_offers import PlanOffers
from services.contract.operations.refunds import Refunds
from services.contract.operations.repricing import Repricing
from services.contract.operations.schedules import Schedules
from services.contract.operations.seat_voids import SeatVoids
from services.contract.operations.seats import Seats
from services.contract.operations.top_ups import TopUps


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """All operations, for the servicer."""

    customers: Customers
    contracts: Contracts
    ends: Ends
    plan_changes: PlanChanges
    plan_offers: PlanOffers
    schedules: Schedules
    overage: OveragePolicies
    seats: Seats
    seat_voids: SeatVoids
    named_seats: NamedSeats
    top_ups: TopUps
    payments: Payments
    payment_setups: PaymentSetups
    invoice_payments: InvoicePayments
    invoice_refunds: InvoiceRefunds
    collections: Collections
    refunds: Refunds
    auto_top_ups: AutoTopUps
    invoices: Invoices
    repricing: Repricing
    credit_notes: CreditNotes
    parties: Parties
