# SPDX-License-Identifier: Apache-2.0
"""The types that callers may pass as an amount. A float is refused, not rounded."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeAlias, TypeVar

from meshkit.quantity import INT64_MAX, MICROS, Credits, Quantity

Amount: TypeAlias = Quantity | Credits
QuantityLike: TypeAlias = Quantity | int | str
CreditsLike: TypeAlias = Credits | int | str

A = TypeVar("A", Quantity, Credits)


def amount_of(quantity: QuantityLike | None, credits: CreditsLike | None) -> Amount:
    """Return the quantity or the credits, whichever is given. Raises TypeError, ValueError unless it is > 0."""
    amount: Amount
    match quantity, credits:
        case None, None:
            raise TypeError("give quantity= or credits=")
        case _, None:
            amount = exact(Quantity, quantity, "quantity")
        case None, _:
            amount = exact(Credits, credits, "credits")
        case _:
            raise TypeError("give either quantity= or credits=, not both")
    if amount.micros > 0:
        return amount
    raise ValueError(f"{amount!r} cannot be requested; it must be > 0")


def actual_of(actual: Amount | int | str, requested: Amount) -> Amount:
    """Return the used amount, >= 0. A bare number has the type of the requested amount. Raises as amount_of."""
    amount: Amount
    match actual, requested:
        case ((Quantity() | Credits()), _):
            amount = actual
        case _, Quantity():
            amount = exact(Quantity, actual, "actual")
        case _, Credits():
            amount = exact(Credits, actual, "actual")
    if 0 <= amount.micros <= INT64_MAX:
        return amount
    raise ValueError(f"{amount!r} cannot have been used; it must be >= 0")


def exact(kind: type[A], value: object, name: str) -> A:
    """Return an int, a decimal text or a `kind` as a `kind`. Raises TypeError for other types, such as float."""
    match value:
        case Quantity() | Credits() if isinstance(value, kind):
            amount = value
        case bool():
            raise TypeError(f"{name} is {value}; give a number")
        case int() | str():
            amount = kind.of(value)
        case float() | Decimal():
            raise TypeError(
                f"{name} is the {type(value).__name__} {value}, and amounts here are exact: "
                f"give an int, a text such as '0.25', or {kind.__name__}.of('0.25')"
            )
        case _:
            raise TypeError(f"{name} is a {type(value).__name__}; give an int, a text, or a {kind.__name__}")
    if abs(amount.micros) <= INT64_MAX:
        return amount
    raise ValueError(f"{name} is out of range: {value!r}")


def text_of(amount: Amount) -> str:
    """Return an amount as decimal text: "32.333333", "400"."""
    sign = "-" if amount.micros < 0 else ""
    whole, rest = divmod(abs(amount.micros), MICROS)
    return f"{sign}{whole}.{rest:06}".rstrip("0").rstrip(".")


def group_values_of(user_id: str | None, group_values: Mapping[str, str] | None) -> dict[str, str]:
    """Return the group values, including user_id if given. Raises ValueError when they name two users."""
    values = dict(group_values or {})
    if user_id is not None and values.setdefault("user_id", user_id) != user_id:
        raise ValueError(f"user_id is {user_id!r}, but group_values say {values['user_id']!r}")
    return values
