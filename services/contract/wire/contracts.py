# SPDX-License-Identifier: Apache-2.0
"""Contracts on the wire."""

from collections.abc import Sequence

from meshkit.page import Page
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.contracts import (
    ContractCreated,
    CreateContract,
    GrantScheduleTerms,
    SetInvoiceCollection,
    SetOveragePolicy,
    SubscriptionTerms,
)
from services.contract.domain.contract import (
    GRANT_SCHEDULES_MAX,
    SUBSCRIPTIONS_MAX,
    ContractNow,
    unprorated_schedules,
)
from services.contract.domain.ids import ContractId, RateCardId
from services.contract.domain.schedules import Allocation, GrantAlignment
from services.contract.domain.term import NOTICE_DAYS_MAX, TERM_MONTHS_MAX, Term
from services.contract.wire.collection import collection_from_wire, collection_to_wire
from services.contract.wire.invoices import invoice_to_wire
from services.contract.wire.overage import policy_from_wire, policy_to_wire
from services.contract.wire.schedules import schedule_from_wire, schedule_to_wire
from services.contract.wire.subscriptions import subscription_to_wire, terms_from_wire
from services.contract.wire.values import (
    MONEY_BACK,
    each,
    optional_time,
    time,
)


def create_from_wire(request: pb.CreateContractRequest) -> CreateContract:
    fields = Fields()
    command = CreateContract(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateContract", request),
        customer=fields.text("customer", request.customer),
        name=fields.text("name", request.name, required=False),
        rate_card_id=RateCardId(fields.text("rate_card_id", request.rate_card_id)),
        start_time=time(fields, "start_time", request.start_time, request.HasField("start_time")),
        end_time=optional_time(fields, "end_time", request.end_time, request.HasField("end_time")),
        subscriptions=subscriptions_from_wire(fields, request.subscriptions),
        grant_schedules=schedules_from_wire(fields, request.grant_schedules, request.subscriptions),
        term=_term_from_wire(fields, request.term) if request.HasField("term") else None,
        overage=policy_from_wire(fields, request.overage_policy),
        collection=collection_from_wire(fields, request.invoice_collection),
    )
    if command.term is not None and command.end_time is not None:
        fields.add("end_time", "must be left out: the term says when the contract ends")
    if command.end_time is not None and command.end_time <= command.start_time:
        fields.add("end_time", "must be after start_time")
    fields.check()
    return command


def _term_from_wire(fields: Fields, term: pb.ContractTerm) -> Term:
    if term.notice_days and not term.renews:
        fields.add("term.notice_days", "must be left out unless the term renews")
    return Term(
        months=fields.count("term.months", term.months, minimum=1, maximum=TERM_MONTHS_MAX),
        renews=term.renews,
        notice_days=fields.count("term.notice_days", term.notice_days, minimum=0, maximum=NOTICE_DAYS_MAX),
    )


def subscriptions_from_wire(
    fields: Fields, terms: Sequence[pb.SubscriptionTerms]
) -> tuple[SubscriptionTerms, ...]:
    return each(fields, "subscriptions", terms, SUBSCRIPTIONS_MAX, terms_from_wire)


def schedules_from_wire(
    fields: Fields, terms: Sequence[pb.GrantScheduleTerms], subscriptions: Sequence[pb.SubscriptionTerms]
) -> tuple[GrantScheduleTerms, ...]:
    """Return the terms of the schedules of a contract with these subscriptions."""
    schedules = each(fields, "grant_schedules", terms, GRANT_SCHEDULES_MAX, schedule_from_wire)
    for position, schedule in enumerate(schedules):
        index = schedule.subscription_index
        linked = None
        if index is not None and 0 <= index < len(subscriptions):
            linked = subscriptions[index]
        elif index is not None:
            fields.add(
                f"grant_schedules[{position}].subscription_index",
                "must be a position in subscriptions, from 0",
            )
        if index is None and schedule.alignment is GrantAlignment.BILLING_PERIODS:
            fields.add(f"grant_schedules[{position}].alignment", "BILLING_PERIODS needs a subscription_index")
        is_named = linked is not None and linked.quantity_management == pb.QUANTITY_MANAGEMENT_SEAT_BASED
        if schedule.allocation is Allocation.INDIVIDUAL and not is_named:
            fields.add(
                f"grant_schedules[{position}].allocation",
                "INDIVIDUAL needs a subscription_index of seats that are SEAT_BASED",
            )
    return schedules


def get_from_wire(request: pb.GetContractRequest) -> ContractId:
    fields = Fields()
    contract_id = ContractId(fields.text("contract_id", request.contract_id))
    fields.check()
    return contract_id


def list_from_wire(request: pb.ListContractsRequest) -> tuple[str, Page]:
    fields = Fields()
    customer = fields.text("customer", request.customer, required=False)
    page = page_from_wire(fields, request, _list_of(request))
    fields.check()
    return customer, page


def set_overage_from_wire(request: pb.SetOveragePolicyRequest) -> SetOveragePolicy:
    fields = Fields()
    if not request.HasField("overage_policy"):
        fields.add("overage_policy", "is required; HARD_STOP removes what was agreed")
    command = SetOveragePolicy(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetOveragePolicy", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        overage=policy_from_wire(fields, request.overage_policy),
    )
    fields.check()
    return command


def set_collection_from_wire(request: pb.SetInvoiceCollectionRequest) -> SetInvoiceCollection:
    fields = Fields()
    if not request.HasField("invoice_collection"):
        fields.add("invoice_collection", "is required; SEND means that the vendor reports payments")
    command = SetInvoiceCollection(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetInvoiceCollection", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        collection=collection_from_wire(fields, request.invoice_collection),
    )
    fields.check()
    return command


def set_collection_to_wire(contract: ContractNow) -> pb.SetInvoiceCollectionResponse:
    return pb.SetInvoiceCollectionResponse(contract=contract_to_wire(contract))


def create_to_wire(created: ContractCreated) -> pb.CreateContractResponse:
    return pb.CreateContractResponse(
        contract=contract_to_wire(created.contract),
        invoices=[invoice_to_wire(invoice) for invoice in created.invoices],
        warnings=[
            pb.ContractWarning(
                warning_type=pb.CONTRACT_WARNING_TYPE_CREDITS_NOT_PRORATED,
                field=f"grant_schedules[{position}]",
                message="grants whole credits where its seats pay a share of the period",
            )
            for position in unprorated_schedules(created.contract.contract)
        ],
    )


def get_to_wire(contract: ContractNow) -> pb.GetContractResponse:
    return pb.GetContractResponse(contract=contract_to_wire(contract))


def list_to_wire(
    rows: Sequence[ContractNow], page: Page, request: pb.ListContractsRequest
) -> pb.ListContractsResponse:
    shown, token = page_to_wire(
        rows, page, _list_of(request), lambda row: (row.contract.contract_id,), contract_to_wire
    )
    return pb.ListContractsResponse(contracts=shown, next_page_token=token)


def set_overage_to_wire(contract: ContractNow) -> pb.SetOveragePolicyResponse:
    return pb.SetOveragePolicyResponse(contract=contract_to_wire(contract))


def contract_to_wire(now: ContractNow) -> pb.Contract:
    contract = now.contract
    return pb.Contract(
        contract_id=contract.contract_id,
        customer_id=contract.customer_id,
        name=contract.name,
        rate_card_id=contract.rate_card_id,
        start_time=timestamp(contract.start_time),
        end_time=optional_timestamp(contract.end_time),
        subscriptions=[subscription_to_wire(one) for one in now.subscriptions],
        grant_schedules=[schedule_to_wire(one) for one in contract.grant_schedules],
        create_time=timestamp(contract.create_time),
        term=None
        if contract.term is None
        else pb.ContractTerm(
            months=contract.term.months,
            renews=contract.term.renews,
            notice_days=contract.term.notice_days,
        ),
        overage_policy=policy_to_wire(contract.overage),
        invoice_collection=collection_to_wire(contract.collection),
        end_money_back=None if contract.end_money_back is None else MONEY_BACK[contract.end_money_back],
    )


def _list_of(request: pb.ListContractsRequest) -> dict[str, str]:
    return {"list": "contracts", "customer": request.customer}
