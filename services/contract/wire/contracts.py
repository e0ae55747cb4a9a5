# SPDX-License-Identifier: Apache-2.0
"""Contracts on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.quantity import Credits
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.billing.price import USD
from services.contract.domain.commands import (
    ContractCreated,
    CreateContract,
    EndContract,
    GrantScheduleTerms,
    SubscriptionTerms,
)
from services.contract.domain.contract import (
    COMMIT_DURATION_MAX,
    GRANT_SCHEDULES_MAX,
    INCLUDED_PRIORITY_DEFAULT,
    PRIORITY_MAX,
    SCOPE_PRODUCTS_MAX,
    SUBSCRIPTIONS_MAX,
    UNIT_AMOUNT_MAX,
    ContractNow,
    EndOption,
    GrantFrequency,
    GrantSchedule,
    PeriodProration,
)
from services.contract.domain.ids import ContractId, CreditTypeId, ProductId, RateCardId
from services.contract.domain.term import NOTICE_DAYS_MAX, TERM_MONTHS_MAX, Term
from services.contract.wire.invoices import invoice_to_wire
from services.contract.wire.subscriptions import subscription_to_wire, terms_from_wire
from services.contract.wire.values import (
    by_number,
    default,
    each,
    optional_time,
    time,
)

_GRANT_FREQUENCIES: Final = {
    GrantFrequency.MONTHLY: pb.GRANT_FREQUENCY_MONTHLY,
    GrantFrequency.ANNUAL: pb.GRANT_FREQUENCY_ANNUAL,
}
_PERIOD_PRORATIONS: Final = {
    PeriodProration.FIRST_AND_LAST: pb.PERIOD_PRORATION_FIRST_AND_LAST,
    PeriodProration.FIRST: pb.PERIOD_PRORATION_FIRST,
    PeriodProration.LAST: pb.PERIOD_PRORATION_LAST,
    PeriodProration.NONE: pb.PERIOD_PRORATION_NONE,
}
_END_OPTIONS: Final = {
    EndOption.AT_TIME: pb.END_OPTION_UNSPECIFIED,
    EndOption.PERIOD_END: pb.END_OPTION_PERIOD_END,
    EndOption.PERIOD_START: pb.END_OPTION_PERIOD_START,
    EndOption.NEVER: pb.END_OPTION_NEVER,
    EndOption.TERM_END: pb.END_OPTION_TERM_END,
}
# There is only one choice so far. Setting it is the same as leaving it out.
_POOLED: Final[dict[int, str]] = {pb.ALLOCATION_POOLED: "POOLED"}


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
        grant_schedules=schedules_from_wire(fields, request.grant_schedules, len(request.subscriptions)),
        term=_term_from_wire(fields, request.term) if request.HasField("term") else None,
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
    fields: Fields, terms: Sequence[pb.GrantScheduleTerms], subscriptions: int
) -> tuple[GrantScheduleTerms, ...]:
    """Return the terms of the schedules of a contract with so many subscriptions."""
    schedules = each(fields, "grant_schedules", terms, GRANT_SCHEDULES_MAX, _schedule_terms)
    for position, schedule in enumerate(schedules):
        index = schedule.subscription_index
        if index is not None and not 0 <= index < subscriptions:
            fields.add(
                f"grant_schedules[{position}].subscription_index",
                "must be a position in subscriptions, from 0",
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


def end_from_wire(request: pb.EndContractRequest) -> EndContract:
    fields = Fields()
    command = EndContract(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("EndContract", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        end_time=optional_time(fields, "end_time", request.end_time, request.HasField("end_time")),
        end_option=fields.choice("end_option", request.end_option, by_number(_END_OPTIONS)),
        ignores_term=request.ignores_term,
    )
    if command.end_time is not None and command.end_option is not EndOption.AT_TIME:
        fields.add("end_time", "must be left out if end_option is set")
    fields.check()
    return command


def create_to_wire(created: ContractCreated) -> pb.CreateContractResponse:
    return pb.CreateContractResponse(
        contract=contract_to_wire(created.contract),
        invoices=[invoice_to_wire(invoice) for invoice in created.invoices],
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


def end_to_wire(contract: ContractNow) -> pb.EndContractResponse:
    return pb.EndContractResponse(contract=contract_to_wire(contract))


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
        grant_schedules=[_schedule_to_wire(one) for one in contract.grant_schedules],
        create_time=timestamp(contract.create_time),
        term=None
        if contract.term is None
        else pb.ContractTerm(
            months=contract.term.months,
            renews=contract.term.renews,
            notice_days=contract.term.notice_days,
        ),
    )


def _schedule_to_wire(schedule: GrantSchedule) -> pb.GrantSchedule:
    return pb.GrantSchedule(
        grant_schedule_id=schedule.grant_schedule_id,
        product_id=schedule.product_id,
        credit_type_id=schedule.credit_type_id,
        unit_amount_micros=schedule.unit_amount.micros,
        subscription_id=schedule.subscription_id or "",
        frequency=_GRANT_FREQUENCIES[schedule.frequency],
        anchor_time=timestamp(schedule.anchor_time),
        allocation=pb.ALLOCATION_POOLED,
        priority=schedule.priority,
        prorates_increases=schedule.prorates_increases,
        period_proration=_PERIOD_PRORATIONS[schedule.period_proration],
        commit_duration=schedule.commit_duration,
        scope_product_ids=schedule.scope_product_ids,
    )


def _schedule_terms(fields: Fields, path: str, terms: pb.GrantScheduleTerms) -> GrantScheduleTerms:
    default(fields, f"{path}.allocation", terms.allocation, _POOLED)
    return GrantScheduleTerms(
        product_id=ProductId(fields.text(f"{path}.product_id", terms.product_id)),
        credit_type_id=custom_credit_type(fields, f"{path}.credit_type_id", terms.credit_type_id),
        unit_amount=Credits(
            fields.micros(
                f"{path}.unit_amount_micros",
                terms.unit_amount_micros,
                minimum=1,
                maximum=UNIT_AMOUNT_MAX.micros,
            )
        ),
        subscription_index=terms.subscription_index if terms.HasField("subscription_index") else None,
        frequency=fields.choice(f"{path}.frequency", terms.frequency, by_number(_GRANT_FREQUENCIES)),
        anchor_time=optional_time(
            fields, f"{path}.anchor_time", terms.anchor_time, terms.HasField("anchor_time")
        ),
        priority=fields.count(
            f"{path}.priority", terms.priority or INCLUDED_PRIORITY_DEFAULT, minimum=1, maximum=PRIORITY_MAX
        ),
        prorates_increases=terms.prorates_increases,
        period_proration=default(
            fields, f"{path}.period_proration", terms.period_proration, by_number(_PERIOD_PRORATIONS)
        ),
        commit_duration=fields.count(
            f"{path}.commit_duration", terms.commit_duration or 1, minimum=1, maximum=COMMIT_DURATION_MAX
        ),
        scope_product_ids=_scope(fields, f"{path}.scope_product_ids", terms.scope_product_ids),
    )


def custom_credit_type(fields: Fields, field: str, credit_type_id: str) -> CreditTypeId:
    """Return a custom credit type: any but USD."""
    if credit_type_id == USD:
        fields.add(field, "must be a custom credit type: USD is money, not credits")
    return CreditTypeId(fields.text(field, credit_type_id))


def _scope(fields: Fields, field: str, product_ids: Sequence[str]) -> tuple[ProductId, ...]:
    if len(product_ids) > SCOPE_PRODUCTS_MAX:
        fields.add(field, f"must have at most {SCOPE_PRODUCTS_MAX} elements")
        return ()
    for position, product_id in enumerate(product_ids):
        fields.text(f"{field}[{position}]", product_id)
        if product_id in product_ids[:position]:
            fields.add(f"{field}[{position}]", "is a duplicate")
    return tuple(ProductId(one) for one in product_ids)


def _list_of(request: pb.ListContractsRequest) -> dict[str, str]:
    return {"list": "contracts", "customer": request.customer}
