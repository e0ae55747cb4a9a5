# SPDX-License-Identifier: Apache-2.0
"""Who has a seat: add, remove, assign and transfer seats. Price and credits are shown before they are confirmed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from purser.contract.v1.contract_pb2 import (
    BILLING_FREQUENCY_ANNUAL,
    BILLING_FREQUENCY_MONTHLY,
    BILLING_FREQUENCY_QUARTERLY,
    BILLING_FREQUENCY_WEEKLY,
    QUANTITY_MANAGEMENT_SEAT_BASED,
    Contract,
    ListContractsRequest,
    ListSeatChangesRequest,
    ListSeatsRequest,
    Seat,
    SeatChange,
    SeatTransfer,
    Subscription,
)
from purser.contract.v1.self_service_pb2 import AdjustSeatsRequest, PreviewAdjustSeatsRequest
from purser.ledger.v1.ledger_admin_pb2 import ListSeatBalancesRequest
from purser.ledger.v1.ledger_pb2 import SeatBalance
from services.portal.customer.names import balance_of, business_time, credit_type_names, product_names
from services.portal.faults import WrongInput
from services.portal.formats import instant
from services.portal.i18n import N_
from services.portal.mesh import listed
from services.portal.rendering import gettext_of, page
from services.portal.security import form_of, text_of
from services.portal.session import Viewer, viewer_of

NAME = N_("Seats")
ROWS_MAX: Final = 1_000
CHANGES_SHOWN_MAX: Final = 20
FREQUENCIES: Final = {
    BILLING_FREQUENCY_WEEKLY: N_("per seat and week"),
    BILLING_FREQUENCY_MONTHLY: N_("per seat and month"),
    BILLING_FREQUENCY_QUARTERLY: N_("per seat and quarter"),
    BILLING_FREQUENCY_ANNUAL: N_("per seat and year"),
}
DONE: Final = {
    "changed": N_("The seats are changed."),
    "assigned": N_("The seats are assigned."),
    "transferred": N_("The seat is transferred."),
    "freed": N_("The seat is free for somebody else."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SeatsOf:
    """One subscription as shown. seats: None if they have no names. credits: those of a seat alone, by its id.

    changes: the newest first.
    """

    contract: Contract
    subscription: Subscription
    product: str
    frequency: str
    seats: Sequence[Seat] | None
    unassigned: int
    credits: Mapping[str, Sequence[SeatBalance]]
    changes: Sequence[SeatChange]


async def show(request: Request) -> Response:
    """Show the seats of all contracts that are in force or will be."""
    viewer = viewer_of(request)
    balance = await balance_of(viewer)
    now = business_time(balance)
    asked = ListContractsRequest(customer=viewer.customer_id)
    contracts, products, credit_types = await asyncio.gather(
        listed(viewer.mesh.contract.ListContracts, asked, "contracts", rows_max=ROWS_MAX),
        product_names(viewer),
        credit_type_names(viewer),
    )
    open_ones = [one for one in contracts if not one.HasField("end_time") or instant(one.end_time) > now]
    shown = await asyncio.gather(
        *(
            _seats_of(viewer, contract, subscription, products)
            for contract in open_ones
            for subscription in contract.subscriptions
        )
    )
    done = DONE.get(request.query_params.get("done", ""), "")
    return page(request, "customer/seats.html", shown=shown, now=now, credit_types=credit_types, done=done)


async def preview(request: Request) -> Response:
    """Show what a change would cost and bring, with a form that confirms it."""
    viewer = viewer_of(request)
    asked = _asked(request, request.query_params)
    if asked.quantity_delta == 0:
        raise WrongInput(gettext_of(request)(N_("Enter how many seats to add or remove, at least 1.")))
    found, credit_types = await asyncio.gather(
        viewer.mesh.contract_self.PreviewAdjustSeats(
            PreviewAdjustSeatsRequest(
                contract_id=asked.contract_id,
                subscription_id=asked.subscription_id,
                quantity_delta=asked.quantity_delta,
            )
        ),
        credit_type_names(viewer),
    )
    return page(request, "customer/seats_preview.html", asked=asked, preview=found, credit_types=credit_types)


async def change(request: Request) -> Response:
    """Carry out a change: of the number, of who has a seat, or of both."""
    viewer, fields = viewer_of(request), await form_of(request)
    asked = _asked(request, fields)
    asked.request_id = text_of(fields, "request_id")
    await viewer.mesh.contract_self.AdjustSeats(asked)
    done = "changed"
    if not asked.quantity_delta:
        done = "transferred" if asked.transfers else "assigned" if asked.assign_seat_ids else "freed"
    return RedirectResponse(f"/seats?done={done}", status_code=303)


def _asked(request: Request, fields: Mapping[str, Any]) -> AdjustSeatsRequest:
    """Return the change that the fields of a form ask for."""
    count = str(fields.get("count") or "0").strip()
    if not (count.isascii() and count.isdecimal() and len(count) < 10):
        raise WrongInput(gettext_of(request)(N_("The number of seats must be a whole number, such as 2.")))
    sign = -1 if text_of(fields, "direction") == "remove" else 1
    asked = AdjustSeatsRequest(
        contract_id=text_of(fields, "contract_id"),
        subscription_id=text_of(fields, "subscription_id"),
        quantity_delta=sign * int(count),
        assign_seat_ids=_lines(fields.get("assign")),
        unassign_seat_ids=_lines(fields.get("unassign")),
    )
    if fields.get("to"):
        transfer = SeatTransfer(
            from_seat_id=str(fields.get("from")), to_seat_id=str(fields.get("to")).strip()
        )
        asked.transfers.append(transfer)
    return asked


def _lines(text: object) -> list[str]:
    """Return what is on the lines of a text field, one name each."""
    return [line.strip() for line in str(text or "").splitlines() if line.strip()]


async def _seats_of(
    viewer: Viewer, contract: Contract, subscription: Subscription, products: Mapping[str, str]
) -> SeatsOf:
    mesh = viewer.mesh
    contract_id, subscription_id = contract.contract_id, subscription.subscription_id
    is_named = subscription.quantity_management == QUANTITY_MANAGEMENT_SEAT_BASED
    asked = ListSeatsRequest(contract_id=contract_id, subscription_id=subscription_id)
    of_changes = ListSeatChangesRequest(contract_id=contract_id, subscription_id=subscription_id)
    of_credits = ListSeatBalancesRequest(customer=viewer.customer_id, subscription_id=subscription_id)
    seats, changes, balances = await asyncio.gather(
        listed(mesh.contract.ListSeats, asked, "seats", rows_max=ROWS_MAX),
        listed(mesh.contract.ListSeatChanges, of_changes, "seat_changes", rows_max=ROWS_MAX),
        listed(mesh.ledger_admin.ListSeatBalances, of_credits, "seats", rows_max=ROWS_MAX),
    )
    credits: dict[str, list[SeatBalance]] = {}
    for one in balances:
        credits.setdefault(one.seat_id, []).append(one)
    return SeatsOf(
        contract=contract,
        subscription=subscription,
        product=products.get(subscription.product_id, subscription.product_id),
        frequency=FREQUENCIES.get(subscription.billing_frequency, ""),
        seats=seats if is_named else None,
        unassigned=subscription.quantity - subscription.assigned_quantity if is_named else 0,
        credits=credits,
        changes=list(reversed(changes))[:CHANGES_SHOWN_MAX],
    )


ROUTES: Sequence[Route] = (
    Route("/seats", show),
    Route("/seats/preview", preview),
    Route("/seats/change", change, methods=["POST"]),
)
