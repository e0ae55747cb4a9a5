# SPDX-License-Identifier: Apache-2.0
"""Destinations: mail addresses of customers, each confirmed with a code before it gets anything else.

Source: services/alert/README.md, "Alerts and destinations of a customer".
"""

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.alert.domain.alert import CustomerId
from services.alert.domain.endpoint import WebhookEndpointId
from services.alert.domain.errors import CodeExpired, CodeWrong
from services.alert.domain.event import ALERT_EVENTS, PUBLISHED_EVENTS, EventType

# What a customer may have mailed: what concerns the customer.
DESTINATION_EVENTS: Final = (*ALERT_EVENTS, *PUBLISHED_EVENTS)
DESTINATIONS_MAX: Final = 5
# Removed ones included: each creation mails a code, perhaps to a stranger.
CREATIONS_MAX: Final = 10
CREATIONS_WITHIN: Final = timedelta(hours=24)
CODE_DIGITS: Final = 8
CODE_BYTES: Final = 8
CODE_VALID: Final = timedelta(hours=1)
CODE_TRIES_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A customer's address; its mails are those of an endpoint of the kind EMAIL with the same id.

    confirm_time None: it gets nothing but its code. disable_time: as of its endpoint.
    """

    destination_id: WebhookEndpointId
    customer_id: CustomerId
    address: str
    event_types: tuple[EventType, ...]
    create_time: datetime
    confirm_time: datetime | None = None
    disable_time: datetime | None = None
    remove_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """What was mailed to an address, and how often something else was entered."""

    text: str = field(repr=False)
    expire_time: datetime
    tries: int = 0

    def check(self, entered: str, destination_id: WebhookEndpointId, *, at: datetime) -> None:
        """Raise CodeExpired if no code is accepted any more, CodeWrong if this one is not that which was mailed."""
        if at >= self.expire_time or self.tries >= CODE_TRIES_MAX:
            raise CodeExpired(destination_id=destination_id)
        if not hmac.compare_digest(entered.encode(), self.text.encode()):
            left = CODE_TRIES_MAX - self.tries - 1
            raise CodeWrong(destination_id=destination_id, tries_left=str(left))


def new_code(random_bytes: bytes, *, at: datetime) -> Code:
    """Return a code from CODE_BYTES random bytes."""
    assert len(random_bytes) == CODE_BYTES
    number = int.from_bytes(random_bytes) % 10**CODE_DIGITS
    return Code(text=f"{number:0{CODE_DIGITS}}", expire_time=at + CODE_VALID)
