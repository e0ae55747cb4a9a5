# SPDX-License-Identifier: Apache-2.0
"""Conversions that several rpcs share: amounts, times of periods, group values, reasons."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from meshkit.quantity import INT64_MAX, Credits, Quantity
from meshkit.rpc.fields import Fields
from purser.ledger.v1 import ledger_pb2 as pb
from services.ledger.domain.credits.grant import CreditTypeId, ProductId
from services.ledger.domain.gate.decision import CREDITS_MAX, Amount, DenialReason

GROUP_VALUES_MAX = 10
PROPERTIES_MAX = 10
# A period is counted from its contract, and a grant may live 120 years: its end must still be a valid date.
PERIOD_TIME_END = datetime(9_000, 1, 1, tzinfo=UTC)

_REASONS: Final = {
    None: pb.DENIAL_REASON_UNSPECIFIED,
    DenialReason.CUSTOMER_SUSPENDED: pb.DENIAL_REASON_CUSTOMER_SUSPENDED,
    DenialReason.NOT_ENTITLED: pb.DENIAL_REASON_NOT_ENTITLED,
    DenialReason.SEAT_NOT_ASSIGNED: pb.DENIAL_REASON_SEAT_NOT_ASSIGNED,
    DenialReason.TOO_MANY_IN_FLIGHT: pb.DENIAL_REASON_TOO_MANY_IN_FLIGHT,
    DenialReason.SPEND_CAP_REACHED: pb.DENIAL_REASON_SPEND_CAP_REACHED,
    DenialReason.INSUFFICIENT_CREDITS: pb.DENIAL_REASON_INSUFFICIENT_CREDITS,
}


def amount_from_wire(
    fields: Fields, which: str | None, quantity_micros: int, credits_micros: int, *, minimum: int = 1
) -> Amount:
    """Return the amount in a oneof of quantity_micros and credits_micros; one of them is required."""
    match which:
        case "quantity_micros":
            return Quantity(fields.micros("quantity_micros", quantity_micros, minimum=minimum))
        case "credits_micros":
            amount = fields.micros(
                "credits_micros", credits_micros, minimum=minimum, maximum=CREDITS_MAX.micros
            )
            return Credits(amount)
        case _:
            fields.add("quantity_micros", "give either quantity_micros or credits_micros")
            return Credits(minimum)


def group_values_from_wire(fields: Fields, group_values: Mapping[str, str]) -> dict[str, str]:
    """Return at most 10 properties, with no empty keys or values."""
    if len(group_values) > GROUP_VALUES_MAX:
        fields.add("group_values", f"must have at most {GROUP_VALUES_MAX} keys, has {len(group_values)}")
    for key, value in group_values.items():
        fields.text("group_values", key, max_length=64)
        fields.text(f"group_values[{key[:64]}]", value)
    return dict(group_values)


def properties_from_wire(
    fields: Fields, properties: Mapping[str, str], *, prefix: str = ""
) -> dict[str, str]:
    """Return at most 10 properties by which a product is priced, with no empty keys or values.

    prefix: of the field's name.
    """
    if not properties:
        return {}
    field = f"{prefix}properties"
    if len(properties) > PROPERTIES_MAX:
        fields.add(field, f"must have at most {PROPERTIES_MAX} keys, has {len(properties)}")
    for key, value in properties.items():
        fields.text(field, key, max_length=64)
        fields.text(f"{field}[{key[:64]}]", value)
    return dict(properties)


def product_id_from_wire(fields: Fields, value: str, *, prefix: str = "") -> ProductId:
    return ProductId(fields.text(f"{prefix}product_id", value))


def optional_credit_type_from_wire(fields: Fields, value: str) -> CreditTypeId | None:
    return CreditTypeId(fields.text("credit_type_id", value)) if value else None


def decision_to_wire(reason: DenialReason | None) -> pb.Decision:
    return pb.DECISION_ALLOWED if reason is None else pb.DECISION_DENIED


def reason_to_wire(reason: DenialReason | None) -> pb.DenialReason:
    return _REASONS[reason]


def time_in_periods(fields: Fields, field: str, at: datetime) -> datetime:
    """Return a time whose period is asked for or begun: it must be before the year 9000."""
    if at >= PERIOD_TIME_END:
        fields.add(field, f"must be before the year {PERIOD_TIME_END.year}")
    return at


def total_to_wire(total: Credits) -> int:
    """Return a sum over grants in micros, capped at INT64_MAX."""
    return min(total.micros, INT64_MAX)
