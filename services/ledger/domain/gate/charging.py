# SPDX-License-Identifier: Apache-2.0
"""What an amount costs, and how the usage of it is recorded: the same for every rule of the gate.

Source: services/ledger/README.md, "Rating".
"""

from meshkit.quantity import Credits, Quantity
from services.ledger.domain.credits.account import Account
from services.ledger.domain.credits.entry import Usage
from services.ledger.domain.errors import too_large
from services.ledger.domain.gate.decision import CREDITS_MAX, Amount, Ask
from services.ledger.domain.gate.hold import HeldPart, Hold
from services.ledger.domain.rating.price import quote
from services.ledger.domain.usage.meter import Meter, MeterKey, advance


def quoted(account: Account, ask: Ask) -> Credits:
    """Return the credits to hold for an ask: enough for its capture at any later position of the meter.

    Raises InvalidFields if they exceed CREDITS_MAX. Source: services/ledger/README.md, "Rating".
    """
    if not isinstance(ask.amount, Quantity):
        return ask.amount
    meter = ask.entitlement.price.meter_in(account.meters)
    return _at_most(quote(meter.pricing, meter.position, ask.amount))


def charged(meter: Meter, amount: Amount) -> tuple[Meter, Credits]:
    """Return the meter after an amount was used, and its cost. An amount in credits does not move the meter.

    Raises InvalidFields if the cost exceeds CREDITS_MAX, TotalTooLarge if the meter would count too much.
    """
    if not isinstance(amount, Quantity):
        return meter, amount
    after, cost = advance(meter, amount)
    return after, _at_most(cost)


def usage_of_ask(ask: Ask, meter: Meter) -> Usage:
    """meter: after the usage."""
    entitlement = ask.entitlement
    is_metered = bool(quantity_of(ask.amount)) and entitlement.price.meter_key is not None
    return Usage(
        product_id=ask.product_id,
        contract_id=entitlement.contract_id,
        group_values=ask.group_values,
        hold_id=None,
        quantity=quantity_of(ask.amount),
        meter_key=entitlement.price.meter_key if quantity_of(ask.amount) else None,
        dimension_values=entitlement.dimension_values,
        meter_position=meter.position if is_metered else None,
        meter_cost=meter.cost if is_metered else None,
    )


def usage_of_hold(
    hold: Hold, part: HeldPart, used: Amount, meter: Meter, transaction_id: str | None
) -> Usage:
    """part: the line of the hold that was used, or the hold. meter: after the usage."""
    is_metered = bool(quantity_of(used)) and part.price.meter_key is not None
    return Usage(
        product_id=part.product_id,
        contract_id=part.contract_id,
        group_values=hold.group_values,
        hold_id=hold.hold_id,
        quantity=quantity_of(used),
        meter_key=part.price.meter_key if quantity_of(used) else None,
        dimension_values=part.dimension_values,
        transaction_id=transaction_id,
        meter_position=meter.position if is_metered else None,
        meter_cost=meter.cost if is_metered else None,
    )


def moved(usage: Usage, meter: Meter) -> dict[MeterKey, Meter] | None:
    """Return the meter that usage has moved, to be saved; None if it has moved none. meter: after the usage."""
    return None if usage.meter_key is None else {usage.meter_key: meter}


def quantity_of(amount: Amount) -> Quantity:
    """Return the units of an amount; 0 if it is in credits."""
    return amount if isinstance(amount, Quantity) else Quantity(0)


def _at_most(credits: Credits) -> Credits:
    if credits > CREDITS_MAX:
        raise too_large("quantity_micros")
    return credits
