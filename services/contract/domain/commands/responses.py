# SPDX-License-Identifier: Apache-2.0
"""All responses that are stored."""

from services.contract.domain.auto_top_up import AutoTopUp
from services.contract.domain.commands.contracts import ContractCreated, ScheduleChanged
from services.contract.domain.commands.customers import BillingDetailsSet
from services.contract.domain.commands.invoices import (
    InvoiceAttempt,
    InvoiceCredited,
    InvoicePaid,
    InvoicePaymentRefunded,
    InvoiceVoided,
)
from services.contract.domain.commands.plan_changes import PlanChangeMade
from services.contract.domain.commands.seats import SeatsMoved, SeatsRepriced, SubscriptionChanged
from services.contract.domain.commands.top_ups import TopUpAndInvoice
from services.contract.domain.contract import (
    ContractNow,
)
from services.contract.domain.customer import Customer
from services.contract.domain.invoice import Invoice
from services.contract.domain.invoice_parties import Party
from services.contract.domain.payment_setups import PaymentSetup
from services.contract.domain.payments import PaymentMethod
from services.contract.domain.plan_offer import PlanOffer
from services.contract.domain.refunds import TopUpRefund

# What is stored for a repeated request; the format of each: store/formats.py.
Response = (
    Customer
    | ContractCreated
    | ContractNow
    | SeatsMoved
    | TopUpAndInvoice
    | Invoice
    | InvoiceVoided
    | SeatsRepriced
    | InvoicePaid
    | PlanChangeMade
    | PlanOffer
    | ScheduleChanged
    | SubscriptionChanged
    | InvoiceCredited
    | BillingDetailsSet
    | Party
    | PaymentMethod
    | PaymentSetup
    | InvoiceAttempt
    | InvoicePaymentRefunded
    | TopUpRefund
    | AutoTopUp
)
