# SPDX-License-Identifier: Apache-2.0
"""The ids. The last four belong to the Catalog; Contract only refers to them."""

from typing import NewType

CustomerId = NewType("CustomerId", str)
ContractId = NewType("ContractId", str)
SubscriptionId = NewType("SubscriptionId", str)
GrantScheduleId = NewType("GrantScheduleId", str)
SeatChangeId = NewType("SeatChangeId", str)
SeatVoidId = NewType("SeatVoidId", str)
SeatId = NewType("SeatId", str)  # chosen by whoever sells or uses the seats, such as a user's id
TopUpId = NewType("TopUpId", str)
AutoTopUpId = NewType("AutoTopUpId", str)
RefundId = NewType("RefundId", str)
InvoiceId = NewType("InvoiceId", str)
InvoiceLineId = NewType("InvoiceLineId", str)
InvoicePaymentId = NewType("InvoicePaymentId", str)
PlanChangeId = NewType("PlanChangeId", str)
PlanOfferId = NewType("PlanOfferId", str)
CreditNoteId = NewType("CreditNoteId", str)
AccountCreditEntryId = NewType("AccountCreditEntryId", str)

ProductId = NewType("ProductId", str)
RateCardId = NewType("RateCardId", str)
CreditTypeId = NewType("CreditTypeId", str)
TopUpPackId = NewType("TopUpPackId", str)

CUSTOMER_PREFIX = "cus_"
