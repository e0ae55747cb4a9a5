# SPDX-License-Identifier: Apache-2.0
"""The keyword arguments of a gate's methods, shared by Gate and SyncGate, with and without `try_`."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Required, TypedDict

from purser_client.amounts import CreditsLike, QuantityLike, amount_of, group_values_of
from purser_client.lines import Line, requested_lines
from purser_client.wire import UsageRequest


class UsageArguments(TypedDict, total=False):
    """What is about to be used: an amount of a product or several lines, of which customer, on whose behalf."""

    customer: Required[str]
    """Id or alias."""
    product: str
    """The usage product, "prd_…". Either this, with an amount, or lines."""
    quantity: QuantityLike | None
    """Of the product's units: an int, a text such as "0.5", or a Quantity; no float. Either this or credits."""
    credits: CreditsLike | None
    """An int, a text, or Credits; no float."""
    lines: Sequence[Line] | None
    """1 to 20 lines, made by `line(product, quantity, properties)`: allowed all or not at all."""
    user_id: str | None
    """Shorthand for the group value `user_id`."""
    group_values: Mapping[str, str] | None
    """Whom and what the usage is for: at most 10 values."""


class AuthorizeArguments(UsageArguments, total=False):
    """The arguments of authorize."""

    ttl: timedelta | None
    """The hold's lifetime, 1 s to 24 h; default 5 min."""
    allow_partial: bool
    """Hold what is affordable instead of being denied; not with lines."""
    deadline: timedelta | None
    """For entering the block, and again for leaving it; default: the gate's."""


class DebitArguments(UsageArguments, total=False):
    """The arguments of debit."""

    request_id: str
    """The caller's idempotency key: the same key can be sent again after GateUnreachable or a crash, and bills once."""
    deadline: timedelta | None
    """Default: the gate's."""


def usage_request_of(
    *,
    customer: str,
    product: str | None = None,
    quantity: QuantityLike | None = None,
    credits: CreditsLike | None = None,
    lines: Sequence[Line] | None = None,
    user_id: str | None = None,
    group_values: Mapping[str, str] | None = None,
) -> UsageRequest:
    """Return these arguments as a request. Raises TypeError, ValueError as amounts.py and lines.py say."""
    who = group_values_of(user_id, group_values)
    if lines is not None:
        if any(one is not None for one in (product, quantity, credits)):
            raise TypeError("give either lines=, or product= with quantity= or credits=")
        return UsageRequest(customer=customer, lines=requested_lines(lines), group_values=who)
    if product is None:
        raise TypeError("give product= or lines=")
    return UsageRequest(
        customer=customer, product_id=product, amount=amount_of(quantity, credits), group_values=who
    )
