# SPDX-License-Identifier: Apache-2.0
"""Setups of payment methods on the wire."""

from typing import Final

from meshkit.rpc.fields import Fields, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import payments_pb2 as pb
from services.contract.domain.commands.top_ups import CreatePaymentSetup
from services.contract.domain.payment_setups import PaymentSetupId, SetupNow, SetupState

_STATES: Final = {
    SetupState.NEW: pb.PAYMENT_SETUP_STATE_NEW,
    SetupState.OPEN: pb.PAYMENT_SETUP_STATE_OPEN,
    SetupState.ACTION_REQUIRED: pb.PAYMENT_SETUP_STATE_ACTION_REQUIRED,
    SetupState.SUCCEEDED: pb.PAYMENT_SETUP_STATE_SUCCEEDED,
    SetupState.CANCELLED: pb.PAYMENT_SETUP_STATE_CANCELLED,
}


def create_from_wire(request: pb.CreatePaymentSetupRequest) -> CreatePaymentSetup:
    fields = Fields()
    command = CreatePaymentSetup(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("CreatePaymentSetup", request),
        customer=fields.text("customer", request.customer),
    )
    fields.check()
    return command


def get_from_wire(request: pb.GetPaymentSetupRequest) -> PaymentSetupId:
    fields = Fields()
    payment_setup_id = PaymentSetupId(fields.text("payment_setup_id", request.payment_setup_id))
    fields.check()
    return payment_setup_id


def create_to_wire(found: SetupNow) -> pb.CreatePaymentSetupResponse:
    return pb.CreatePaymentSetupResponse(payment_setup=_to_wire(found))


def get_to_wire(found: SetupNow) -> pb.GetPaymentSetupResponse:
    return pb.GetPaymentSetupResponse(payment_setup=_to_wire(found))


def _to_wire(found: SetupNow) -> pb.PaymentSetup:
    setup, action = found.setup, found.action
    return pb.PaymentSetup(
        payment_setup_id=setup.payment_setup_id,
        customer_id=setup.customer_id,
        state=_STATES[setup.state],
        provider_customer_id=setup.provider_customer_id,
        provider_setup_id=setup.provider_setup_id,
        client_secret="" if action is None else action.client_secret,
        redirect_url="" if action is None else action.redirect_url,
        publishable_key=found.publishable_key,
        create_time=timestamp(setup.create_time),
    )
