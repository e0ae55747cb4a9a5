# SPDX-License-Identifier: Apache-2.0
"""Automatic top-ups on the wire, and the Ledger's reports of what remains in their pools."""

from collections.abc import Sequence
from typing import Final

from meshkit.quantity import INT64_MAX, Credits
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import auto_top_ups_pb2 as pb
from purser.contract.v1 import contract_peer_pb2 as peer_pb
from services.contract.domain.auto_top_up import (
    AutoTopUp,
    AutoTopUpStatus,
    AutoTopUpTerms,
    LevelReport,
    Ordered,
    StopReason,
)
from services.contract.domain.commands.top_ups import DisableAutoTopUp, SetAutoTopUp
from services.contract.domain.ids import AutoTopUpId, ContractId, TopUpPackId
from services.contract.domain.top_up import AMOUNT_MAX, PaymentGate
from services.contract.wire.top_ups import GATES
from services.contract.wire.values import money, money_to_wire

_STATUSES: Final = {
    AutoTopUpStatus.IDLE: pb.AUTO_TOP_UP_STATUS_IDLE,
    AutoTopUpStatus.ASKED: pb.AUTO_TOP_UP_STATUS_ASKED,
    AutoTopUpStatus.ORDERED: pb.AUTO_TOP_UP_STATUS_ORDERED,
    AutoTopUpStatus.BLOCKED: pb.AUTO_TOP_UP_STATUS_BLOCKED,
    AutoTopUpStatus.DISABLED: pb.AUTO_TOP_UP_STATUS_DISABLED,
}
_REASONS: Final = {
    None: pb.AUTO_TOP_UP_STOP_REASON_UNSPECIFIED,
    StopReason.PAYMENT_FAILED: pb.AUTO_TOP_UP_STOP_REASON_PAYMENT_FAILED,
    StopReason.ACTION_REQUIRED: pb.AUTO_TOP_UP_STOP_REASON_ACTION_REQUIRED,
    StopReason.DAILY_LIMIT: pb.AUTO_TOP_UP_STOP_REASON_DAILY_LIMIT,
    StopReason.MONTHLY_LIMIT: pb.AUTO_TOP_UP_STOP_REASON_MONTHLY_LIMIT,
    StopReason.CUSTOMER_SUSPENDED: pb.AUTO_TOP_UP_STOP_REASON_CUSTOMER_SUSPENDED,
    StopReason.CONTRACT_ENDED: pb.AUTO_TOP_UP_STOP_REASON_CONTRACT_ENDED,
    StopReason.PACK_UNAVAILABLE: pb.AUTO_TOP_UP_STOP_REASON_PACK_UNAVAILABLE,
    StopReason.BY_REQUEST: pb.AUTO_TOP_UP_STOP_REASON_BY_REQUEST,
}


def set_from_wire(request: pb.SetAutoTopUpRequest) -> SetAutoTopUp:
    fields = Fields()
    has_limit = request.HasField("monthly_limit")
    threshold = fields.micros("threshold_micros", request.threshold_micros, maximum=AMOUNT_MAX.micros - 1)
    command = SetAutoTopUp(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("SetAutoTopUp", request),
        terms=AutoTopUpTerms(
            contract_id=ContractId(fields.text("contract_id", request.contract_id)),
            top_up_pack_id=TopUpPackId(fields.text("top_up_pack_id", request.top_up_pack_id)),
            threshold=Credits(threshold),
            recharge_to=Credits(
                fields.micros(
                    "recharge_to_micros",
                    request.recharge_to_micros,
                    minimum=threshold + 1,
                    maximum=AMOUNT_MAX.micros,
                )
            ),
            monthly_limit=money(fields, "monthly_limit", request.monthly_limit, has_limit, minimum=1),
            payment_gate=PaymentGate.EXTERNAL,
        ),
    )
    fields.check()
    return command


def set_to_wire(auto: AutoTopUp) -> pb.SetAutoTopUpResponse:
    return pb.SetAutoTopUpResponse(auto_top_up=_to_wire(auto))


def disable_from_wire(request: pb.DisableAutoTopUpRequest) -> DisableAutoTopUp:
    fields = Fields()
    command = DisableAutoTopUp(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("DisableAutoTopUp", request),
        auto_top_up_id=AutoTopUpId(fields.text("auto_top_up_id", request.auto_top_up_id)),
    )
    fields.check()
    return command


def disable_to_wire(auto: AutoTopUp) -> pb.DisableAutoTopUpResponse:
    return pb.DisableAutoTopUpResponse(auto_top_up=_to_wire(auto))


def get_from_wire(request: pb.GetAutoTopUpRequest) -> AutoTopUpId:
    fields = Fields()
    auto_top_up_id = AutoTopUpId(fields.text("auto_top_up_id", request.auto_top_up_id))
    fields.check()
    return auto_top_up_id


def get_to_wire(auto: AutoTopUp, ordered: Ordered) -> pb.GetAutoTopUpResponse:
    return pb.GetAutoTopUpResponse(
        auto_top_up=_to_wire(auto), spent=money_to_wire(ordered.spent), orders_today=ordered.orders
    )


def list_from_wire(request: pb.ListAutoTopUpsRequest) -> str:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    fields.check()
    return customer


def list_to_wire(found: Sequence[AutoTopUp]) -> pb.ListAutoTopUpsResponse:
    return pb.ListAutoTopUpsResponse(auto_top_ups=[_to_wire(one) for one in found])


def report_from_wire(request: peer_pb.ReportTopUpLevelRequest) -> LevelReport:
    fields = Fields()
    fields.request_id(request.request_id)
    fields.text("customer_id", request.customer_id)
    fields.text("credit_type_id", request.credit_type_id)
    fields.time("observe_time", request.observe_time, request.HasField("observe_time"))
    report = LevelReport(
        auto_top_up_id=AutoTopUpId(fields.text("auto_top_up_id", request.auto_top_up_id)),
        version=fields.count("version", request.version, minimum=1, maximum=INT64_MAX),
        sequence=fields.count("sequence", request.sequence, minimum=1, maximum=INT64_MAX),
        in_alarm=request.in_alarm,
        remaining=Credits(fields.micros("remaining_micros", request.remaining_micros)),
    )
    fields.check()
    return report


def _to_wire(auto: AutoTopUp) -> pb.AutoTopUp:
    terms = auto.terms
    return pb.AutoTopUp(
        auto_top_up_id=auto.auto_top_up_id,
        customer_id=auto.customer_id,
        credit_type_id=auto.credit_type_id,
        contract_id=terms.contract_id,
        top_up_pack_id=terms.top_up_pack_id,
        threshold_micros=terms.threshold.micros,
        recharge_to_micros=terms.recharge_to.micros,
        monthly_limit=money_to_wire(terms.monthly_limit),
        payment_gate=GATES[terms.payment_gate],
        status=_STATUSES[auto.status],
        stop_reason=_REASONS[auto.stop],
        until_time=optional_timestamp(auto.until),
        top_up_id=auto.top_up_id or "",
        failures=auto.failures,
        create_time=timestamp(auto.create_time),
        update_time=timestamp(auto.update_time),
    )
