# SPDX-License-Identifier: Apache-2.0
"""Every type that the Ledger stores as JSON. How to change one: libs/README.md, "Stored formats"."""

from typing import Final

from meshkit.formats import Format, Formats
from services.ledger.domain.credits.grant import Grant
from services.ledger.domain.crossings.watch import Crossing
from services.ledger.domain.gate.decision import Authorized, Captured, Debited, Extended, Released
from services.ledger.domain.gate.spend_cap import CustomerSpendCap, SpendCapRemoval
from services.ledger.domain.rating.metric import PropertyFilter
from services.ledger.domain.responses import Response

RESPONSES: Final = Formats[Response](
    Format("Authorized", Authorized),
    Format("Captured", Captured),
    Format("Released", Released),
    Format("Extended", Extended),
    Format("Debited", Debited),
    Format("Grant", Grant),
    Format("CustomerSpendCap", CustomerSpendCap),
    Format("SpendCapRemoval", SpendCapRemoval),
)
# Each is named as the notice's kind.
NOTICES: Final = Formats[Crossing](Format("CROSSING", Crossing))
# One element of products.filters.
PROPERTY_FILTER: Final = Format("PropertyFilter", PropertyFilter)
COLUMNS: Final = Formats[PropertyFilter](PROPERTY_FILTER)
