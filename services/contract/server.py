# SPDX-License-Identifier: Apache-2.0
"""The servicers: per rpc, request → operation → response. meshkit/rpc/calls.py maps faults."""

from typing import Any, Final

from grpc.aio import ServicerContext

from purser.contract.v1 import auto_top_ups_pb2 as auto_pb
from purser.contract.v1 import (
    auto_top_ups_pb2_grpc,
    contract_pb2_grpc,
    contract_peer_pb2_grpc,
    payments_pb2_grpc,
    self_service_pb2_grpc,
)
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import contract_peer_pb2 as peer_pb
from purser.contract.v1 import payments_pb2 as payment_pb
from purser.contract.v1 import self_service_pb2 as own
from services.contract.operations import Operations
from services.contract.wire import (
    auto_top_ups,
    contracts,
    credit_notes,
    customers,
    ends,
    invoice_payments,
    invoice_refunds,
    invoices,
    named_seats,
    parties,
    payment_setups,
    payments,
    plan_changes,
    plan_offers,
    refunds,
    schedules,
    seat_voids,
    seats,
    self_service,
    top_ups,
)

SERVICE_NAME: Final = pb.DESCRIPTOR.services_by_name["ContractService"].full_name
PAYMENT_SERVICE_NAME: Final = payment_pb.DESCRIPTOR.services_by_name["PaymentService"].full_name
AUTO_TOP_UP_SERVICE_NAME: Final = auto_pb.DESCRIPTOR.services_by_name["AutoTopUpService"].full_name
PEER_SERVICE_NAME: Final = peer_pb.DESCRIPTOR.services_by_name["ContractPeerService"].full_name
SELF_SERVICE_NAME: Final = own.DESCRIPTOR.services_by_name["SelfService"].full_name

Context = ServicerContext[Any, Any]


class ContractServicer(contract_pb2_grpc.ContractServiceServicer):
    """purser.contract.v1.ContractService. The proto documents each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def CreateCustomer(
        self, request: pb.CreateCustomerRequest, context: Context
    ) -> pb.CreateCustomerResponse:
        command = customers.create_from_wire(request)
        customer = await self._do.customers.create(command)
        return customers.create_to_wire(customer)

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Context) -> pb.GetCustomerResponse:
        named = customers.get_from_wire(request)
        customer = await self._do.customers.get(named)
        billing = await self._do.parties.billing_details(customer.customer_id)
        return customers.get_to_wire(customer, billing)

    async def ListCustomers(
        self, request: pb.ListCustomersRequest, context: Context
    ) -> pb.ListCustomersResponse:
        page, search = customers.list_from_wire(request)
        rows = await self._do.customers.list(page, with_archived=request.with_archived, search=search)
        return customers.list_to_wire(rows, page, request)

    async def SetCustomerAliases(
        self, request: pb.SetCustomerAliasesRequest, context: Context
    ) -> pb.SetCustomerAliasesResponse:
        command = customers.set_aliases_from_wire(request)
        customer = await self._do.customers.set_aliases(command)
        return customers.set_aliases_to_wire(customer)

    async def RenameCustomer(
        self, request: pb.RenameCustomerRequest, context: Context
    ) -> pb.RenameCustomerResponse:
        command = customers.rename_from_wire(request)
        customer = await self._do.customers.rename(command)
        return customers.rename_to_wire(customer)

    async def SuspendCustomer(
        self, request: pb.SuspendCustomerRequest, context: Context
    ) -> pb.SuspendCustomerResponse:
        command = customers.suspend_from_wire(request)
        customer = await self._do.customers.suspend(command)
        return customers.suspend_to_wire(customer)

    async def ResumeCustomer(
        self, request: pb.ResumeCustomerRequest, context: Context
    ) -> pb.ResumeCustomerResponse:
        command = customers.resume_from_wire(request)
        customer = await self._do.customers.resume(command)
        return customers.resume_to_wire(customer)

    async def ArchiveCustomer(
        self, request: pb.ArchiveCustomerRequest, context: Context
    ) -> pb.ArchiveCustomerResponse:
        command = customers.archive_from_wire(request)
        customer = await self._do.customers.archive(command)
        return customers.archive_to_wire(customer)

    async def UnarchiveCustomer(
        self, request: pb.UnarchiveCustomerRequest, context: Context
    ) -> pb.UnarchiveCustomerResponse:
        command = customers.unarchive_from_wire(request)
        customer = await self._do.customers.unarchive(command)
        return customers.unarchive_to_wire(customer)

    async def ResendCustomer(
        self, request: pb.ResendCustomerRequest, context: Context
    ) -> pb.ResendCustomerResponse:
        command = customers.resend_from_wire(request)
        customer = await self._do.customers.resend(command)
        return customers.resend_to_wire(customer)

    async def SetBillingDetails(
        self, request: pb.SetBillingDetailsRequest, context: Context
    ) -> pb.SetBillingDetailsResponse:
        command = parties.set_billing_from_wire(request)
        result = await self._do.parties.set_billing_details(command)
        return parties.set_billing_to_wire(result)

    async def SetSellerDetails(
        self, request: pb.SetSellerDetailsRequest, context: Context
    ) -> pb.SetSellerDetailsResponse:
        command = parties.set_seller_from_wire(request)
        seller = await self._do.parties.set_seller(command)
        return parties.set_seller_to_wire(seller)

    async def GetSellerDetails(
        self, request: pb.GetSellerDetailsRequest, context: Context
    ) -> pb.GetSellerDetailsResponse:
        seller = await self._do.parties.seller()
        return parties.get_seller_to_wire(seller)

    async def CreateContract(
        self, request: pb.CreateContractRequest, context: Context
    ) -> pb.CreateContractResponse:
        command = contracts.create_from_wire(request)
        created = await self._do.contracts.create(command)
        return contracts.create_to_wire(created)

    async def GetContract(self, request: pb.GetContractRequest, context: Context) -> pb.GetContractResponse:
        contract_id = contracts.get_from_wire(request)
        contract = await self._do.contracts.get(contract_id)
        return contracts.get_to_wire(contract)

    async def ListContracts(
        self, request: pb.ListContractsRequest, context: Context
    ) -> pb.ListContractsResponse:
        customer, page = contracts.list_from_wire(request)
        rows = await self._do.contracts.list(customer, page)
        return contracts.list_to_wire(rows, page, request)

    async def EndContract(self, request: pb.EndContractRequest, context: Context) -> pb.EndContractResponse:
        command = ends.end_from_wire(request)
        ended = await self._do.ends.end(command)
        return ends.end_to_wire(ended)

    async def SetOveragePolicy(
        self, request: pb.SetOveragePolicyRequest, context: Context
    ) -> pb.SetOveragePolicyResponse:
        command = contracts.set_overage_from_wire(request)
        contract = await self._do.overage.set(command)
        return contracts.set_overage_to_wire(contract)

    async def SetInvoiceCollection(
        self, request: pb.SetInvoiceCollectionRequest, context: Context
    ) -> pb.SetInvoiceCollectionResponse:
        command = contracts.set_collection_from_wire(request)
        contract = await self._do.collections.set(command)
        return contracts.set_collection_to_wire(contract)

    async def ChangePlan(self, request: pb.ChangePlanRequest, context: Context) -> pb.ChangePlanResponse:
        command = plan_changes.change_from_wire(request)
        changed = await self._do.plan_changes.change(command)
        return plan_changes.change_to_wire(changed)

    async def PreviewPlanChange(
        self, request: pb.PreviewPlanChangeRequest, context: Context
    ) -> pb.PreviewPlanChangeResponse:
        terms = plan_changes.preview_from_wire(request)
        previewed = await self._do.plan_changes.preview(terms)
        return plan_changes.preview_to_wire(previewed)

    async def GetPlanChange(
        self, request: pb.GetPlanChangeRequest, context: Context
    ) -> pb.GetPlanChangeResponse:
        plan_change_id = plan_changes.get_from_wire(request)
        change = await self._do.plan_changes.get(plan_change_id)
        return plan_changes.get_to_wire(change)

    async def ListPlanChanges(
        self, request: pb.ListPlanChangesRequest, context: Context
    ) -> pb.ListPlanChangesResponse:
        contract_id, page = plan_changes.list_from_wire(request)
        rows = await self._do.plan_changes.list(contract_id, page)
        return plan_changes.list_to_wire(rows, page, request)

    async def EditGrantSchedule(
        self, request: pb.EditGrantScheduleRequest, context: Context
    ) -> pb.EditGrantScheduleResponse:
        command = schedules.edit_from_wire(request)
        changed = await self._do.schedules.edit(command)
        return schedules.edit_to_wire(changed)

    async def EndGrantSchedule(
        self, request: pb.EndGrantScheduleRequest, context: Context
    ) -> pb.EndGrantScheduleResponse:
        command = schedules.end_from_wire(request)
        changed = await self._do.schedules.end(command)
        return schedules.end_to_wire(changed)

    async def CreatePlanOffer(
        self, request: pb.CreatePlanOfferRequest, context: Context
    ) -> pb.CreatePlanOfferResponse:
        command = plan_offers.create_from_wire(request)
        offer = await self._do.plan_offers.create(command)
        return plan_offers.create_to_wire(offer)

    async def GetPlanOffer(
        self, request: pb.GetPlanOfferRequest, context: Context
    ) -> pb.GetPlanOfferResponse:
        plan_offer_id = plan_offers.get_from_wire(request)
        offer = await self._do.plan_offers.get(plan_offer_id)
        return plan_offers.get_to_wire(offer)

    async def ListPlanOffers(
        self, request: pb.ListPlanOffersRequest, context: Context
    ) -> pb.ListPlanOffersResponse:
        page = plan_offers.list_from_wire(request)
        rows = await self._do.plan_offers.list(page, with_archived=request.with_archived)
        return plan_offers.list_to_wire(rows, page, request)

    async def ArchivePlanOffer(
        self, request: pb.ArchivePlanOfferRequest, context: Context
    ) -> pb.ArchivePlanOfferResponse:
        command = plan_offers.archive_from_wire(request)
        offer = await self._do.plan_offers.archive(command)
        return plan_offers.archive_to_wire(offer)

    async def ChangeSeats(self, request: pb.ChangeSeatsRequest, context: Context) -> pb.ChangeSeatsResponse:
        command = seats.change_from_wire(request)
        moved = await self._do.seats.change(command)
        return seats.change_to_wire(moved)

    async def VoidSeatChange(
        self, request: pb.VoidSeatChangeRequest, context: Context
    ) -> pb.VoidSeatChangeResponse:
        command = seat_voids.void_from_wire(request)
        voided = await self._do.seat_voids.void(command)
        return seat_voids.void_to_wire(voided)

    async def NameSeats(self, request: pb.NameSeatsRequest, context: Context) -> pb.NameSeatsResponse:
        command = named_seats.name_from_wire(request)
        changed = await self._do.named_seats.name(command)
        return named_seats.name_to_wire(changed)

    async def SetSharedPoolAccess(
        self, request: pb.SetSharedPoolAccessRequest, context: Context
    ) -> pb.SetSharedPoolAccessResponse:
        command = named_seats.set_shared_pool_from_wire(request)
        changed = await self._do.named_seats.set_shared_pool(command)
        return named_seats.set_shared_pool_to_wire(changed)

    async def ListSeats(self, request: pb.ListSeatsRequest, context: Context) -> pb.ListSeatsResponse:
        asked = named_seats.list_from_wire(request)
        listed = await self._do.named_seats.list(
            asked.contract_id, asked.subscription_id, asked.at, asked.page
        )
        return named_seats.list_to_wire(listed, asked.page, request)

    async def ListSeatChanges(
        self, request: pb.ListSeatChangesRequest, context: Context
    ) -> pb.ListSeatChangesResponse:
        contract_id, subscription_id, page = seats.list_from_wire(request)
        rows = await self._do.seats.list_changes(contract_id, subscription_id, page)
        return seats.list_to_wire(rows, page, request)

    async def PreviewSeatChange(
        self, request: pb.PreviewSeatChangeRequest, context: Context
    ) -> pb.PreviewSeatChangeResponse:
        wanted = seats.preview_from_wire(request)
        preview = await self._do.seats.preview(wanted)
        return seats.preview_to_wire(preview)

    async def OrderTopUp(self, request: pb.OrderTopUpRequest, context: Context) -> pb.OrderTopUpResponse:
        command = top_ups.order_from_wire(request)
        ordered = await self._do.top_ups.order(command)
        return top_ups.order_to_wire(ordered)

    async def ResolveTopUpPayment(
        self, request: pb.ResolveTopUpPaymentRequest, context: Context
    ) -> pb.ResolveTopUpPaymentResponse:
        command = top_ups.resolve_from_wire(request)
        resolved = await self._do.top_ups.resolve(command)
        return top_ups.resolve_to_wire(resolved)

    async def CancelTopUp(self, request: pb.CancelTopUpRequest, context: Context) -> pb.CancelTopUpResponse:
        command = top_ups.cancel_from_wire(request)
        cancelled = await self._do.top_ups.cancel(command)
        return top_ups.cancel_to_wire(cancelled)

    async def RefundTopUp(self, request: pb.RefundTopUpRequest, context: Context) -> pb.RefundTopUpResponse:
        command = refunds.refund_from_wire(request)
        refund = await self._do.refunds.refund(command)
        return refunds.refund_to_wire(refund)

    async def ReportTopUpChargeback(
        self, request: pb.ReportTopUpChargebackRequest, context: Context
    ) -> pb.ReportTopUpChargebackResponse:
        command = refunds.chargeback_from_wire(request)
        return refunds.chargeback_to_wire(await self._do.refunds.report_chargeback(command))

    async def GetTopUp(self, request: pb.GetTopUpRequest, context: Context) -> pb.GetTopUpResponse:
        top_up_id = top_ups.get_from_wire(request)
        top_up = await self._do.top_ups.get(top_up_id)
        return refunds.get_to_wire(top_up, await self._do.refunds.of_top_up(top_up_id))

    async def ListTopUps(self, request: pb.ListTopUpsRequest, context: Context) -> pb.ListTopUpsResponse:
        contract_id, page = top_ups.list_from_wire(request)
        rows = await self._do.top_ups.list(contract_id, page)
        return top_ups.list_to_wire(rows, page, request)

    async def ListInvoices(
        self, request: pb.ListInvoicesRequest, context: Context
    ) -> pb.ListInvoicesResponse:
        customer, contract_id, page = invoices.list_from_wire(request)
        rows = await self._do.invoices.list(customer, contract_id, page)
        return invoices.list_to_wire(rows, page, request)

    async def GetInvoice(self, request: pb.GetInvoiceRequest, context: Context) -> pb.GetInvoiceResponse:
        invoice_id = invoices.get_from_wire(request)
        details = await self._do.invoices.get(invoice_id)
        return invoices.get_to_wire(details)

    async def GetInvoiceDocument(
        self, request: pb.GetInvoiceDocumentRequest, context: Context
    ) -> pb.GetInvoiceDocumentResponse:
        invoice_id, document_format = invoices.document_from_wire(request)
        document = await self._do.invoices.document(invoice_id, document_format)
        return invoices.document_to_wire(document)

    async def FinalizeInvoice(
        self, request: pb.FinalizeInvoiceRequest, context: Context
    ) -> pb.FinalizeInvoiceResponse:
        command = invoices.finalize_from_wire(request)
        invoice = await self._do.invoices.finalize(command)
        return invoices.finalize_to_wire(invoice)

    async def VoidInvoice(self, request: pb.VoidInvoiceRequest, context: Context) -> pb.VoidInvoiceResponse:
        command = invoices.void_from_wire(request)
        voided = await self._do.invoices.void(command)
        return invoices.void_to_wire(voided)

    async def RepriceSeats(
        self, request: pb.RepriceSeatsRequest, context: Context
    ) -> pb.RepriceSeatsResponse:
        command = invoices.reprice_from_wire(request)
        repriced = await self._do.repricing.reprice(command)
        return invoices.reprice_to_wire(repriced)

    async def RecordInvoicePayment(
        self, request: pb.RecordInvoicePaymentRequest, context: Context
    ) -> pb.RecordInvoicePaymentResponse:
        command = invoices.pay_from_wire(request)
        paid = await self._do.invoices.record_payment(command)
        return invoices.pay_to_wire(paid)

    async def CreateCreditNote(
        self, request: pb.CreateCreditNoteRequest, context: Context
    ) -> pb.CreateCreditNoteResponse:
        command = credit_notes.create_from_wire(request)
        credited = await self._do.credit_notes.create(command)
        return credit_notes.create_to_wire(credited)

    async def ListAccountCredits(
        self, request: pb.ListAccountCreditsRequest, context: Context
    ) -> pb.ListAccountCreditsResponse:
        customer, page = credit_notes.list_from_wire(request)
        credit = await self._do.credit_notes.account_credit(customer, page)
        return credit_notes.list_to_wire(credit, page, request)


class PaymentServicer(payments_pb2_grpc.PaymentServiceServicer):
    """purser.contract.v1.PaymentService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def SetPaymentMethod(
        self, request: payment_pb.SetPaymentMethodRequest, context: Context
    ) -> payment_pb.SetPaymentMethodResponse:
        command = payments.set_method_from_wire(request)
        method = await self._do.payments.set_method(command)
        return payments.set_method_to_wire(method)

    async def GetPaymentMethod(
        self, request: payment_pb.GetPaymentMethodRequest, context: Context
    ) -> payment_pb.GetPaymentMethodResponse:
        customer = payments.get_method_from_wire(request)
        method = await self._do.payments.method(customer)
        return payments.get_method_to_wire(method)

    async def CreatePaymentSetup(
        self, request: payment_pb.CreatePaymentSetupRequest, context: Context
    ) -> payment_pb.CreatePaymentSetupResponse:
        command = payment_setups.create_from_wire(request)
        created = await self._do.payment_setups.create(command)
        return payment_setups.create_to_wire(created)

    async def GetPaymentSetup(
        self, request: payment_pb.GetPaymentSetupRequest, context: Context
    ) -> payment_pb.GetPaymentSetupResponse:
        payment_setup_id = payment_setups.get_from_wire(request)
        found = await self._do.payment_setups.get(payment_setup_id)
        return payment_setups.get_to_wire(found)

    async def PayTopUp(
        self, request: payment_pb.PayTopUpRequest, context: Context
    ) -> payment_pb.PayTopUpResponse:
        command = payments.pay_from_wire(request)
        paid = await self._do.payments.pay(command)
        return payments.pay_to_wire(paid)

    async def GetTopUpPayment(
        self, request: payment_pb.GetTopUpPaymentRequest, context: Context
    ) -> payment_pb.GetTopUpPaymentResponse:
        top_up_id = payments.get_from_wire(request)
        found = await self._do.payments.get(top_up_id)
        return payments.get_to_wire(found)

    async def PayInvoice(
        self, request: payment_pb.PayInvoiceRequest, context: Context
    ) -> payment_pb.PayInvoiceResponse:
        command = invoice_payments.pay_from_wire(request)
        attempt = await self._do.invoice_payments.pay(command)
        return invoice_payments.pay_to_wire(attempt)

    async def RefundInvoicePayment(
        self, request: payment_pb.RefundInvoicePaymentRequest, context: Context
    ) -> payment_pb.RefundInvoicePaymentResponse:
        command = invoice_refunds.refund_from_wire(request)
        done = await self._do.invoice_refunds.refund(command)
        return invoice_refunds.refund_to_wire(done)

    async def GetInvoicePayment(
        self, request: payment_pb.GetInvoicePaymentRequest, context: Context
    ) -> payment_pb.GetInvoicePaymentResponse:
        invoice_id = invoice_payments.get_from_wire(request)
        found = await self._do.invoice_payments.get(invoice_id)
        return invoice_payments.get_to_wire(found)


class SelfServiceServicer(self_service_pb2_grpc.SelfServiceServicer):
    """purser.contract.v1.SelfService; the proto states the promise of each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def ListTopUpOffers(
        self, request: own.ListTopUpOffersRequest, context: Context
    ) -> own.ListTopUpOffersResponse:
        customer = self_service.offers_from_wire(request)
        offers = await self._do.top_ups.offers(customer)
        return self_service.offers_to_wire(offers)

    async def BuyTopUp(self, request: own.BuyTopUpRequest, context: Context) -> own.BuyTopUpResponse:
        command = self_service.buy_from_wire(request)
        ordered = await self._do.top_ups.buy(command)
        return self_service.buy_to_wire(ordered)

    async def AdjustSeats(self, request: own.AdjustSeatsRequest, context: Context) -> own.AdjustSeatsResponse:
        command = self_service.adjust_from_wire(request)
        moved = await self._do.seats.change(command)
        return self_service.adjust_to_wire(moved)

    async def PreviewAdjustSeats(
        self, request: own.PreviewAdjustSeatsRequest, context: Context
    ) -> own.PreviewAdjustSeatsResponse:
        wanted = self_service.preview_from_wire(request)
        preview = await self._do.seats.preview(wanted)
        return self_service.preview_to_wire(preview)

    async def ListOwnPlanOffers(
        self, request: own.ListOwnPlanOffersRequest, context: Context
    ) -> own.ListOwnPlanOffersResponse:
        contract_id, page = plan_offers.list_own_from_wire(request)
        rows = await self._do.plan_offers.list_own(contract_id, page)
        return plan_offers.list_own_to_wire(rows, page, request)

    async def PreviewOwnPlanChange(
        self, request: own.PreviewOwnPlanChangeRequest, context: Context
    ) -> own.PreviewOwnPlanChangeResponse:
        change = plan_offers.preview_own_from_wire(request)
        previewed = await self._do.plan_offers.preview_own(change)
        return plan_offers.preview_own_to_wire(previewed)

    async def ChangeOwnPlan(
        self, request: own.ChangeOwnPlanRequest, context: Context
    ) -> own.ChangeOwnPlanResponse:
        command = plan_offers.change_own_from_wire(request)
        changed = await self._do.plan_offers.change_own(command)
        return plan_offers.change_own_to_wire(changed)


class AutoTopUpServicer(auto_top_ups_pb2_grpc.AutoTopUpServiceServicer):
    """purser.contract.v1.AutoTopUpService. The proto documents each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def SetAutoTopUp(
        self, request: auto_pb.SetAutoTopUpRequest, context: Context
    ) -> auto_pb.SetAutoTopUpResponse:
        command = auto_top_ups.set_from_wire(request)
        auto = await self._do.auto_top_ups.set(command)
        return auto_top_ups.set_to_wire(auto)

    async def DisableAutoTopUp(
        self, request: auto_pb.DisableAutoTopUpRequest, context: Context
    ) -> auto_pb.DisableAutoTopUpResponse:
        command = auto_top_ups.disable_from_wire(request)
        auto = await self._do.auto_top_ups.disable(command)
        return auto_top_ups.disable_to_wire(auto)

    async def GetAutoTopUp(
        self, request: auto_pb.GetAutoTopUpRequest, context: Context
    ) -> auto_pb.GetAutoTopUpResponse:
        auto_top_up_id = auto_top_ups.get_from_wire(request)
        auto, ordered = await self._do.auto_top_ups.get(auto_top_up_id)
        return auto_top_ups.get_to_wire(auto, ordered)

    async def ListAutoTopUps(
        self, request: auto_pb.ListAutoTopUpsRequest, context: Context
    ) -> auto_pb.ListAutoTopUpsResponse:
        customer = auto_top_ups.list_from_wire(request)
        found = await self._do.auto_top_ups.list(customer)
        return auto_top_ups.list_to_wire(found)


class ContractPeerServicer(contract_peer_pb2_grpc.ContractPeerServiceServicer):
    """purser.contract.v1.ContractPeerService. The proto documents each rpc."""

    def __init__(self, operations: Operations) -> None:
        self._do = operations

    async def ReportTopUpLevel(
        self, request: peer_pb.ReportTopUpLevelRequest, context: Context
    ) -> peer_pb.ReportTopUpLevelResponse:
        await self._do.auto_top_ups.report(auto_top_ups.report_from_wire(request))
        return peer_pb.ReportTopUpLevelResponse()
