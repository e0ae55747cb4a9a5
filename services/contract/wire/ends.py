# SPDX-License-Identifier: Apache-2.0
"""EndContract on the wire."""

from collections.abc import Mapping
from typing import Final

from meshkit.rpc.fields import Fields
from meshkit.rpc.fingerprint import fingerprint
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.commands.contracts import EndContract, EndedContract
from services.contract.domain.contract import EndOption, MoneyBack
from services.contract.domain.ids import ContractId
from services.contract.wire.contracts import contract_to_wire
from services.contract.wire.plan_changes import plan_change_to_wire
from services.contract.wire.values import by_number, default, optional_time

_END_OPTIONS: Final = {
    EndOption.AT_TIME: pb.END_OPTION_UNSPECIFIED,
    EndOption.PERIOD_END: pb.END_OPTION_PERIOD_END,
    EndOption.PERIOD_START: pb.END_OPTION_PERIOD_START,
    EndOption.NEVER: pb.END_OPTION_NEVER,
    EndOption.TERM_END: pb.END_OPTION_TERM_END,
}
# Of an end, and of a void seat change. The first one is the default.
MONEY_BACK: Final[Mapping[int, MoneyBack]] = {
    pb.MONEY_BACK_NONE: MoneyBack.NONE,
    pb.MONEY_BACK_CREDIT_UNUSED: MoneyBack.CREDIT_UNUSED,
}


def end_from_wire(request: pb.EndContractRequest) -> EndContract:
    fields = Fields()
    command = EndContract(
        request_id=fields.request_id(request.request_id),
        fingerprint=fingerprint("EndContract", request),
        contract_id=ContractId(fields.text("contract_id", request.contract_id)),
        end_time=optional_time(fields, "end_time", request.end_time, request.HasField("end_time")),
        end_option=fields.choice("end_option", request.end_option, by_number(_END_OPTIONS)),
        ignores_term=request.ignores_term,
        money_back=default(fields, "money_back", request.money_back, MONEY_BACK),
    )
    if command.end_time is not None and command.end_option is not EndOption.AT_TIME:
        fields.add("end_time", "must be left out if end_option is set")
    if command.end_option is EndOption.NEVER and command.money_back is MoneyBack.CREDIT_UNUSED:
        fields.add("money_back", "must be left out if the end is removed")
    fields.check()
    return command


def end_to_wire(ended: EndedContract) -> pb.EndContractResponse:
    return pb.EndContractResponse(
        contract=contract_to_wire(ended.contract),
        settlement=None if ended.settlement is None else plan_change_to_wire(ended.settlement),
    )
