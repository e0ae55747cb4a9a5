# SPDX-License-Identifier: Apache-2.0
"""Edits of a contract, one rpc each, and the release of a commit that waits for its payment."""

from collections.abc import Coroutine, Sequence
from typing import Any

from meshkit.rpc.fields import timestamp
from purser.contract.v1 import contract_pb2 as pb
from services.edge.exchange import Ask, Entry
from services.edge.faults import InvalidBody
from services.edge.pages import all_pages
from services.edge.routes.contracts import contract_of
from services.edge.signed import read_timeline
from services.edge.wire.contracts import edits as wire
from services.edge.wire.contracts import history
from services.edge.wire.contracts.signing import ContractOf
from services.edge.wire.fields import id_to_json, one_violation

Outcome = dict[str, object]


async def edit_contract(ask: Ask) -> object:
    body = ask.body(wire.EditContract)
    contract = await contract_of(ask, body)
    request_id = ask.request_id(body.uniqueness_key)
    changes = [
        *(_update_subscription(ask, body, one, request_id) for one in body.update_subscriptions),
        *(_add_commit(ask, body, one, request_id) for one in body.add_commits),
        *(_add_credit(ask, body, one, request_id) for one in body.add_credits),
        *(_update_recurring_credit(ask, contract, one, request_id) for one in body.update_recurring_credits),
    ]
    if body.update_contract_end_date is not None:
        changes.append(_end(ask, body, request_id))
    edit = await _the_only(changes)
    return {"data": {"id": body.contract_id, "edit": {"id": request_id, **edit}}}


async def _the_only(changes: Sequence[Coroutine[Any, Any, Outcome]]) -> Outcome:
    if len(changes) != 1:
        for change in changes:
            change.close()
        raise one_violation("the edit", wire.ONE_CHANGE)
    return await changes[0]


async def _update_subscription(
    ask: Ask, body: wire.EditContract, update: wire.UpdateSubscription, request_id: str
) -> Outcome:
    kinds = (update.quantity_updates, update.seat_updates, update.quantity_management_mode_update)
    if sum(map(bool, kinds)) != 1 or len(update.quantity_updates) > 1:
        raise one_violation("update_subscriptions[0]", wire.ONE_CHANGE)
    names = (update.subscription_id, body.contract_id, request_id)
    if update.quantity_management_mode_update is not None:
        await ask.mesh.contract.NameSeats(
            pb.NameSeatsRequest(
                request_id=request_id,
                contract_id=body.contract_id,
                subscription_id=update.subscription_id,
                seat_group_key=update.quantity_management_mode_update.seat_config.seat_group_key,
            )
        )
        return {"update_subscriptions": [{"id": update.subscription_id}]}
    if update.seat_updates is None:
        request = wire.quantity_from_json(update.quantity_updates[0], *names)
    else:
        unassigned = await _unassigned(ask, body.contract_id, update, update.seat_updates)
        request = wire.seats_from_json(update.seat_updates, unassigned, *names)
    changed = await ask.mesh.contract.ChangeSeats(request)
    return {"update_subscriptions": [history.seat_change_to_json(changed.seat_change)]}


async def _unassigned(
    ask: Ask, contract_id: str, update: wire.UpdateSubscription, updates: wire.SeatUpdates
) -> int:
    seats = await ask.mesh.contract.ListSeats(
        pb.ListSeatsRequest(
            contract_id=contract_id,
            subscription_id=update.subscription_id,
            at_time=timestamp(wire.start_of(updates)),
            page_size=1,
        )
    )
    return seats.unassigned_quantity


async def _add_commit(ask: Ask, body: wire.EditContract, commit: wire.AddCommit, request_id: str) -> Outcome:
    ordered = await ask.mesh.contract.OrderTopUp(wire.order_from_json(commit, body.contract_id, request_id))
    names = await ask.names.products(ask.mesh, [commit.product_id])
    return {"add_commits": [history.commit_to_json(ordered.top_up, names)]}


async def _add_credit(ask: Ask, body: wire.EditContract, credit: wire.AddCredit, request_id: str) -> Outcome:
    issued = await ask.mesh.ledger_admin.IssueGrant(
        wire.grant_from_json(credit, body.customer_id, request_id)
    )
    names = await ask.names.products(ask.mesh, [credit.product_id])
    product = {"id": credit.product_id, "name": names[credit.product_id]}
    return {"add_credits": [{"id": issued.grant.grant_id, "type": "CREDIT", "product": product}]}


async def _update_recurring_credit(
    ask: Ask, contract: pb.Contract, update: wire.UpdateRecurringCredit, request_id: str
) -> Outcome:
    schedules = {one.grant_schedule_id: one for one in contract.grant_schedules}
    if update.recurring_credit_id not in schedules:
        raise _unknown_schedule()
    schedule = schedules[update.recurring_credit_id]
    request = wire.schedule_from_json(update, schedule, contract.contract_id, request_id)
    if isinstance(request, pb.EndGrantScheduleRequest):
        await ask.mesh.contract.EndGrantSchedule(request)
    else:
        await ask.mesh.contract.EditGrantSchedule(request)
    return {"update_recurring_credits": [{"id": update.recurring_credit_id}]}


def _unknown_schedule() -> InvalidBody:
    return one_violation("update_recurring_credits[0].recurring_credit_id", "is none of this contract")


async def _end(ask: Ask, body: wire.EditContract, request_id: str) -> Outcome:
    assert body.update_contract_end_date is not None
    ended = await ask.mesh.contract.EndContract(
        pb.EndContractRequest(
            request_id=request_id,
            contract_id=body.contract_id,
            end_time=timestamp(body.update_contract_end_date),
        )
    )
    return {"update_contract_end_date": history.end_to_json(ended.contract)}


async def get_edit_history(ask: Ask) -> object:
    body = ask.body(ContractOf)
    contract = await contract_of(ask, body)
    top_ups = [
        top_up
        async for listed in all_pages(
            lambda token: ask.mesh.contract.ListTopUps(
                pb.ListTopUpsRequest(contract_id=contract.contract_id, page_size=500, page_token=token)
            )
        )
        for top_up in listed.top_ups
    ]
    timelines = [await read_timeline(ask, contract, one.subscription_id) for one in contract.subscriptions]
    names = await ask.names.products(ask.mesh, (top_up.terms.product_id for top_up in top_ups))
    changes = [change for timeline in timelines for change in timeline.changes]
    return {"data": history.edits_to_json(changes, top_ups, names)}


async def release(ask: Ask) -> object:
    """Report the payment of a commit whose gate is EXTERNAL. Metronome's workflow_id is the commit's id here."""
    body = ask.body(wire.Release)
    if body.outcome.lower() not in wire.OUTCOMES:
        raise one_violation("outcome", f"must be one of {', '.join(wire.OUTCOMES)}")
    resolved = await ask.mesh.contract.ResolveTopUpPayment(
        pb.ResolveTopUpPaymentRequest(
            request_id=ask.request_id(),
            top_up_id=body.workflow_id,
            outcome=wire.OUTCOMES[body.outcome.lower()],
        )
    )
    return id_to_json(resolved.top_up.top_up_id)


ENTRIES = (
    Entry("POST", "/v2/contracts/edit", edit_contract),
    Entry("POST", "/v2/contracts/getEditHistory", get_edit_history),
    Entry("POST", "/v1/contracts/commits/threshold-billing/release", release),
)
