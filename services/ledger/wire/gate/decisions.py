# SPDX-License-Identifier: Apache-2.0
"""GetDecision on the wire."""

from collections.abc import Iterable

from meshkit.quantity import Ratio
from meshkit.rpc.fields import Fields, optional_timestamp, timestamp
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.credits.burn_down import Draw
from services.ledger.domain.gate.commands import ExplainAsk, ExplainHold, ExplainLines
from services.ledger.domain.gate.explanation import ExplainedLine, Explanation
from services.ledger.domain.gate.hold import HoldId
from services.ledger.domain.rating.price import Price
from services.ledger.domain.rating.tiers import GraduatedPrice
from services.ledger.wire.amounts import (
    amount_from_wire,
    decision_to_wire,
    group_values_from_wire,
    product_id_from_wire,
    properties_from_wire,
    reason_to_wire,
    total_to_wire,
)
from services.ledger.wire.credits.grants import grant_to_wire
from services.ledger.wire.gate.caps import cap_use_to_wire
from services.ledger.wire.gate.concurrency_caps import in_flight_use_to_wire
from services.ledger.wire.gate.lines import asked_lines_from_wire
from services.ledger.wire.gate.shadow import shadow_denial_to_wire


def explain_from_wire(request: pb.GetDecisionRequest) -> ExplainAsk | ExplainLines | ExplainHold:
    fields = Fields()
    customer = fields.text("customer", request.customer)
    which = request.WhichOneof("subject")
    command: ExplainAsk | ExplainLines | ExplainHold
    if which == "ask" and request.ask.lines:
        command = ExplainLines(
            customer=customer,
            lines=asked_lines_from_wire(fields, request.ask),
            group_values=group_values_from_wire(fields, request.ask.group_values),
        )
    elif which == "ask":
        ask = request.ask
        command = ExplainAsk(
            customer=customer,
            product_id=product_id_from_wire(fields, ask.product_id),
            amount=amount_from_wire(
                fields, ask.WhichOneof("amount"), ask.quantity_micros, ask.credits_micros
            ),
            group_values=group_values_from_wire(fields, ask.group_values),
            properties=properties_from_wire(fields, ask.properties),
        )
    else:
        if which is None:
            fields.add("hold_id", "give either hold_id or ask")
        command = ExplainHold(
            customer=customer,
            hold_id=HoldId(fields.text("hold_id", request.hold_id, required=which is not None)),
        )
    fields.check()
    return command


def explain_to_wire(explanation: Explanation) -> pb.GetDecisionResponse:
    price = explanation.entitlement.price if explanation.entitlement else None
    ratio = None if price is None else _ratio_of(price.pricing.price)
    return pb.GetDecisionResponse(
        decision=decision_to_wire(explanation.reason),
        denial_reason=reason_to_wire(explanation.reason),
        credits_micros=explanation.credits.micros,
        price_micros=ratio.numerator_micros if ratio else 0,
        per_micros=ratio.denominator_micros if ratio else 0,
        credit_type_id=explanation.credit_type_id,
        contract_id=explanation.entitlement.contract_id if explanation.entitlement else None,
        draws=_draws_to_wire(explanation.draws),
        grants=[
            grant_to_wire(grant, explanation.credit_type_id, at=explanation.decide_time)
            for grant in explanation.grants
            if explanation.credit_type_id is not None
        ],
        spend_caps=[cap_use_to_wire(use) for use in explanation.caps],
        shadow_denial=None
        if explanation.shadow_denial is None
        else shadow_denial_to_wire(explanation.shadow_denial),
        concurrency_caps=[in_flight_use_to_wire(use) for use in explanation.in_flight],
        decide_time=timestamp(explanation.decide_time),
        expire_time=optional_timestamp(explanation.expire_time),
        available_micros=total_to_wire(explanation.available),
        overage_micros=explanation.overage.micros,
        rate_id=price.rate_id if price else None,
        lines=[_line_to_wire(line) for line in explanation.lines],
    )


def _line_to_wire(line: ExplainedLine) -> pb.DecisionLine:
    ratio = _ratio_of(line.price.pricing.price)
    return pb.DecisionLine(
        product_id=line.product_id,
        dimension_values=line.dimension_values,
        quantity_micros=line.quantity.micros,
        credits_micros=line.credits.micros,
        contract_id=line.contract_id,
        rate_id=line.price.rate_id,
        price_micros=ratio.numerator_micros if ratio else 0,
        per_micros=ratio.denominator_micros if ratio else 0,
        draws=_draws_to_wire(line.draws),
    )


def _draws_to_wire(draws: Iterable[Draw]) -> list[pb.Draw]:
    return [pb.Draw(grant_id=draw.grant_id, amount_micros=draw.amount.micros) for draw in draws]


def _ratio_of(price: Price) -> Ratio | None:
    """Return a price for a quantity; None for one with tiers."""
    return None if isinstance(price, GraduatedPrice) else price.ratio
