# SPDX-License-Identifier: Apache-2.0
"""Every type that Contract stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats, Json
from services.contract.domain.billing.price import SeatRate
from services.contract.domain.commands import ContractCreated, Response, SeatsMoved, TopUpAndInvoice
from services.contract.domain.contract import ContractNow
from services.contract.domain.customer import Customer
from services.contract.domain.notices import (
    ContractChanged,
    CustomerChanged,
    Payload,
    SeatsChanged,
    TopUpPaid,
)


def _seats_moved_2(data: Json) -> Json:
    """Absolute counts: until then every change was a difference."""
    listed = data["listed"]
    return data | {"listed": listed | {"change": listed["change"] | {"new_quantity": None}}}


def _seats_changed_2(data: Json) -> Json:
    return data | {"new_quantity": None, "accept_time": None}


RESPONSES: Final = Formats[Response](
    Format("Customer", Customer),
    Format("ContractCreated", ContractCreated),
    Format("ContractNow", ContractNow),
    Format("SeatsMoved", SeatsMoved, (_seats_moved_2,)),
    Format("TopUpAndInvoice", TopUpAndInvoice),
)
NOTICES: Final = Formats[Payload](
    Format("CUSTOMER_CHANGED", CustomerChanged),
    Format("CONTRACT_CHANGED", ContractChanged),
    Format("SEATS_CHANGED", SeatsChanged, (_seats_changed_2,)),
    Format("TOP_UP_PAID", TopUpPaid),
)
# One element of subscriptions.rates, the copy of the Catalog's rates.
SEAT_RATE: Final = Format("SeatRate", SeatRate)
COLUMNS: Final = Formats[SeatRate](SEAT_RATE)
