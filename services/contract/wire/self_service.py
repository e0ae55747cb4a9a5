# SPDX-License-Identifier: Apache-2.0
"""Self-service on the wire: each request is one of ContractService with the vendor's fields fixed."""

from collections.abc import Sequence
from dataclasses import replace

from meshkit.rpc.fields import Fields, span
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import contract_pb2 as pb
from purser.contract.v1 import self_service_pb2 as own
from services.contract.domain.commands.seats import ChangeSeats, SeatPreview, SeatRequest, SeatsMoved
from services.contract.domain.commands.top_ups import OrderTopUp, TopUpAndInvoice
from services.contract.domain.top_up import TopUpOffer
from services.contract.wire import seats, top_ups
from services.contract.wire.values import money_to_wire


def offers_from_wire(request: own.ListTopUpOffersRequest) -> str:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    fields.check()
    return customer


def offers_to_wire(offers: Sequence[TopUpOffer]) -> own.ListTopUpOffersResponse:
    return own.ListTopUpOffersResponse(offers=[_offer_to_wire(one) for one in offers])


def _offer_to_wire(offer: TopUpOffer) -> own.TopUpOffer:
    terms = offer.pack.terms
    return own.TopUpOffer(
        contract_id=offer.contract_id,
        contract_name=offer.contract_name,
        top_up_pack_id=offer.pack.top_up_pack_id,
        name=offer.pack.name,
        credit_type_id=terms.credit_type_id,
        amount_micros=terms.amount.micros,
        price=money_to_wire(terms.price),
        lifetime=None if terms.lifetime is None else span(terms.lifetime),
    )


def buy_from_wire(request: own.BuyTopUpRequest) -> OrderTopUp:
    command = top_ups.order_from_wire(
        pb.OrderTopUpRequest(
            request_id=request.request_id,
            contract_id=request.contract_id,
            top_up_pack_id=request.top_up_pack_id,
            payment_gate=pb.PAYMENT_GATE_EXTERNAL,
        )
    )
    return replace(command, fingerprint=fingerprint("BuyTopUp", request))


def buy_to_wire(ordered: TopUpAndInvoice) -> own.BuyTopUpResponse:
    response = top_ups.order_to_wire(ordered)
    return own.BuyTopUpResponse(top_up=response.top_up, invoice=response.invoice)


def adjust_from_wire(request: own.AdjustSeatsRequest) -> ChangeSeats:
    is_naming = bool(request.assign_seat_ids or request.unassign_seat_ids or request.transfers)
    names_only = is_naming and not request.quantity_delta
    command = seats.change_from_wire(
        pb.ChangeSeatsRequest(
            request_id=request.request_id,
            contract_id=request.contract_id,
            subscription_id=request.subscription_id,
            quantity_delta=None if names_only else request.quantity_delta,
            assign_seat_ids=request.assign_seat_ids,
            unassign_seat_ids=request.unassign_seat_ids,
            transfers=request.transfers,
        )
    )
    return replace(command, fingerprint=fingerprint("AdjustSeats", request))


def adjust_to_wire(moved: SeatsMoved) -> own.AdjustSeatsResponse:
    response = seats.change_to_wire(moved)
    return own.AdjustSeatsResponse(
        seat_change=response.seat_change,
        subscription=response.subscription,
        invoice=response.invoice if response.HasField("invoice") else None,
    )


def preview_from_wire(request: own.PreviewAdjustSeatsRequest) -> SeatRequest:
    return seats.preview_from_wire(
        pb.PreviewSeatChangeRequest(
            contract_id=request.contract_id,
            subscription_id=request.subscription_id,
            quantity_delta=request.quantity_delta,
        )
    )


def preview_to_wire(preview: SeatPreview) -> own.PreviewAdjustSeatsResponse:
    response = seats.preview_to_wire(preview)
    return own.PreviewAdjustSeatsResponse(
        quantity_after=response.quantity_after,
        lines=response.lines,
        total=response.total,
        credits=response.credits,
    )
