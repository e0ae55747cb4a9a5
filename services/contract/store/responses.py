# SPDX-License-Identifier: Apache-2.0
"""Stored responses, each shown only to a caller who may see what its request is about."""

from typing import TypeVar

from access import current_caller
from meshkit.requests import Command, StoredResponses
from services.contract.domain.commands.contracts import (
    CreateContract,
    EditGrantSchedule,
    EndContract,
    EndGrantSchedule,
    SetInvoiceCollection,
    SetOveragePolicy,
)
from services.contract.domain.commands.customers import (
    ArchiveCustomer,
    RenameCustomer,
    ResumeCustomer,
    SetBillingDetails,
    SetCustomerAliases,
    SuspendCustomer,
    UnarchiveCustomer,
)
from services.contract.domain.commands.invoices import (
    CreateCreditNote,
    FinalizeInvoice,
    PayInvoice,
    RecordInvoicePayment,
    RefundInvoicePayment,
    VoidInvoice,
)
from services.contract.domain.commands.plan_changes import ChangePlan
from services.contract.domain.commands.plan_offers import ChangeOwnPlan
from services.contract.domain.commands.responses import Response
from services.contract.domain.commands.seats import (
    ChangeSeats,
    NameSeats,
    RepriceSeats,
    SetSharedPoolAccess,
    VoidSeatChange,
)
from services.contract.domain.commands.top_ups import (
    CancelTopUp,
    CreatePaymentSetup,
    DisableAutoTopUp,
    OrderTopUp,
    PayTopUp,
    RefundTopUp,
    ReportTopUpChargeback,
    ResolveTopUpPayment,
    SetAutoTopUp,
    SetPaymentMethod,
)
from services.contract.store.auto_top_ups import StoredAutoTopUps
from services.contract.store.contracts import StoredContracts
from services.contract.store.customers import StoredCustomers
from services.contract.store.invoices import StoredInvoices
from services.contract.store.top_ups import StoredTopUps

T = TypeVar("T")


class OwnResponses(StoredResponses[Response]):
    """StoredResponses. A caller who is restricted to customers gets the same error as if the request were new."""

    async def find(self, command: Command, response_type: type[T]) -> T | None:
        if current_caller().customer_ids is not None:
            await self._require_visible(command)
        return await super().find(command, response_type)

    async def _require_visible(self, command: Command) -> None:
        match command:
            case (
                SetCustomerAliases()
                | RenameCustomer()
                | SuspendCustomer()
                | ResumeCustomer()
                | ArchiveCustomer()
                | UnarchiveCustomer()
                | CreateContract()
                | SetBillingDetails()
                | SetPaymentMethod()
                | CreatePaymentSetup()
            ):
                await StoredCustomers(self._connection).find(command.customer)
            case (
                EndContract()
                | EditGrantSchedule()
                | EndGrantSchedule()
                | OrderTopUp()
                | NameSeats()
                | SetOveragePolicy()
                | SetSharedPoolAccess()
                | VoidSeatChange()
                | RepriceSeats()
                | SetInvoiceCollection()
            ):
                await StoredContracts(self._connection).customer_of(command.contract_id)
            case SetAutoTopUp():
                await StoredContracts(self._connection).customer_of(command.terms.contract_id)
            case DisableAutoTopUp():
                await StoredAutoTopUps(self._connection, wall=self._wall).find(command.auto_top_up_id)
            case ChangePlan() | ChangeOwnPlan():
                await StoredContracts(self._connection).customer_of(command.plan.contract_id)
            case ChangeSeats():
                await StoredContracts(self._connection).customer_of(command.seats.contract_id)
            case (
                FinalizeInvoice()
                | VoidInvoice()
                | RecordInvoicePayment()
                | RefundInvoicePayment()
                | CreateCreditNote()
                | PayInvoice()
            ):
                await StoredInvoices(self._connection).find(command.invoice_id)
            case ResolveTopUpPayment() | CancelTopUp() | PayTopUp() | RefundTopUp() | ReportTopUpChargeback():
                await StoredTopUps(self._connection).find(command.top_up_id)
            case _:
                raise AssertionError(f"{type(command).__name__} is not for callers restricted to customers")
