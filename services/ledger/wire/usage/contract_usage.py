# SPDX-License-Identifier: Apache-2.0
"""Usage of a contract, asked for by Contract."""

from collections.abc import Sequence
from typing import Final

from meshkit.quantity import INT64_MAX
from meshkit.rpc.fields import Fields, optional_timestamp
from purser.ledger.v1 import ledger_peer_pb2 as pb
from services.ledger.domain.credits.grant import CreditTypeId
from services.ledger.domain.usage.contract_usage import (
    ContractUsage,
    ContractUsageQuestion,
    ContractUsageRow,
    Payer,
)
from services.ledger.wire.amounts import time_in_periods
from services.ledger.wire.copies.values import customer_id_from_wire

POSITIONS_MAX: Final = 1_000
ROWS_MAX: Final = 10_000


def question_from_wire(request: pb.GetContractUsageRequest) -> ContractUsageQuestion:
    fields = Fields()
    covered = _positions_from_wire(fields, "covered", request.covered)
    covered_time = fields.time("covered_time", request.covered_time, request.HasField("covered_time"))
    after = _positions_from_wire(fields, "after", request.after)
    period_time = time_in_periods(
        fields,
        "period_time",
        fields.time("period_time", request.period_time, request.HasField("period_time")),
    )
    question = ContractUsageQuestion(
        customer_id=customer_id_from_wire(fields, request.customer_id),
        contract_id=fields.text("contract_id", request.contract_id),
        covered=covered,
        covered_time=covered_time,
        period_time=period_time,
        after=after,
        group_key=fields.text("group_key", request.group_key, max_length=64),
        rows_max=fields.count("rows_max", request.rows_max, minimum=1, maximum=ROWS_MAX),
        positions_only=request.positions_only,
    )
    fields.check()
    return question


def usage_to_wire(usage: ContractUsage) -> pb.GetContractUsageResponse:
    period = usage.period
    return pb.GetContractUsageResponse(
        start_time=optional_timestamp(None if period is None else period.start),
        end_time=optional_timestamp(None if period is None else period.end),
        positions=[
            pb.PoolPosition(credit_type_id=credit_type_id, sequence=sequence)
            for credit_type_id, sequence in sorted(usage.positions.items())
        ],
        detail=f"USAGE_DETAIL_{usage.detail.name}",
        rows=[_row_to_wire(row) for row in usage.rows],
        has_more=usage.has_more,
    )


def _positions_from_wire(
    fields: Fields, field: str, positions: Sequence[pb.PoolPosition]
) -> dict[CreditTypeId, int]:
    if len(positions) > POSITIONS_MAX:
        fields.add(field, f"must have at most {POSITIONS_MAX} pools, has {len(positions)}")
    found: dict[CreditTypeId, int] = {}
    for number, one in enumerate(positions):
        path = f"{field}[{number}]"
        credit_type_id = CreditTypeId(fields.text(f"{path}.credit_type_id", one.credit_type_id))
        if credit_type_id in found:
            fields.add(f"{path}.credit_type_id", "is named twice")
        found[credit_type_id] = fields.count(f"{path}.sequence", one.sequence, minimum=0, maximum=INT64_MAX)
    return found


def _row_to_wire(row: ContractUsageRow) -> pb.ContractUsageRow:
    return pb.ContractUsageRow(
        credit_type_id=row.credit_type_id,
        product_id=row.product_id,
        product_name=row.product_name,
        group_value=row.group_value,
        payer=None if row.payer is None else _payer_to_wire(row.payer),
        quantity_micros=row.quantity.micros,
        credits_micros=row.credits.micros,
        overage_micros=row.overage.micros,
        shortfall_micros=row.shortfall.micros,
    )


def _payer_to_wire(payer: Payer) -> pb.UsagePayer:
    return pb.UsagePayer(
        grant_kind=f"GRANT_KIND_{payer.kind.name}",
        product_id=payer.product_id,
        source_id=payer.source_id,
        effective_time=optional_timestamp(payer.effective_time),
    )
