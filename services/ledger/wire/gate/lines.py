# SPDX-License-Identifier: Apache-2.0
"""Several lines per call on the wire: the form of Authorize, Capture, Debit and DecisionAsk that has `lines`.

A request has either `lines` or the fields of one line, never both.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from meshkit.quantity import Quantity
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.gate.call_lines import LINES_MAX
from services.ledger.domain.gate.commands import CallLine
from services.ledger.domain.gate.decision import LineResult
from services.ledger.domain.gate.hold import HeldPart
from services.ledger.wire.amounts import product_id_from_wire, properties_from_wire

Asking: TypeAlias = pb.AuthorizeRequest | pb.DebitRequest | pb.DecisionAsk


def asked_lines_from_wire(fields: Fields, request: Asking) -> tuple[CallLine, ...]:
    """Return the lines of a call, of which at least one has a quantity > 0; and refuse the fields of one line."""
    for name in ("product_id", "properties"):
        if getattr(request, name):
            fields.add(name, "must be empty in a call with lines; give it in a line")
    amount = request.WhichOneof("amount")
    if amount is not None:
        fields.add(amount, "must be empty in a call with lines; give quantity_micros in each line")
    lines = lines_from_wire(fields, request.lines)
    if all(line.quantity_micros == 0 for line in request.lines):
        fields.add("lines", "must have at least one line with quantity_micros > 0")
    return lines


def lines_from_wire(fields: Fields, lines: Sequence[pb.UsageLine]) -> tuple[CallLine, ...]:
    """Return 1 to 20 lines; each quantity is >= 0."""
    if len(lines) > LINES_MAX:
        fields.add("lines", f"must have at most {LINES_MAX} lines, has {len(lines)}")
    return tuple(_line_from_wire(fields, line, f"lines[{n}].") for n, line in enumerate(lines[:LINES_MAX]))


def _line_from_wire(fields: Fields, line: pb.UsageLine, prefix: str) -> CallLine:
    return CallLine(
        product_id=product_id_from_wire(fields, line.product_id, prefix=prefix),
        quantity=Quantity(fields.micros(f"{prefix}quantity_micros", line.quantity_micros)),
        properties=properties_from_wire(fields, line.properties, prefix=prefix),
    )


def results_to_wire(lines: Iterable[LineResult]) -> list[pb.LineResult]:
    return [
        pb.LineResult(
            product_id=line.product_id,
            dimension_values=line.dimension_values,
            quantity_micros=line.quantity.micros,
            credits_micros=line.credits.micros,
            shortfall_micros=line.shortfall.micros,
            overage_micros=line.overage.micros,
        )
        for line in lines
    ]


def held_lines_to_wire(lines: Iterable[HeldPart]) -> list[pb.LineResult]:
    """Return what each line of a hold holds."""
    return [
        pb.LineResult(
            product_id=line.product_id,
            dimension_values=line.dimension_values,
            quantity_micros=line.quantity.micros,
            credits_micros=line.amount.micros,
            overage_micros=line.overage.micros,
        )
        for line in lines
    ]
