# SPDX-License-Identifier: Apache-2.0
"""Credit types on the wire."""

from collections.abc import Sequence
from typing import Final

from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire
from purser.catalog.v1 import catalog_pb2 as pb
from services.catalog.domain.commands import CreateCreditType
from services.catalog.domain.credit_type import CreditType

_LIST: Final = {"list": "credit_types"}


def create_from_wire(request: pb.CreateCreditTypeRequest) -> CreateCreditType:
    fields = Fields()
    command = CreateCreditType(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreateCreditType", request),
        name=fields.text("name", request.name),
    )
    fields.check()
    return command


def create_to_wire(credit_type: CreditType) -> pb.CreateCreditTypeResponse:
    return pb.CreateCreditTypeResponse(credit_type=credit_type_to_wire(credit_type))


def list_from_wire(request: pb.ListCreditTypesRequest) -> Page:
    fields = Fields()
    page = page_from_wire(fields, request, _LIST)
    fields.check()
    return page


def list_to_wire(rows: Sequence[CreditType], page: Page) -> pb.ListCreditTypesResponse:
    shown, token = page_to_wire(rows, page, _LIST, lambda row: (row.credit_type_id,), credit_type_to_wire)
    return pb.ListCreditTypesResponse(credit_types=shown, next_page_token=token)


def credit_type_to_wire(credit_type: CreditType) -> pb.CreditType:
    return pb.CreditType(
        credit_type_id=credit_type.credit_type_id,
        name=credit_type.name,
        create_time=timestamp(credit_type.create_time),
    )
