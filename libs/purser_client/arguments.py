# SPDX-License-Identifier: Apache-2.0
"""What the methods of a gate are called with: written once, for Gate and SyncGate, with and without `try_`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Required, TypedDict

from purser_client.amounts import CreditsLike, QuantityLike, amount_of, group_values_of
from purser_client.wire import Ask


class AskArguments(TypedDict, total=False):
    """What is about to be used, of whom and for whom."""

    customer: Required[str]
    """Id or alias."""
    product: Required[str]
    """The usage product, "prd_…"."""
    quantity: QuantityLike | None
    """Of the product's units: an int, a text such as "0.5", or a Quantity; no float. Either this or credits."""
    credits: CreditsLike | None
    """An int, a text, or Credits; no float."""
    user_id: str | None
    """Short for the group value of that name."""
    group_values: Mapping[str, str] | None
    """Who and what the usage is for: at most 10."""


class AuthorizeArguments(AskArguments, total=False):
    """An ask for a hold."""

    ttl: timedelta | None
    """How long the hold lives, 1 s to 24 h; without one, 5 min."""
    allow_partial: bool
    """Hold what is affordable rather than be denied."""
    deadline: timedelta | None
    """For entering the block, and again for leaving it; without one, the gate's."""


class DebitArguments(AskArguments, total=False):
    """An ask to spend at once."""

    request_id: str
    """An idempotency key of the caller's own: to call again after GateUnreachable, or a crash, and not pay twice."""
    deadline: timedelta | None
    """Without one, the gate's."""


def ask_of(
    *,
    customer: str,
    product: str,
    quantity: QuantityLike | None = None,
    credits: CreditsLike | None = None,
    user_id: str | None = None,
    group_values: Mapping[str, str] | None = None,
) -> Ask:
    """Return the ask of these arguments. Raises TypeError, ValueError as amounts.py says."""
    return Ask(
        customer=customer,
        product_id=product,
        amount=amount_of(quantity, credits),
        group_values=group_values_of(user_id, group_values),
    )
