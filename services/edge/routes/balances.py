# SPDX-License-Identifier: Apache-2.0
"""Balances of customers and seats, and manual entries: the Ledger's."""

from itertools import groupby

from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import Refused
from services.edge.pages import all_pages, page_of
from services.edge.routes.contracts import contract_of
from services.edge.signed import read_entries
from services.edge.wire import balances as wire
from services.edge.wire.amounts import credit_type_id_from_json, micros_from_json

ACTOR = "edge"


async def list_balances(ask: Ask) -> object:
    body = ask.body(wire.ListBalances)
    listed = await ask.mesh.ledger_admin.ListGrants(
        admin.ListGrantsRequest(customer=body.customer_id, page_size=body.limit, page_token=body.next_page)
    )
    grants = [grant for grant in listed.grants if wire.is_listed(grant, body)]
    names = await ask.names.products(ask.mesh, (grant.product_id for grant in grants))
    credit_types = await ask.names.credit_types(ask.mesh, (grant.credit_type_id for grant in grants))
    shown: list[object] = [
        wire.grant_to_json(
            grant,
            names,
            credit_types,
            entries=await read_entries(ask, body.customer_id, grant) if body.include_ledgers else None,
            with_balance=body.include_balance,
        )
        for grant in grants
    ]
    return page_of(shown, listed.next_page_token)


async def get_net_balance(ask: Ask) -> object:
    body = ask.body(wire.GetNetBalance)
    credit_type_id = credit_type_id_from_json(body.credit_type_id)
    balance = await ask.mesh.gate.GetBalance(
        pb.GetBalanceRequest(customer=body.customer_id, credit_type_id=credit_type_id)
    )
    return wire.net_balance_to_json(balance, credit_type_id)


async def list_seat_balances(ask: Ask) -> object:
    body = ask.body(wire.ListSeatBalances)
    contract = await contract_of(ask, body)
    subscriptions = {one.subscription_id for one in contract.subscriptions}
    if body.subscription_ids:
        subscriptions &= set(body.subscription_ids)
    listed = await ask.mesh.ledger_admin.ListSeatBalances(
        admin.ListSeatBalancesRequest(
            customer=body.customer_id,
            subscription_id=next(iter(subscriptions)) if len(subscriptions) == 1 else "",
            page_size=body.limit,
            page_token=body.cursor,
        )
    )
    wanted = [
        one
        for one in listed.seats
        if one.subscription_id in subscriptions and (not body.seat_ids or one.seat_id in body.seat_ids)
    ]
    seats = [
        wire.seat_to_json(seat_id, list(held), with_grants=body.include_credits_and_commits)
        for seat_id, held in groupby(wanted, key=lambda one: one.seat_id)
    ]
    return {
        "data": seats,
        "pagination": {
            "seats_included": len(seats),
            # How many follow is not counted: 1 says that there are some.
            "seats_available_for_next_page": 1 if listed.next_page_token else 0,
            "next_page": listed.next_page_token or None,
        },
    }


async def add_manual_entry(ask: Ask) -> object:
    body = ask.body(wire.AddManualEntry)
    grant = await _grant(ask, body)
    await ask.mesh.ledger_admin.AdjustBalance(
        admin.AdjustBalanceRequest(
            request_id=ask.request_id(body.uniqueness_key),
            customer=body.customer_id,
            credit_type_id=grant.credit_type_id,
            amount_micros=micros_from_json("amount", body.amount, grant.credit_type_id),
            reason=body.reason,
            actor=ACTOR,
        )
    )
    return None


async def _grant(ask: Ask, body: wire.AddManualEntry) -> pb.Grant:
    async for listed in all_pages(
        lambda token: ask.mesh.ledger_admin.ListGrants(
            admin.ListGrantsRequest(customer=body.customer_id, page_size=500, page_token=token)
        )
    ):
        for grant in listed.grants:
            if body.id in (grant.grant_id, wire.id_of(grant)):
                return grant
    raise Refused(404, f"customer {body.customer_id} has no commit or credit {body.id!r}")


ENTRIES = (
    Entry("POST", "/v1/contracts/customerBalances/list", list_balances),
    Entry("POST", "/v1/contracts/customerBalances/getNetBalance", get_net_balance),
    Entry("POST", "/v1/contracts/seatBalances/list", list_seat_balances),
    Entry("POST", "/v1/contracts/addManualBalanceLedgerEntry", add_manual_entry),
)
