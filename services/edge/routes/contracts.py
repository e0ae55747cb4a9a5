# SPDX-License-Identifier: Apache-2.0
"""Contracts: signing, reading, ending."""

from collections.abc import Callable
from typing import Protocol

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from services.edge.exchange import Ask, Entry, Handler
from services.edge.faults import Refused
from services.edge.pages import page_of
from services.edge.signed import read_signed
from services.edge.wire.contracts import signing as wire
from services.edge.wire.contracts.signed import SignedContract, contract_v1_to_json, contract_v2_to_json
from services.edge.wire.fields import id_to_json

Shown = Callable[[SignedContract], dict[str, object]]


async def create_contract(ask: Ask) -> object:
    body = ask.body(wire.CreateContract)
    signed = await ask.mesh.contract.CreateContract(
        wire.contract_from_json(body, ask.request_id(body.uniqueness_key))
    )
    return id_to_json(signed.contract.contract_id)


def get_contract(to_json: Shown) -> Handler:
    async def get(ask: Ask) -> object:
        body = ask.body(wire.ContractOf)
        contract = await contract_of(ask, body)
        signed = await read_signed(
            ask, contract, with_balance=body.include_balance, with_ledgers=body.include_ledgers
        )
        return {"data": to_json(signed)}

    return get


class NamesContract(Protocol):
    """A body that names a contract of a customer."""

    @property
    def customer_id(self) -> str: ...
    @property
    def contract_id(self) -> str: ...


async def contract_of(ask: Ask, body: NamesContract) -> pb.Contract:
    """Return the contract. Raises Refused if it is another customer's, so that a mistake changes nothing."""
    found = await ask.mesh.contract.GetContract(pb.GetContractRequest(contract_id=body.contract_id))
    if found.contract.customer_id != body.customer_id:
        named = await ask.mesh.contract.GetCustomer(pb.GetCustomerRequest(customer=body.customer_id))
        if found.contract.customer_id != named.customer.customer_id:
            raise Refused(404, f"customer {body.customer_id!r} has no contract {body.contract_id!r}")
    return found.contract


def list_contracts(to_json: Shown) -> Handler:
    async def list_page(ask: Ask) -> object:
        body = ask.body(wire.ListContracts)
        listed = await ask.mesh.contract.ListContracts(
            pb.ListContractsRequest(customer=body.customer_id, page_size=body.limit, page_token=body.cursor)
        )
        shown: list[object] = [
            to_json(
                await read_signed(
                    ask, contract, with_balance=body.include_balance, with_ledgers=body.include_ledgers
                )
            )
            for contract in listed.contracts
            if wire.is_covered(contract, body)
        ]
        return page_of(shown, listed.next_page_token, key="cursor")

    return list_page


async def update_end_date(ask: Ask) -> object:
    body = ask.body(wire.UpdateEndDate)
    await contract_of(ask, body)
    request = pb.EndContractRequest(request_id=ask.request_id(), contract_id=body.contract_id)
    if body.ending_before is None:
        request.end_option = pb.END_OPTION_NEVER
    else:
        request.end_time.CopyFrom(timestamp(body.ending_before))
    ended = await ask.mesh.contract.EndContract(request)
    return id_to_json(ended.contract.contract_id)


async def archive_contract(_: Ask) -> object:
    raise Refused(
        501,
        "Purser keeps contracts: end it with /v1/contracts/updateEndDate, and void its invoices one by one",
    )


ENTRIES = (
    Entry("POST", "/v1/contracts/create", create_contract),
    Entry("POST", "/v1/contracts/get", get_contract(contract_v1_to_json)),
    Entry("POST", "/v1/contracts/list", list_contracts(contract_v1_to_json)),
    Entry("POST", "/v1/contracts/updateEndDate", update_end_date),
    Entry("POST", "/v1/contracts/archive", archive_contract),
    Entry("POST", "/v2/contracts/get", get_contract(contract_v2_to_json)),
    Entry("POST", "/v2/contracts/list", list_contracts(contract_v2_to_json)),
)
