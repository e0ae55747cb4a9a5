# SPDX-License-Identifier: Apache-2.0
"""Reads what the JSON of a contract shows: its seats over time, names, and, if asked for, its credits."""

import asyncio
from collections.abc import Sequence

from purser.contract.v1 import contract_pb2 as pb
from purser.ledger.v1 import ledger_admin_pb2 as admin
from purser.ledger.v1 import ledger_pb2 as ledger
from services.edge.exchange import Ask
from services.edge.pages import all_pages
from services.edge.wire.balances import grant_to_json
from services.edge.wire.contracts.signed import SeatTimeline, SignedContract, product_ids_of


async def read_signed(
    ask: Ask, contract: pb.Contract, *, with_balance: bool = False, with_ledgers: bool = False
) -> SignedContract:
    """Return a contract with what else is shown. Credits are read only with balance or ledgers."""
    subscriptions = [one.subscription_id for one in contract.subscriptions]
    timelines = await asyncio.gather(*(read_timeline(ask, contract, one) for one in subscriptions))
    grants = await _grants_of(ask, contract) if with_balance or with_ledgers else []
    names = await ask.names.products(
        ask.mesh, [*product_ids_of(contract), *(grant.product_id for grant in grants)]
    )
    credit_types = await ask.names.credit_types(ask.mesh, (grant.credit_type_id for grant in grants))
    shown: dict[bool, list[object]] = {True: [], False: []}
    for grant in grants:
        entries = await read_entries(ask, contract.customer_id, grant) if with_ledgers else None
        shown[grant.grant_kind == ledger.GRANT_KIND_TOP_UP].append(
            grant_to_json(grant, names, credit_types, entries=entries, with_balance=with_balance)
        )
    return SignedContract(
        contract=contract,
        timelines=dict(zip(subscriptions, timelines, strict=True)),
        product_names=names,
        commits=shown[True],
        credits=shown[False],
    )


async def read_timeline(ask: Ask, contract: pb.Contract, subscription_id: str) -> SeatTimeline:
    """Return the seats of a subscription since the start of its contract."""
    at_start = await ask.mesh.contract.ListSeats(
        pb.ListSeatsRequest(
            contract_id=contract.contract_id,
            subscription_id=subscription_id,
            at_time=contract.start_time,
            page_size=1,
        )
    )
    changes = [
        change
        async for listed in all_pages(
            lambda token: ask.mesh.contract.ListSeatChanges(
                pb.ListSeatChangesRequest(
                    contract_id=contract.contract_id,
                    subscription_id=subscription_id,
                    page_size=500,
                    page_token=token,
                )
            )
        )
        for change in listed.seat_changes
    ]
    return SeatTimeline(initial_quantity=at_start.quantity, changes=changes)


async def read_entries(ask: Ask, customer: str, grant: ledger.Grant) -> Sequence[admin.Entry]:
    """Return the entries of a grant, oldest first."""
    entries = [
        entry
        async for listed in all_pages(
            lambda token: ask.mesh.ledger_admin.ListEntries(
                admin.ListEntriesRequest(
                    customer=customer,
                    credit_type_id=grant.credit_type_id,
                    grant_id=grant.grant_id,
                    page_size=500,
                    page_token=token,
                )
            )
        )
        for entry in listed.entries
    ]
    return entries[::-1]


async def _grants_of(ask: Ask, contract: pb.Contract) -> list[ledger.Grant]:
    """Return the grants of a contract's schedules and top-ups."""
    schedules = {one.grant_schedule_id for one in contract.grant_schedules}
    top_ups = {
        top_up.top_up_id
        async for listed in all_pages(
            lambda token: ask.mesh.contract.ListTopUps(
                pb.ListTopUpsRequest(contract_id=contract.contract_id, page_size=500, page_token=token)
            )
        )
        for top_up in listed.top_ups
    }
    return [
        grant
        async for found in all_pages(
            lambda token: ask.mesh.ledger_admin.ListGrants(
                admin.ListGrantsRequest(customer=contract.customer_id, page_size=500, page_token=token)
            )
        )
        for grant in found.grants
        if grant.grant_schedule_id in schedules or grant.source_id in top_ups
    ]
