# SPDX-License-Identifier: Apache-2.0
"""The usage that an invoice shows, to protobuf."""

from typing import Final

from meshkit.rpc.fields import optional_timestamp, timestamp
from purser.contract.v1 import contract_pb2 as pb
from services.contract.domain.usage.progress import InvoiceUsage
from services.contract.domain.usage.report import CreditSource, UsageDetail, UsageLine, UsagePayment
from services.contract.wire.values import period_to_wire

_SOURCES: Final = {
    CreditSource.INCLUDED: pb.CREDIT_SOURCE_INCLUDED,
    CreditSource.TOP_UP: pb.CREDIT_SOURCE_TOP_UP,
    CreditSource.PROMOTIONAL: pb.CREDIT_SOURCE_PROMOTIONAL,
    CreditSource.ROLLOVER: pb.CREDIT_SOURCE_ROLLOVER,
}
_DETAILS: Final = {
    UsageDetail.GROUP_AND_GRANT: pb.USAGE_DETAIL_GROUP_AND_GRANT,
    UsageDetail.PRODUCT_AND_GRANT: pb.USAGE_DETAIL_PRODUCT_AND_GRANT,
    UsageDetail.PRODUCT_AND_KIND: pb.USAGE_DETAIL_PRODUCT_AND_KIND,
}


def usage_to_wire(usage: InvoiceUsage) -> pb.InvoiceUsage:
    return pb.InvoiceUsage(
        period=period_to_wire(usage.span),
        group_key=usage.group_key,
        detail=_DETAILS[usage.report.detail],
        lines=[_line_to_wire(line) for line in usage.report.lines],
        refresh_time=timestamp(usage.refresh_time),
        covered=[
            pb.CoveredPool(credit_type_id=credit_type_id, sequence=sequence)
            for credit_type_id, sequence in sorted(usage.covered.items())
        ],
        covered_time=timestamp(usage.covered_time),
    )


def _line_to_wire(line: UsageLine) -> pb.UsageLine:
    return pb.UsageLine(
        credit_type_id=line.credit_type_id,
        product_id=line.product_id,
        product_name=line.product_name,
        group_value=line.group_value,
        quantity_micros=line.quantity.micros,
        credits_micros=line.credits.micros,
        paid_by=[_payment_to_wire(one) for one in line.paid_by],
        overage_micros=line.overage.micros,
        uncovered_micros=line.uncovered.micros,
    )


def _payment_to_wire(payment: UsagePayment) -> pb.UsagePayment:
    payer = payment.payer
    return pb.UsagePayment(
        credit_source=_SOURCES[payer.source],
        product_id=payer.product_id,
        source_id=payer.source_id,
        effective_time=optional_timestamp(payer.effective_time),
        credits_micros=payment.credits.micros,
    )
