# SPDX-License-Identifier: Apache-2.0
"""Credit types: the units of account. USD is always there; the others are the vendor's own."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NewType

CreditTypeId = NewType("CreditTypeId", str)

# The one fiat type so far; made by migration 0001, under the name "USD".
USD: Final = CreditTypeId("USD")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditType:
    """A unit of account, such as "AI credits". Names are unique, compared letter by letter."""

    credit_type_id: CreditTypeId
    name: str
    create_time: datetime
