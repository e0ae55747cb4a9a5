# SPDX-License-Identifier: Apache-2.0
"""Values that several messages contain: instants, periods, money."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.currency import is_currency
from meshkit.period import Period
from meshkit.quantity import Money
from meshkit.rpc.fields import Fields, timestamp
from purser.contract.v1 import contract_pb2 as pb
from purser.type.v1 import billing_period_pb2, money_pb2
from services.contract.domain.billing.price import MONEY_MICROS_MAX
from services.contract.domain.contract import MoneyBack
from services.contract.domain.ids import SubscriptionId

NEWEST_FIRST: Final = {"order": "newest first"}  # binds the tokens of a list in the opposite order
URL_LENGTH_MAX: Final = 1_000
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # characters of RFC 3986

M = TypeVar("M")
T = TypeVar("T")

LATEST: Final = datetime(
    9000, 1, 1, tzinfo=UTC
)  # so that every billing period has an end that can be represented


# The first one is the default at a change of plan.
MONEY_BACK: Final = {
    MoneyBack.CREDIT_UNUSED: pb.MONEY_BACK_CREDIT_UNUSED,
    MoneyBack.NONE: pb.MONEY_BACK_NONE,
}


def time(fields: Fields, field: str, message: Timestamp, has: bool) -> datetime:
    """Return a required instant before the year 9000."""
    return _not_too_late(fields, field, fields.time(field, message, has))


def optional_time(fields: Fields, field: str, message: Timestamp, has: bool) -> datetime | None:
    """Return an instant before the year 9000, or None when absent."""
    at = fields.optional_time(field, message, has)
    return None if at is None else _not_too_late(fields, field, at)


def money(fields: Fields, field: str, message: money_pb2.Money, has: bool, *, minimum: int) -> Money:
    """Return a required amount in any currency of ISO 4217, >= `minimum` micros."""
    if not has:
        fields.add(field, "is required")
        return Money("", 0)
    code = fields.text(f"{field}.currency_code", message.currency_code)
    if code and not is_currency(code):
        fields.add(f"{field}.currency_code", "must be the ISO 4217 code of a currency")
    micros = fields.micros(f"{field}.micros", message.micros, minimum=minimum, maximum=MONEY_MICROS_MAX)
    return Money(code, micros)


def return_url(fields: Fields, url: str) -> str:
    """Return where a payer's browser comes back to; empty: nobody is present."""
    fields.text("return_url", url, required=False, max_length=URL_LENGTH_MAX)
    if url and not _URL.fullmatch(url):
        fields.add("return_url", "must be an absolute address, such as https://portal.example/top-ups")
    return url


def each(
    fields: Fields, field: str, messages: Sequence[M], most: int, read: Callable[[Fields, str, M], T]
) -> tuple[T, ...]:
    """Return the elements of a repeated field, at most `most`. read: gets the path, such as "lines[2]"."""
    if len(messages) > most:
        fields.add(field, f"must have at most {most} elements")
        return ()
    return tuple(read(fields, f"{field}[{position}]", message) for position, message in enumerate(messages))


def optional_subscription_id(fields: Fields, subscription_id: str) -> SubscriptionId | None:
    """Return a subscription of a contract; None: its only one."""
    if not subscription_id:
        return None
    return SubscriptionId(fields.text("subscription_id", subscription_id))


def default(fields: Fields, field: str, value: int, choices: Mapping[int, T]) -> T:
    """Return the choice of an enum number. UNSPECIFIED means the first choice."""
    return fields.choice(field, value or next(iter(choices)), choices)


def by_number(numbers: Mapping[T, int]) -> dict[int, T]:
    """Return the choices by enum number, from the enum numbers by choice."""
    return {number: choice for choice, number in numbers.items()}


def money_to_wire(money: Money) -> money_pb2.Money:
    return money_pb2.Money(currency_code=money.currency_code, micros=money.micros)


def period_to_wire(period: Period) -> billing_period_pb2.BillingPeriod:
    return billing_period_pb2.BillingPeriod(
        start_time=timestamp(period.start), end_time=timestamp(period.end)
    )


def _not_too_late(fields: Fields, field: str, at: datetime) -> datetime:
    if at >= LATEST:
        fields.add(field, "must be before the year 9000")
    return at
