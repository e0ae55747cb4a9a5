# SPDX-License-Identifier: Apache-2.0
"""Groups on the wire."""

from collections.abc import Sequence

from meshkit.page import Page
from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from meshkit.rpc.paging import page_from_wire, page_to_wire, text_key
from purser.ledger.v1 import ledger_admin_pb2 as pb
from services.ledger.domain.gate.cap_group import (
    GROUP_VALUES_MAX,
    CustomerCapGroup,
    RemoveCapGroup,
    SetCapGroup,
)


def set_from_wire(request: pb.SetCapGroupRequest) -> SetCapGroup:
    fields = Fields()
    if len(request.group_values) > GROUP_VALUES_MAX:
        fields.add("group_values", f"must be at most {GROUP_VALUES_MAX}, are {len(request.group_values)}")
        fields.check()
    values = [
        fields.text(f"group_values[{number}]", value) for number, value in enumerate(request.group_values)
    ]
    if len(set(values)) < len(values):
        fields.add("group_values", "must be different from each other")
    command = SetCapGroup(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetCapGroup", request),
        customer=fields.text("customer", request.customer),
        cap_group_id=fields.text("cap_group_id", request.cap_group_id, required=False),
        name=fields.text("name", request.name),
        group_key=fields.text("group_key", request.group_key, max_length=64),
        values=frozenset(values),
    )
    fields.check()
    return command


def set_to_wire(answer: CustomerCapGroup) -> pb.SetCapGroupResponse:
    return pb.SetCapGroupResponse(cap_group=_group_to_wire(answer))


def remove_from_wire(request: pb.RemoveCapGroupRequest) -> RemoveCapGroup:
    fields = Fields()
    command = RemoveCapGroup(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("RemoveCapGroup", request),
        customer=fields.text("customer", request.customer),
        cap_group_id=fields.text("cap_group_id", request.cap_group_id),
    )
    fields.check()
    return command


def get_from_wire(request: pb.GetCapGroupRequest) -> tuple[str, str]:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    cap_group_id = fields.text("cap_group_id", request.cap_group_id)
    fields.check()
    return customer, cap_group_id


def get_to_wire(found: CustomerCapGroup, values: Sequence[str]) -> pb.GetCapGroupResponse:
    return pb.GetCapGroupResponse(cap_group=_group_to_wire(found), group_values=values)


def list_from_wire(request: pb.ListCapGroupsRequest) -> tuple[str, Page]:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    page = page_from_wire(fields, request, _filters(customer), keys=(text_key,) * 3)
    fields.check()
    return customer, page


def list_to_wire(rows: Sequence[CustomerCapGroup], page: Page, customer: str) -> pb.ListCapGroupsResponse:
    shown, token = page_to_wire(
        rows,
        page,
        _filters(customer),
        lambda row: (row.group.group_key, row.group.name, row.group.cap_group_id),
        _group_to_wire,
    )
    return pb.ListCapGroupsResponse(cap_groups=shown, next_page_token=token)


def _filters(customer: str) -> dict[str, str]:
    return {"list": "cap_groups", "customer": customer}


def _group_to_wire(one: CustomerCapGroup) -> pb.CapGroup:
    return pb.CapGroup(
        cap_group_id=one.group.cap_group_id,
        customer_id=one.customer_id,
        name=one.group.name,
        group_key=one.group.group_key,
        size=one.group.size,
        create_time=timestamp(one.group.create_time),
    )
