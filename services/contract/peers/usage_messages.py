# SPDX-License-Identifier: Apache-2.0
"""Usage as the Ledger reports it for invoices."""

from collections.abc import Mapping
from typing import Final

from meshkit.quantity import Credits, Quantity
from purser.ledger.v1 import ledger_pb2, ledger_peer_pb2
from services.contract.domain.ids import CreditTypeId, ProductId
from services.contract.domain.usage.progress import Positions
from services.contract.domain.usage.report import (
    CreditSource,
    Payer,
    UsageDetail,
    UsageLine,
    UsagePayment,
    UsageReport,
)
from services.contract.peers.calls import instant

_CREDIT_SOURCES: Final = {
    ledger_pb2.GRANT_KIND_INCLUDED: CreditSource.INCLUDED,
    ledger_pb2.GRANT_KIND_TOP_UP: CreditSource.TOP_UP,
    ledger_pb2.GRANT_KIND_PROMOTIONAL: CreditSource.PROMOTIONAL,
    ledger_pb2.GRANT_KIND_ROLLOVER: CreditSource.ROLLOVER,
}
_USAGE_DETAILS: Final[Mapping[int, UsageDetail]] = {
    ledger_peer_pb2.USAGE_DETAIL_GROUP_AND_GRANT: UsageDetail.GROUP_AND_GRANT,
    ledger_peer_pb2.USAGE_DETAIL_PRODUCT_AND_GRANT: UsageDetail.PRODUCT_AND_GRANT,
    ledger_peer_pb2.USAGE_DETAIL_PRODUCT_AND_KIND: UsageDetail.PRODUCT_AND_KIND,
}


def positions_to_wire(positions: Positions) -> list[ledger_peer_pb2.PoolPosition]:
    return [
        ledger_peer_pb2.PoolPosition(credit_type_id=credit_type_id, sequence=sequence)
        for credit_type_id, sequence in positions.items()
    ]


def report_from_wire(answer: ledger_peer_pb2.GetContractUsageResponse) -> UsageReport:
    detail = _USAGE_DETAILS.get(answer.detail, UsageDetail.GROUP_AND_GRANT)
    return UsageReport(detail=detail).plus(
        UsageReport(detail=detail, lines=tuple(map(_usage_line_from_wire, answer.rows)))
    )


def _usage_line_from_wire(row: ledger_peer_pb2.ContractUsageRow) -> UsageLine:
    paid_by: tuple[UsagePayment, ...] = ()
    if row.HasField("payer"):
        paid_by = (UsagePayment(payer=_payer_from_wire(row.payer), credits=Credits(row.credits_micros)),)
    return UsageLine(
        credit_type_id=CreditTypeId(row.credit_type_id),
        product_id=ProductId(row.product_id),
        product_name=row.product_name,
        group_value=row.group_value,
        quantity=Quantity(row.quantity_micros),
        paid_by=paid_by,
        overage=Credits(row.overage_micros),
        uncovered=Credits(row.shortfall_micros),
    )


def _payer_from_wire(payer: ledger_peer_pb2.UsagePayer) -> Payer:
    return Payer(
        source=_CREDIT_SOURCES[payer.grant_kind],
        product_id=payer.product_id,
        source_id=payer.source_id,
        effective_time=instant(payer.effective_time) if payer.HasField("effective_time") else None,
    )
